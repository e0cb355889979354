"""A real API server accepts every object, and to apply them again takes nothing from anybody."""

import json
from collections.abc import Iterator

import pytest

from tests.controlplane.api import Api, ApiError, Object
from tests.controlplane.harness import NAMESPACE
from tests.kustomize.acceptance import (
    Kinds,
    create_missing_namespaces,
    define_foreign_kinds,
    pod_of,
    remove,
    without_bookkeeping,
)
from tests.kustomize.conftest import Kubectl, Render
from tests.kustomize.rendered import KUSTOMIZE

OVERLAYS = sorted(f"overlays/{path.name}" for path in (KUSTOMIZE / "overlays").iterdir())
_CONFIG = "lb-reconciler-config"


@pytest.fixture(scope="module")
def kinds(admin: Api, kubectl: Kubectl, render: Render) -> Iterator[Kinds]:
    """The base is applied as its page says."""
    define_foreign_kinds(admin)
    kubectl("apply", "--kustomize", "kustomize/base")
    yield Kinds(admin)
    for directory in ("base", *OVERLAYS):
        remove(admin, render(directory))


def test_every_overlay_is_known() -> None:
    assert set(OVERLAYS) >= {
        f"overlays/{name}"
        for name in ("l2", "bgp", "git-sync", "git-sync-ssh", "flux", "argo", "monitoring", "without-speaker")
    }


@pytest.mark.parametrize("directory", ["base", *OVERLAYS])
def test_every_object_is_accepted(admin: Api, kinds: Kinds, render: Render, directory: str) -> None:
    rendered = render(directory)
    assert rendered.objects
    create_missing_namespaces(admin, rendered)
    for dry_run in (True, False):
        for manifest in rendered.objects:
            applied = kinds.apply(manifest, "tests", dry_run=dry_run)
            assert applied["kind"] == manifest["kind"]


def test_a_field_that_does_not_exist_is_noticed(kinds: Kinds, render: Render) -> None:
    broken = json.loads(json.dumps(render("base").one("Deployment", "controller")))
    broken["spec"]["template"]["spec"]["terminationGracePeriod"] = 15
    with pytest.raises(ApiError, match="terminationGracePeriod"):
        kinds.apply(broken, "tests", dry_run=True)


def test_to_apply_again_leaves_the_configuration_alone(
    admin: Api, kinds: Kinds, kubectl: Kubectl, render: Render
) -> None:
    source = "config-examples/l2-homelab"
    kubectl("create", "configmap", _CONFIG, f"--namespace={NAMESPACE}", f"--from-file={source}")
    before = admin.get("configmaps", NAMESPACE, _CONFIG)
    assert set(before["data"]) == {path.name for path in (KUSTOMIZE.parent / source).iterdir()}
    kubectl("apply", "--kustomize", "kustomize/base")
    ours = [kinds.live(manifest) for manifest in render("base").objects]
    assert kubectl("diff", "--kustomize", "kustomize/base").stdout == ""
    kubectl("apply", "--kustomize", "kustomize/base")
    assert admin.get("configmaps", NAMESPACE, _CONFIG) == before
    assert [kinds.live(manifest) for manifest in ours] == ours
    admin.delete("configmaps", NAMESPACE, _CONFIG)


@pytest.mark.parametrize("directory", ["base", "overlays/l2", "overlays/bgp", "overlays/git-sync"])
def test_what_is_applied_is_what_stands_there(kinds: Kinds, render: Render, directory: str) -> None:
    """So that whoever compares both, as Argo CD and Flux do, finds no drift."""
    for manifest in render(directory).objects:
        if manifest["kind"] != "Namespace":
            kinds.delete(manifest)
        kinds.apply(manifest, "argocd-controller")
        live = without_bookkeeping(kinds.live(manifest))
        assert without_bookkeeping(kinds.apply(manifest, "argocd-controller", dry_run=True)) == live
        assert _missing(manifest, live) == []


def _missing(wanted: object, live: object, path: str = "") -> list[str]:
    """Where the live object does not say what the manifest says, in the same words."""
    if isinstance(wanted, dict):
        assert isinstance(live, dict), path
        return [
            line
            for key, value in wanted.items()
            for line in (_missing(value, live[key], f"{path}.{key}") if key in live else [f"{path}.{key}"])
        ]
    if isinstance(wanted, list):
        assert isinstance(live, list), path
        if len(wanted) != len(live):
            return [path]
        return [
            line
            for number, (a, b) in enumerate(zip(wanted, live, strict=True))
            for line in _missing(a, b, f"{path}[{number}]")
        ]
    return [] if wanted == live else [f"{path}: {wanted} {live}"]


@pytest.mark.parametrize("role", ["controller", "speaker"])
@pytest.mark.parametrize("directory", ["base", "overlays/bgp", "overlays/git-sync-ssh"])
def test_pods_are_admitted(admin: Api, kinds: Kinds, render: Render, directory: str, role: str) -> None:
    for namespace in render(directory).of("Namespace"):
        kinds.apply(namespace, "tests")
    created = _create(admin, pod_of(render(directory).template(role), "any"), NAMESPACE)
    # Of a priority class that the cluster brings: pressure on a node ends us last.
    assert created["spec"]["priority"] >= 2_000_000_000


def test_a_controller_needs_no_privilege(admin: Api, kinds: Kinds, render: Render) -> None:
    rendered = render("overlays/without-speaker")
    (ours,) = (found for found in rendered.of("Namespace") if found["metadata"]["name"] == NAMESPACE)
    assert "restricted" in ours["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    admin.create_namespace("strict", ours["metadata"]["labels"])
    assert _create(admin, pod_of(rendered.template("controller"), "any"), "strict")
    assert _create(admin, pod_of(render("overlays/git-sync").template("controller"), "any"), "strict")
    assert kinds


def test_a_speaker_has_the_privileges_that_it_needs_and_no_others(admin: Api, render: Render) -> None:
    admin.create_namespace("as-strict", {"pod-security.kubernetes.io/enforce": "restricted"})
    with pytest.raises(ApiError) as caught:
        _create(admin, pod_of(render("base").template("speaker"), "any"), "as-strict")
    said = str(caught.value)
    expected = (
        "host namespaces",
        "unrestricted capabilities",
        "restricted volume types",
        "runAsNonRoot",
        "runAsUser=0",
    )
    for words in (*expected, "NET_RAW"):
        assert words in said
    for words in ("allowPrivilegeEscalation", "seccompProfile", "privileged", "hostPort", "NET_ADMIN", "NET_BIND"):
        assert words not in said


def _create(api: Api, pod: Object, namespace: str) -> Object:
    return api.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", pod)
