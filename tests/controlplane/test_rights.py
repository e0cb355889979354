from collections.abc import Mapping

import pytest

from tests.controlplane.api import Object
from tests.controlplane.rights import Right, denied, granted, idle, used

ACCOUNT = ("home", "robot")
LIST = Right("list", "", "services")


def manifest(kind: str, namespace: str = "", **fields: object) -> Object:
    return {"kind": kind, "metadata": {"name": "robot", **({"namespace": namespace} if namespace else {})}, **fields}


def role(kind: str, namespace: str = "", **rule: object) -> Object:
    rules = [{"apiGroups": [""], "resources": ["services"], "verbs": ["list"], **rule}]
    return manifest(kind, namespace, rules=rules)


def binding(kind: str, namespace: str = "", *, of: str = "ClusterRole", account: tuple[str, str] = ACCOUNT) -> Object:
    subject = {"kind": "ServiceAccount", "namespace": account[0], "name": account[1]}
    return manifest(kind, namespace, roleRef={"kind": of, "name": "robot"}, subjects=[subject])


def request(verb: str, code: int = 200, **reference: str) -> Object:
    return {"verb": verb, "objectRef": {"resource": "services", **reference}, "responseStatus": {"code": code}}


@pytest.mark.parametrize(
    ("manifests", "expected"),
    [
        pytest.param([role("ClusterRole"), binding("ClusterRoleBinding")], {LIST}, id="everywhere"),
        pytest.param(
            [role("ClusterRole"), binding("RoleBinding", "shop")],
            {LIST._replace(namespace="shop")},
            id="a role of the cluster in one namespace",
        ),
        pytest.param(
            [role("Role", "shop"), role("Role", "other", verbs=["delete"]), binding("RoleBinding", "shop", of="Role")],
            {LIST._replace(namespace="shop")},
            id="a role of the same name elsewhere gives nothing",
        ),
        pytest.param(
            [role("ClusterRole", verbs=["get", "patch"], resourceNames=["a", "b"]), binding("ClusterRoleBinding")],
            {Right(verb, "", "services", "", name) for verb in ("get", "patch") for name in ("a", "b")},
            id="each verb on each name",
        ),
        pytest.param([role("ClusterRole")], set(), id="a role that is not bound"),
        pytest.param(
            [role("ClusterRole"), binding("ClusterRoleBinding", account=("elsewhere", "robot"))],
            set(),
            id="somebody else's",
        ),
    ],
)
def test_what_manifests_grant(manifests: list[Object], expected: set[Right]) -> None:
    assert granted(manifests, ACCOUNT) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(request("list"), {LIST}, id="a list of all namespaces"),
        pytest.param(
            request("patch", namespace="shop", name="web", subresource="status"),
            {Right("patch", "", "services/status", "shop", "web")},
            id="a subresource",
        ),
        pytest.param(
            request("create", namespace="shop", name="web"),
            {Right("create", "", "services", "shop")},
            id="a creation, which has no name yet",
        ),
        pytest.param(
            request("watch", resource="leases", apiGroup="coordination.k8s.io", apiVersion="v1"),
            {Right("watch", "coordination.k8s.io", "leases")},
            id="another group",
        ),
        pytest.param({"verb": "get", "requestURI": "/version"}, set(), id="no resource"),
    ],
)
def test_what_a_request_uses(event: Mapping[str, object], expected: set[Right]) -> None:
    assert used([dict(event)]) == expected


def test_only_403_is_a_denial() -> None:
    assert denied([request("list", 403), request("watch"), request("get", 404)]) == {LIST}


@pytest.mark.parametrize(
    ("right", "use", "is_covered"),
    [
        pytest.param(LIST, LIST, True, id="the same"),
        pytest.param(LIST, LIST._replace(namespace="shop"), True, id="one of all namespaces"),
        pytest.param(LIST._replace(namespace="shop"), LIST, False, id="all namespaces with a right to one"),
        pytest.param(LIST, LIST._replace(verb="watch"), False, id="another verb"),
        pytest.param(LIST, LIST._replace(resource="services/status"), False, id="a subresource"),
        pytest.param(LIST, LIST._replace(group="apps"), False, id="another group"),
        pytest.param(LIST._replace(name="web"), LIST._replace(name="web"), True, id="the name"),
        pytest.param(LIST._replace(name="web"), LIST._replace(name="api"), False, id="another name"),
        pytest.param(LIST._replace(name="web"), LIST, False, id="no name with a right to one"),
    ],
)
def test_what_a_right_covers(right: Right, use: Right, is_covered: bool) -> None:
    assert right.covers(use) == is_covered


@pytest.mark.parametrize(
    ("right", "use", "is_idle"),
    [
        pytest.param(LIST, LIST, False, id="used"),
        pytest.param(LIST, LIST._replace(verb="watch"), True, id="not used"),
        pytest.param(LIST, LIST._replace(namespace="shop"), False, id="used in another namespace"),
        pytest.param(LIST, LIST._replace(namespace="home"), True, id="everywhere, and used at home only"),
        pytest.param(
            LIST._replace(namespace="home"), LIST._replace(namespace="home"), False, id="at home, and used there"
        ),
    ],
)
def test_which_rights_are_idle(right: Right, use: Right, is_idle: bool) -> None:
    assert idle([right], [use], own=["home"]) == (frozenset({right}) if is_idle else frozenset())
