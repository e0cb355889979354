"""The manifests that a cluster gets from us: read from the checkout, and applied to an API server of the tests."""

from functools import partial
from pathlib import Path

from ruamel.yaml import YAML

from tests.controlplane.api import Api, Object, path_of, wait_until
from tests.controlplane.harness import NAMESPACE
from tests.controlplane.rights import Right, granted

BASE = Path(__file__).parents[2] / "kustomize" / "base"
CONTROLLER, SPEAKER = (NAMESPACE, "controller"), (NAMESPACE, "speaker")
_APPLY = "application/apply-patch+yaml"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
# What rights are made of; an API server without a scheduler has no use for the rest.
_KINDS = {"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


def read_kustomization(folder: Path) -> list[Object]:
    """The objects of its resources, in order. Its labels and images stay out; patches and generators are not known."""
    wanted = YAML(typ="safe").load(folder / "kustomization.yaml")
    assert set(wanted) <= {"apiVersion", "kind", "resources", "labels", "images"}, wanted
    return [found for name in wanted["resources"] for found in YAML(typ="safe").load_all(folder / name)]


def apply_rights(api: Api, account: tuple[str, str] = CONTROLLER) -> frozenset[Right]:
    """
    Give the users of our service accounts what the manifests give to those.

    Returns what one of them has, which is in force when this returns.
    """
    manifests = [manifest for manifest in read_kustomization(BASE) if manifest["kind"] in _KINDS]
    for manifest in manifests:
        _apply(api, manifest)
    rights = granted(manifests, account)
    for right in rights:
        # The API server follows its own roles by a watch.
        wait_until(partial(may, api, right, account), f"{right} is in force")
    return rights


def may(api: Api, right: Right, account: tuple[str, str] = CONTROLLER) -> bool:
    """Whether the API server allows this to a service account of ours."""
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": right.namespace,
        "name": right.name,
    }
    review = {"spec": {"user": f"system:serviceaccount:{':'.join(account)}", "resourceAttributes": attributes}}
    return api.request("POST", _REVIEWS, review)["status"]["allowed"] is True


def _apply(api: Api, manifest: Object) -> None:
    """What `kubectl apply --server-side` does: to apply the same again changes nothing."""
    metadata = manifest["metadata"]
    path = path_of(f"{manifest['kind'].lower()}s", metadata.get("namespace"), metadata["name"])
    api.request("PATCH", f"{path}?fieldManager=tests&force=true", manifest, _APPLY)
