"""The whole of it, as a cluster has it: an API server, a controller, and on each node a speaker and kube-proxy."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import urllib3

from reconciler.cli.lab import Lab, entered
from tests.controlplane.api import Api, Object, wait_until
from tests.controlplane.daemon import Daemon
from tests.controlplane.harness import NAMESPACE, ControlPlane
from tests.controlplane.manifests import SPEAKER, apply_rights
from tests.loop.running import RunningController

API_HOST = "api"
_HTTP = "127.0.0.1:7472"
_LABELS = {"app.kubernetes.io/name": "lb-reconciler", "app.kubernetes.io/component": "speaker"}
_PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "nftables",
    # Its own choice is a second between two writes.
    "nftables": {"minSyncPeriod": "50ms"},
    # Settings of the whole machine, which are not to be touched.
    "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
}


class SpeakerEndedError(Exception):
    """A speaker that should run has ended; the message is the end of its log."""


class RunningSpeaker:
    """One process of `reconciler speaker` on a node of the lab."""

    def __init__(self, lab: Lab, node: str, arguments: Sequence[str], log: Path) -> None:
        self._namespace = lab.namespace(node)
        self._pool = urllib3.PoolManager(retries=False)
        command = [*lab.inside(node), sys.executable, "-m", "reconciler", "speaker", f"--http-address={_HTTP}"]
        # An installed program finds its byte code; where none may be written every start would compile it anew.
        unwanted = {"PYTHONDONTWRITEBYTECODE", *(name for name in os.environ if name.startswith("RECONCILER_"))}
        environment = {name: value for name, value in os.environ.items() if name not in unwanted}
        self._process = Daemon([*command, f"--node-name={node}", *arguments], log, environment)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._process.output()

    def ask(self, path: str) -> tuple[int, bytes]:
        """Status and body of an answer; 0 as long as nobody answers."""
        if self._process.has_ended():
            raise SpeakerEndedError(self.log[-3000:])
        try:
            with entered(self._namespace):
                answer = self._pool.request("GET", f"http://{_HTTP}{path}", timeout=10.0)
        except urllib3.exceptions.HTTPError as exc:
            return 0, str(exc).encode()
        return answer.status, answer.data

    def status(self) -> Any:
        """The JSON of `/status`, None as long as there is none."""
        code, body = self.ask("/status")
        return json.loads(body) if code == 200 else None

    def is_ready(self) -> bool:
        return self.ask("/readyz")[0] == 200

    def misses_cluster(self) -> bool:
        """Whether it knows that the API server is away."""
        status = self.status()
        return status is not None and status["cluster"]["awaySince"] is not None

    def kill(self) -> None:
        """SIGKILL; it is gone when this returns. Does nothing the second time."""
        self._process.kill()
        self._pool.clear()


class Installation:
    """
    What runs, and how to run more of it. All of it is called in the namespace of `API_HOST`, as `installed` does.

    `config` is the directory of the files; `speakers` are by node.
    """

    def __init__(self, lab: Lab, control_plane: ControlPlane, api: Api, folder: Path) -> None:
        self.lab = lab
        self.control_plane = control_plane
        self.api = api
        self.folder = folder
        # Apart from the logs: whoever follows a directory is told of what happens beside it, too.
        self.config = folder / "files" / "config"
        self.speakers: dict[str, RunningSpeaker] = {}
        self._kubeconfig = str(control_plane.kubeconfig("audited-speaker"))
        self.config.mkdir(parents=True)

    def start_speaker(self, node: str) -> RunningSpeaker:
        """Start the speaker of a node; one that was there before has ended."""
        arguments = (
            f"--config={self.config}",
            f"--kubeconfig={self._kubeconfig}",
            f"--pod-name=speaker-{node}",
            f"--pod-ip={self.lab.address(node)}",
        )
        self.speakers[node] = RunningSpeaker(self.lab, node, arguments, self.folder / f"speaker-{node}.log")
        return self.speakers[node]

    def start_controller(self) -> RunningController:
        """Start a controller, on the host of the API server."""
        kubeconfig = self.control_plane.kubeconfig("audited-controller")
        arguments = [f"--config={self.config}", f"--kubeconfig={kubeconfig}", "--pod-name=controller"]
        return RunningController(arguments, self.folder / "controller.log")

    def start_kube_proxy(self, program: Path, node: str) -> Daemon:
        """Start the proxy of a node."""
        config = self.folder / f"kube-proxy-{node}.json"
        settings = {
            **_PROXY,
            "clientConnection": {"kubeconfig": str(self.control_plane.kubeconfig("admin"))},
            "hostnameOverride": node,
        }
        config.write_text(json.dumps(settings), "utf-8")
        command = [*self.lab.inside(node), str(program), f"--config={config}"]
        return Daemon(command, self.folder / f"kube-proxy-{node}.log")

    def wait_until_together(self) -> None:
        """Every speaker is ready, and knows that all of them are."""
        wait_until(lambda: all(self._knows_all(one) for one in self.speakers.values()), "speakers know each other")

    def _knows_all(self, speaker: RunningSpeaker) -> bool:
        status = speaker.status() if speaker.is_ready() else None
        members = status["members"] if status else ()
        return {row["node"] for row in members if row["state"] == "alive" and row["ready"]} == set(self.speakers)

    def create_node(self, node: str) -> None:
        """A Node, and the Pod of its speaker."""
        addresses = [self.lab.address(node), self.lab.address6(node)]
        self.api.create("nodes", None, {"metadata": {"name": node}})
        status: Mapping[str, object] = {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": address} for address in addresses],
        }
        self.api.patch("nodes", None, node, {"status": status}, subresource="status")
        name = f"speaker-{node}"
        spec = {"nodeName": node, "hostNetwork": True, "containers": [{"name": "speaker", "image": "reconciler"}]}
        self.api.create("pods", NAMESPACE, {"metadata": {"name": name, "labels": _LABELS}, "spec": spec})
        self.api.patch(
            "pods",
            NAMESPACE,
            name,
            {"status": {"phase": "Running", "podIP": addresses[0], "podIPs": [{"ip": ip} for ip in addresses]}},
            subresource="status",
        )

    def events(self, namespace: str, name: str) -> list[Object]:
        """Those about a Service."""
        return [
            event
            for event in self.api.objects("events", namespace)
            if (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == ("Service", name)
        ]


@contextmanager
def installed(lab: Lab, nodes: Sequence[str], control_plane: ControlPlane, folder: Path) -> Iterator[Installation]:
    """
    Rights from the manifests, Nodes and the Pods of speakers; nothing runs yet but the API server.

    It has to be entered, and left, in the namespace of `API_HOST`.
    """
    api = control_plane.api()
    with ExitStack() as stack:
        stack.callback(api.close)
        apply_rights(api)
        apply_rights(api, SPEAKER)
        installation = Installation(lab, control_plane, api, folder)
        for node in nodes:
            installation.create_node(node)
        try:
            yield installation
        finally:
            for speaker in installation.speakers.values():
                speaker.kill()
