"""What an API server says to manifests: kinds it does not know yet, server-side apply, Pods of templates."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from tests.controlplane.api import Api, Object, wait_until
from tests.kustomize.rendered import Rendered

_APPLY = "application/apply-patch+yaml"
_FOREIGN = {
    "kustomize.toolkit.fluxcd.io/v1": ("Kustomization",),
    "source.toolkit.fluxcd.io/v1": ("GitRepository",),
    "argoproj.io/v1alpha1": ("Application",),
    "monitoring.coreos.com/v1": ("PodMonitor", "PrometheusRule", "ServiceMonitor"),
}
# What changes with every write, and who wrote what.
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation")


class Kinds:
    """Where the objects of each kind are: asked of the server, once for each version of an API."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, dict[str, Any]] = {}

    def path(self, manifest: Object) -> str:
        """The path of one object."""
        version, metadata = manifest["apiVersion"], manifest["metadata"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._known:
            found = self._api.request("GET", root)["resources"]
            self._known[version] = {each["kind"]: each for each in found if "/" not in each["name"]}
        resource = self._known[version][manifest["kind"]]
        inside = f"/namespaces/{metadata['namespace']}" if resource["namespaced"] else ""
        return f"{root}{inside}/{resource['name']}/{metadata['name']}"

    def apply(self, manifest: Object, manager: str, *, dry_run: bool = False) -> Object:
        """
        Server-side apply; a field that the kind does not have is an error.

        Raises:
            ApiError: It is not accepted.
        """
        query = f"?fieldManager={manager}&force=true&fieldValidation=Strict{'&dryRun=All' if dry_run else ''}"
        return self._api.request("PATCH", self.path(manifest) + query, manifest, _APPLY)

    def live(self, manifest: Object) -> Object:
        """The object as it is now."""
        return self._api.request("GET", self.path(manifest))

    def delete(self, manifest: Object) -> None:
        """It is gone when this returns, if it was there."""
        if self._api.status_of("GET", self.path(manifest)) == 200:
            self._api.request("DELETE", self.path(manifest))


def remove(api: Api, rendered: Rendered) -> None:
    """All objects but the namespaces are gone when this returns, and with them who wrote which field."""
    kinds = Kinds(api)
    for manifest in rendered.objects:
        if manifest["kind"] != "Namespace":
            kinds.delete(manifest)


def define_foreign_kinds(api: Api) -> None:
    """Kinds of Flux, Argo CD and Prometheus, which take everything."""
    for version, kinds in _FOREIGN.items():
        for kind in kinds:
            api.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _definition(version, kind))
        wait_until(partial(_serves, api, version, frozenset(kinds)), version)


def create_missing_namespaces(api: Api, rendered: Rendered) -> None:
    """Of others' programs, which are there before us."""
    wanted = {found["metadata"]["namespace"] for found in rendered.objects if "namespace" in found["metadata"]}
    ours = {found["metadata"]["name"] for found in rendered.of("Namespace")}
    for name in wanted - ours - {found["metadata"]["name"] for found in api.objects("namespaces")}:
        api.create_namespace(name)


def pod_of(template: Object, name: str, **spec: object) -> Object:
    """The Pod that a controller of Kubernetes would create."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": name},
        "spec": {**template["spec"], **spec},
    }


def without_bookkeeping(found: Object) -> Object:
    """What a person or Argo CD would compare."""
    metadata = {key: value for key, value in found["metadata"].items() if key not in _BOOKKEEPING}
    return {**found, "metadata": metadata}


def _serves(api: Api, version: str, kinds: frozenset[str]) -> bool:
    if api.status_of("GET", f"/apis/{version}") != 200:
        return False
    return kinds <= {each["kind"] for each in api.request("GET", f"/apis/{version}")["resources"]}


def _definition(version: str, kind: str) -> Mapping[str, object]:
    group, _, name = version.partition("/")
    plural = f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}],
        },
    }
