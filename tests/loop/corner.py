"""A corner of the API server: namespaces, rights, a class and files that a controller under test has for itself."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.controlplane.api import Api, Object, wait_until
from tests.controlplane.harness import NAMESPACE, ControlPlane
from tests.controlplane.manifests import may
from tests.controlplane.rights import Right
from tests.loop.running import RunningController

CONDITION = "lb-reconciler.io/Assigned"
THEIRS = "example.com/Theirs"
FROM_POOL = "metallb.io/ip-allocated-from-pool"
EVERYWHERE = "apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: everywhere}\n"
POOLS = "pools.yaml"

_SUBJECT = {"kind": "ServiceAccount", "name": "controller", "namespace": NAMESPACE}
_LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch", "watch"]}
_READ = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
_MAKE_KEY = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "get"]}
_PUBLISH = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "get", "patch"]}


def pool(name: str, *addresses: str, auto: bool = True, **spec: object) -> str:
    """The document of one IPAddressPool."""
    body = {"addresses": list(addresses), "autoAssign": auto, **spec}
    return (
        f"apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: {name}}}\nspec: {json.dumps(body)}\n"
    )


def from_pool(name: str) -> dict[str, str]:
    """The annotation that asks for a pool."""
    return {"metallb.io/address-pool": name}


def requested(addresses: str) -> dict[str, str]:
    """The annotation that asks for addresses."""
    return {"metallb.io/loadBalancerIPs": addresses}


def settings(**guard: object) -> str:
    """The document that holds the thresholds of the guard."""
    spec = json.dumps({"guard": guard})
    return f"apiVersion: lb-reconciler.io/v1alpha1\nkind: ReconcilerSettings\nmetadata: {{name: s}}\nspec: {spec}\n"


class Corner:
    """
    Services are in its namespace, of its class, and named by their name alone.

    `config` and `state` are directories for the controller; the second one does not exist yet.
    """

    def __init__(self, control_plane: ControlPlane, api: Api, root: Path) -> None:
        word = secrets.token_hex(4)
        self.namespace = f"test-{word}"
        self.lb_class = f"example.com/t-{word}"
        self.api = api
        self.config = root / "config"
        self.state = root / "state"
        self._control_plane = control_plane
        self._root = root
        self._started = 0
        for namespace, rules in (
            (self.namespace, (_LEASES, _READ, _MAKE_KEY)),
            (self._status_namespace, (_PUBLISH,)),
        ):
            api.create_namespace(namespace)
            _grant(api, namespace, rules)
        self.config.mkdir()

    @property
    def _status_namespace(self) -> str:
        return f"{self.namespace}-status"

    # Files

    def write(self, *documents: str, name: str = POOLS) -> None:
        """Replace a file of the configuration as an editor does it: another file is put in its place."""
        fresh = self._root / "written"
        fresh.write_text("---\n".join(documents), "utf-8")
        fresh.replace(self.config / name)

    # Processes

    def start(
        self,
        *options: str,
        name: str = "replica",
        configs: Sequence[Path] = (),
        lease: int = 3,
        interval: float = 60,
        state: Path | None = None,
        lb_class: str | None = None,
        under: Sequence[str] = (),
    ) -> RunningController:
        """Start a controller, whose Pod has that name; `configs` are its paths in place of the directory `config`."""
        arguments = [
            *(f"--config={path}" for path in configs or [self.config]),
            f"--kubeconfig={self._control_plane.kubeconfig('controller')}",
            f"--namespace={self.namespace}",
            f"--lb-class={self.lb_class if lb_class is None else lb_class}",
            f"--lease-duration={lease}",
            f"--interval={interval:g}",
            f"--pod-name={name}",
            *([f"--state-dir={state}"] if state else []),
            *options,
        ]
        self._started += 1
        return RunningController(arguments, self._root / f"{self._started}-{name}.log", under=under)

    # Services

    def create(self, name: str, *, annotations: Mapping[str, str] | None = None, key: str = "", **spec: Any) -> Object:
        """A Service with one port, unless `ports` are given; `key` is its sharing key."""
        marks = {**({"metallb.io/allow-shared-ip": key} if key else {}), **(annotations or {})}
        return self.api.create_service(
            self.namespace, name, annotations=marks, **{"loadBalancerClass": self.lb_class, **spec}
        )

    def get(self, name: str) -> Object:
        return self.api.get("services", self.namespace, name)

    def patch(self, name: str, body: Mapping[str, object]) -> Object:
        return self.api.patch("services", self.namespace, name, body)

    def add_condition(self, name: str) -> None:
        """Another writer's condition, of type `THEIRS`, beside whatever conditions there are."""
        theirs = {"type": THEIRS, "status": "True", "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        body = {"status": {"conditions": [{**theirs, "message": ""}]}}
        kind = "application/strategic-merge-patch+json"
        self.api.patch("services", self.namespace, name, body, subresource="status", kind=kind)

    def delete(self, name: str) -> None:
        self.api.delete("services", self.namespace, name)

    def ingress(self, name: str) -> list[str]:
        return self.api.ingress(self.namespace, name)

    def condition(self, name: str) -> Object:
        """Our condition of a Service, empty when it has none."""
        found = [c for c in self.get(name)["status"].get("conditions", []) if c["type"] == CONDITION]
        assert len(found) <= 1, found
        return found[0] if found else {}

    def taken(self) -> dict[str, list[str]]:
        """The addresses of each Service."""
        return {
            service["metadata"]["name"]: [entry["ip"] for entry in service["status"]["loadBalancer"].get("ingress", [])]
            for service in self.api.objects("services", self.namespace)
        }

    def wait_for_address(self, name: str, *expected: str) -> list[str]:
        """Until a Service has these addresses, or any when none are given."""
        return wait_until(
            lambda: self._addresses(name, expected),
            f"{name} has {expected or 'an address'}: {self.get(name)['status']}",
        )

    def wait_for_refusal(self, name: str, reason: str = "") -> Object:
        """Until our condition says False, with that reason; the condition."""
        return wait_until(lambda: self._refused(name, reason), f"{name} is refused {reason}")

    def wait_until_served(self, *names: str) -> None:
        """Until each of the Services, or everyone that there is, has an address."""
        wait_until(lambda: all(held for name, held in self.taken().items() if not names or name in names), "all served")

    def _addresses(self, name: str, expected: tuple[str, ...]) -> list[str]:
        found = self.ingress(name)
        return found if not expected or found == list(expected) else []

    def _refused(self, name: str, reason: str) -> Object:
        found = self.condition(name)
        return found if found and found["status"] == "False" and reason in {"", found["reason"]} else {}

    # What the controller says

    def events(self, name: str, *, kind: str = "Service", reason: str = "") -> list[Object]:
        """Those about an object of the namespace, as they came."""
        found = self.api.objects("events", self.namespace)
        about = [e for e in found if (e["involvedObject"]["kind"], e["involvedObject"]["name"]) == (kind, name)]
        return sorted((e for e in about if reason in {"", e["reason"]}), key=_age)

    def wait_for_event(self, name: str, reason: str, *fragments: str, kind: str = "Service") -> Object:
        """Until there is an Event of that reason whose message has these parts."""

        def find() -> Object:
            found = self.events(name, kind=kind, reason=reason)
            return next((e for e in found if all(fragment in e["message"] for fragment in fragments)), {})

        return wait_until(find, f"an Event {reason} on {kind} {name} with {fragments}")

    def board(self) -> Any:
        """What the status ConfigMap says, None as long as there is none."""
        found = self.api.objects(
            "configmaps", self._status_namespace, labelSelector="app.kubernetes.io/component=status"
        )
        assert len(found) <= 1, [one["metadata"]["name"] for one in found]
        return json.loads(found[0]["data"]["status.json"]) if found else None

    def wait_for_verdict(self, verdict: str, former: str = "") -> Any:
        """Until the ConfigMap has that verdict on the newest revision, which is not the former one; all it says."""

        def find() -> Any:
            board = self.board()
            newest = board["newest"] if board else {}
            return board if newest.get("verdict") == verdict and newest["revision"] != former else None

        return wait_until(find, f"the verdict {verdict}")

    def lease(self) -> Any:
        """`spec` of the Lease, None as long as there is none."""
        found = self.api.objects("leases", self.namespace)
        assert len(found) <= 1, [one["metadata"]["name"] for one in found]
        return found[0]["spec"] if found else None

    def holder(self) -> str:
        """Who leads, by the Lease; empty when nobody does."""
        lease = self.lease()
        return str(lease.get("holderIdentity") or "") if lease else ""


def _age(event: Object) -> str:
    return str(event["metadata"]["creationTimestamp"])


def _grant(api: Api, namespace: str, rules: Iterable[Mapping[str, object]]) -> None:
    """What the manifests give in our own namespaces, in those of a test and for the names of its class."""
    rules = list(rules)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "controller"}
    api.create("roles", namespace, {"metadata": {"name": "controller"}, "rules": rules})
    binding = {"metadata": {"name": "controller"}, "roleRef": reference, "subjects": [_SUBJECT]}
    api.create("rolebindings", namespace, binding)
    for rule in rules:
        group, resource, verb = rule["apiGroups"], rule["resources"], rule["verbs"]
        assert isinstance(group, list)
        assert isinstance(resource, list)
        assert isinstance(verb, list)
        # The API server follows its own roles by a watch.
        wait_until(partial(may, api, Right(verb[-1], group[0], resource[0], namespace, "any")), f"{rule} is in force")
