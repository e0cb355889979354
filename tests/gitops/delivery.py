"""How Flux and Argo CD apply manifests to a cluster, and what each of them calls drift. Not under test."""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Protocol

from tests.controlplane.api import Api, ApiError, Object, path_of

_APPLY = "application/apply-patch+yaml"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What merges by a key and is no list of its own: `x-kubernetes-patch-merge-key` in the API's own definition.
_MERGE_KEYS = {"ports": "port"}


class Delivery(Protocol):
    """One tool. `stamp` is what it adds to each manifest to know it again."""

    def stamp(self, manifest: Object) -> Object: ...

    def apply(self, api: Api, manifest: Object) -> Object:
        """What it does at a sync; the object afterwards."""
        ...

    def drift(self, api: Api, manifest: Object) -> list[str]:
        """What it would call different from the repository: paths of fields."""
        ...


class ServerSide:
    """Applies with a field manager of its own, as owner of every field in the manifest, and takes over by force."""

    def __init__(self, manager: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
        self.manager = manager
        self._labels = labels
        self._annotations = annotations

    def stamp(self, manifest: Object) -> Object:
        """With the labels and annotations of the tool."""
        return _marked(manifest, self._labels, self._annotations)

    def apply(self, api: Api, manifest: Object) -> Object:
        """As `kubectl apply --server-side --force-conflicts` does."""
        return self._apply(api, manifest, "")

    def drift(self, api: Api, manifest: Object) -> list[str]:
        """The fields in which the object would be another one after a sync that is only tried."""
        live, predicted = _live(api, manifest), self._apply(api, manifest, "&dryRun=All")
        return sorted(differences(_without_bookkeeping(live), _without_bookkeeping(predicted)))

    def _apply(self, api: Api, manifest: Object, more: str) -> Object:
        path = f"{_path(manifest)}?fieldManager={self.manager}&force=true{more}"
        return api.request("PATCH", path, self.stamp(manifest), _APPLY)


class ClientSide:
    """Keeps what it applied last in an annotation, and compares that, the repository and the cluster."""

    def __init__(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
        self._labels = labels
        self._annotations = annotations

    def stamp(self, manifest: Object) -> Object:
        """With the labels and annotations of the tool, and itself as text."""
        marked = _marked(manifest, self._labels, self._annotations)
        return _marked(marked, {}, {_LAST_APPLIED: json.dumps(marked)})

    def apply(self, api: Api, manifest: Object) -> Object:
        """As `kubectl apply` does: create, or patch what differs and what is not wanted any more."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        try:
            return api.create(_resource(manifest), namespace, self.stamp(manifest))
        except ApiError as exc:
            if exc.status != 409:
                raise
        live, wanted = _live(api, manifest), self.stamp(manifest)
        patch = _three_way(_last_applied(live), wanted, live)
        return api.patch(_resource(manifest), namespace, name, patch) if patch else live

    def drift(self, api: Api, manifest: Object) -> list[str]:
        """What a sync would change."""
        live = _live(api, manifest)
        return sorted(_paths(_three_way(_last_applied(live), self.stamp(manifest), live)))


# The names and marks are those that the tools use, as objects in clusters show them.
FLUX = ServerSide(
    "kustomize-controller",
    {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
    {},
)
_TRACKING = {"argocd.argoproj.io/tracking-id": "apps:/Service:shop/web"}
ARGO_SERVER_SIDE = ServerSide("argocd-controller", {}, _TRACKING)
ARGO = ClientSide({}, _TRACKING)
# Its older way to know its objects again: this label, which whoever carries it is taken for one of them.
ARGO_LABEL = "app.kubernetes.io/instance"
ARGO_BY_LABEL = ClientSide({ARGO_LABEL: "apps"}, {})


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The paths at which two objects are not the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from differences(before.get(key), after.get(key), f"{path}.{key}")
    elif before != after:
        yield path


def _marked(manifest: Object, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Object:
    marked = deepcopy(manifest)
    for key, more in (("labels", labels), ("annotations", annotations)):
        if more:
            marked["metadata"][key] = {**marked["metadata"].get(key, {}), **more}
    return marked


def _resource(manifest: Object) -> str:
    return f"{manifest['kind'].lower()}s"


def _path(manifest: Object) -> str:
    return path_of(_resource(manifest), manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def _live(api: Api, manifest: Object) -> Object:
    return api.request("GET", _path(manifest))


def _without_bookkeeping(found: Object) -> Object:
    """Everything but what the server writes down about the request itself."""
    metadata = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    return {**found, "metadata": metadata}


def _last_applied(live: Object) -> Object:
    found = json.loads(live["metadata"].get("annotations", {}).get(_LAST_APPLIED, "{}"))
    assert isinstance(found, dict)
    return found


def _three_way(last: Any, wanted: Object, live: Object) -> Object:
    """The merge patch from the cluster to what is wanted; a field goes only if it was applied before."""
    patch: Object = {}
    for key, value in wanted.items():
        there, before = live.get(key), last.get(key) if isinstance(last, dict) else None
        if isinstance(value, dict) and isinstance(there, dict):
            if inner := _three_way(before or {}, value, there):
                patch[key] = inner
        elif isinstance(value, list) and isinstance(there, list) and key in _MERGE_KEYS:
            if not _holds_all(value, there, _MERGE_KEYS[key]):
                patch[key] = value
        elif value != there:
            patch[key] = value
    gone = (last.keys() if isinstance(last, dict) else set()) - wanted.keys()
    return {**patch, **{key: None for key in gone if key in live}}


def _holds_all(wanted: Sequence[Object], there: Sequence[Object], key: str) -> bool:
    """Whether each element is there with its fields; the server adds its defaults to them."""
    by_key = {element[key]: element for element in there}
    return [one[key] for one in wanted] == [one[key] for one in there] and all(
        one.items() <= by_key[one[key]].items() for one in wanted
    )


def _paths(patch: Any, path: str = "") -> Iterator[str]:
    if isinstance(patch, dict):
        for key, value in patch.items():
            yield from _paths(value, f"{path}.{key}")
    else:
        yield path
