"""A controller on a directory of manifests, with speakers that have published their state: what a page is shown of."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from reconciler.bgp.events import State
from reconciler.cli.naming import speaker_status
from reconciler.telemetry.sessions import SessionRow
from reconciler.telemetry.speaker_status import (
    AnnouncementRow,
    LinkRow,
    MemberRow,
    MemberState,
    SpeakerStatus,
    document,
)
from reconciler.telemetry.status import NewestRevision
from tests.controlplane.api import wait_until
from tests.loop.running import RunningController
from tests.telemetry.builders import NOON, REFUSING, SESSION, speaker

POOLS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: gold}
spec: {addresses: [192.0.2.0/28, "2001:db8::/64"]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: spare}
spec: {addresses: [198.51.100.0/31], autoAssign: false}
"""
ADVERTISEMENTS = """\
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: office}
spec: {ipAddressPools: [gold]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: racks}
spec: {ipAddressPools: [spare]}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor-a}
spec: {myASN: 64512, peerASN: 64500, peerAddress: 192.0.2.254}
"""
# The first holder of many that moves is too many.
SETTINGS = """\
apiVersion: lb-reconciler.io/v1alpha1
kind: ReconcilerSettings
metadata: {name: settings}
spec: {guard: {maxChangedPercent: 10, minimumServices: 1}}
"""
NODES = ("worker-1", "worker-2", "worker-3")


def service(key: str, *, address: str | None = None, **facts: Any) -> dict[str, Any]:
    """A Service of type LoadBalancer; `facts` are parts of its spec, and `annotations` its annotations."""
    namespace, name = key.split("/")
    metadata = {"name": name, "namespace": namespace, "annotations": facts.pop("annotations", {})}
    spec = {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": [{"port": 80}], **facts}
    status = {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec, "status": status}


def endpoints(key: str, node: str = "worker-1") -> dict[str, Any]:
    """One endpoint of a Service that is ready."""
    namespace, name = key.split("/")
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": node, "conditions": {"ready": True}}],
    }


class Stage:
    """The files that a controller follows, and the controller. What is written here is seen by it in a moment."""

    def __init__(self, root: Path) -> None:
        self._log = root / "log"
        self._config = root / "config"
        self._cluster = root / "cluster"
        for directory in (self._config, self._cluster, self._cluster / "status"):
            directory.mkdir(parents=True)
        self._controller: RunningController | None = None
        self.configure(pools=POOLS, advertisements=ADVERTISEMENTS, settings=SETTINGS)
        self.nodes(*NODES)

    def __enter__(self) -> "Stage":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.controller.__exit__(failure, kind, trace)

    @property
    def controller(self) -> RunningController:
        assert self._controller is not None, "it was never started"
        return self._controller

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"{self.controller.url}/"

    def start(self) -> None:
        """Start the controller, which has another port each time, and wait until it is ready."""
        options = [f"--config={self._config}", f"--cluster=dir:{self._cluster}", "--pod-name=controller-0"]
        self._controller = RunningController(options, self._log).wait_until_ready()

    def configure(self, **files: str) -> None:
        """Write files of the configuration, each as a whole."""
        for name, text in files.items():
            _replace(self._config / f"{name}.yaml", text)

    def commit(self) -> None:
        """Make the files of the configuration those of a git commit."""
        who = ("-c", "user.name=operator", "-c", "user.email=operator@example.com", "-c", "commit.gpgsign=false")
        for command in (("init", "--quiet"), ("add", "."), (*who, "commit", "--quiet", "--message=Pools")):
            subprocess.run(["git", "-C", str(self._config), *command], check=True)

    def nodes(self, *names: str) -> None:
        """The nodes of the cluster."""
        self.manifests("nodes", *({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in names))

    def manifests(self, name: str, *objects: dict[str, Any]) -> None:
        """Write one file of manifests."""
        _replace(self._cluster / f"{name}.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def services(self, *objects: dict[str, Any], unserved: Iterable[str] = ()) -> None:
        """The Services of the cluster, and an endpoint for each of them but the `unserved`."""
        keys = ["{namespace}/{name}".format(**made["metadata"]) for made in objects]
        self.manifests("services", *objects, *(endpoints(key) for key in keys if key not in set(unserved)))

    def publish(self, *speakers: SpeakerStatus) -> None:
        """What speakers say of themselves."""
        for found in speakers:
            path = self._cluster / "status" / f"{speaker_status(found.node, found.lb_class)}.json"
            _replace(path, document(found).decode())

    @contextmanager
    def unreadable_status(self) -> Iterator[None]:
        """For as long as this lasts, what the roles have published cannot be read."""
        obstacle = self._cluster / "status" / "lb-reconciler-status-obstacle.json"
        obstacle.mkdir()
        try:
            yield
        finally:
            obstacle.rmdir()

    def revision(self) -> str:
        """The configuration in force, as soon as there is one."""
        return str(wait_until(lambda: self.controller.status()["revision"], "a revision in force"))


def well(node: str, revision: str, **facts: Any) -> SpeakerStatus:
    """A speaker about which there is nothing to say."""
    usual = {
        "node": node,
        "revision": revision,
        "newest": NewestRevision(revision=revision, verdict="passed", since=NOON),
        "members": tuple(MemberRow(node=name, state=MemberState.ALIVE, ready=True) for name in NODES),
        "links": (LinkRow(name="eth0", mac="02:00:00:00:00:0a"), LinkRow(name="eth1", mac="02:00:00:00:00:0b")),
        "announcements": (AnnouncementRow(services=("shop/api",), address="192.0.2.1"),),
        "sessions": (SESSION,),
    }
    return speaker(**{**usual, **facts})


def refused_session(**facts: Any) -> SessionRow:
    """A session that is down, as it is published."""
    known = {"peer": "tor-b", "remote": "[2001:db8::254]:179", "state": State.IDLE, "local_asn": 64512, "wanted": 3}
    return SessionRow(**{**known, "down_since": NOON, "last_error": REFUSING.last_error, "bfd": "down", **facts})


def _replace(path: Path, text: str) -> None:
    # As editors and git do it: nobody ever reads half a file.
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, "utf-8")
    fresh.rename(path)
