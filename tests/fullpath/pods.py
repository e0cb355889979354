"""Pods of a `Lab`: a network namespace behind each node, with a web server that says who answers and who asked."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.cli.lab import Lab
from tests.controlplane.daemon import Daemon

PORT = 8080
# One that the speakers leave alone, as they do with those of a real network plugin.
_LINK = "veth-pod"
# Listens to both families; the answer is one line.
_SERVER = f"""
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{{sys.argv[1]}} {{self.client_address[0].removeprefix('::ffff:')}}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
Server(("::", {PORT}), Handler).serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Pod:
    """Where it is; its name is what its server answers with. `number` is that of its node, from 1 on."""

    node: str
    number: int

    @property
    def name(self) -> str:
        return f"pod-{self.node}"

    @property
    def address(self) -> str:
        return f"10.244.{self.number}.2"

    @property
    def address6(self) -> str:
        return f"fd00:10:244:{self.number}::2"


@contextmanager
def running_pods(lab: Lab, nodes: Sequence[str], folder: Path) -> Iterator[dict[str, Pod]]:
    """One on each node, by the node's name. Nodes forward, and know the way to each other's Pods."""
    pods = {node: Pod(node, number) for number, node in enumerate(nodes, 1)}
    with ExitStack() as stack:
        for pod in pods.values():
            stack.enter_context(_namespace(lab.namespace(pod.name)))
            _connect(lab, pod)
            for other in pods.values():
                if other != pod:
                    _ip(lab, pod.node, "route", "add", f"10.244.{other.number}.0/24", "via", lab.address(other.node))
                    network = f"fd00:10:244:{other.number}::/64"
                    _ip(lab, pod.node, "-6", "route", "add", network, "via", lab.address6(other.node))
            command = [*lab.inside(pod.name), sys.executable, "-c", _SERVER, pod.name]
            stack.callback(Daemon(command, folder / f"{pod.name}.log").kill)
        yield pods


def _connect(lab: Lab, pod: Pod) -> None:
    lab.run(pod.node, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    ends = ("type", "veth", "peer", "name", _LINK, "netns", lab.namespace(pod.node))
    _ip(lab, pod.name, "link", "add", "eth0", *ends)
    for host, link, end in ((pod.name, "eth0", 2), (pod.node, _LINK, 1)):
        _ip(lab, host, "addr", "add", f"10.244.{pod.number}.{end}/24", "dev", link)
        _ip(lab, host, "addr", "add", f"fd00:10:244:{pod.number}::{end}/64", "dev", link, "nodad")
        _ip(lab, host, "link", "set", link, "up")
    _ip(lab, pod.name, "link", "set", "lo", "up")
    _ip(lab, pod.name, "route", "add", "default", "via", f"10.244.{pod.number}.1")
    _ip(lab, pod.name, "-6", "route", "add", "default", "via", f"fd00:10:244:{pod.number}::1")


def _ip(lab: Lab, host: str, *arguments: str) -> None:
    subprocess.run(["ip", "-n", lab.namespace(host), *arguments], check=True, capture_output=True)


@contextmanager
def _namespace(name: str) -> Iterator[None]:
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
