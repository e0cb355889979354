"""Preflight on hosts of a lab: what it reads from real kernels, and whom it asks."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import preflight_interface_rules, preflight_rules
from reconciler.cli.lab import Lab

CONFIG = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: gold, namespace: lb-reconciler}
spec: {addresses: [192.0.2.128/25, "2001:db8::100/120"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: l2, namespace: lb-reconciler}
"""
# What the machine that runs the tests is like, whatever the lab is.
OF_THE_MACHINE = {"clock", "inotify", "speaker-runs", "processes-unseen", "other-announcer"}
# A speaker of somebody else on the ports of ours, and kube-proxy's word.
SERVANT = """
import http.server, socket, threading
held = [socket.create_server(("0.0.0.0", 7947)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
held[1].bind(("192.0.2.10", 7948))
class Mode(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ipvs" if self.path == "/proxyMode" else b"")
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 10249), Mode)
print("ready", flush=True)
server.serve_forever()
"""


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "node", "other"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def preflight(lab: Lab, host: str, *arguments: str | Path, before: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    """Exit status and document."""
    command = [*lab.inside(host), *before, sys.executable, "-m", "reconciler", "preflight", "--output", "json"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def found(document: dict[str, Any]) -> list[str]:
    """What it found, without what the machine itself is like."""
    rows = [row for row in document["findings"] if row["code"] not in OF_THE_MACHINE]
    return [f"{row['level']} {row['code']} {row['subject']}".strip() for row in rows]


def message(document: dict[str, Any], code: str, subject: str) -> str:
    (row,) = (row for row in document["findings"] if (row["code"], row["subject"]) == (code, subject))
    return str(row["message"])


def wait_for_node(lab: Lab) -> None:
    """Until its interface has a link-local address that can be used: the kernel gives it one with the carrier."""
    deadline = time.monotonic() + 20
    while not json.loads(
        lab.run("node", "ip", "-j", "-6", "addr", "show", "dev", "eth0", "scope", "link", "-tentative")
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def servant(lab: Lab, host: str) -> Iterator[int]:
    """Something that has our ports on a host, and its process number."""
    with running(*lab.inside(host), sys.executable, "-c", SERVANT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid


def spoil(lab: Lab) -> None:
    """Make everything wrong on one host that can be wrong there."""

    def ip(*arguments: str) -> None:
        lab.run("node", "ip", *arguments)

    ip("link", "add", "kube-ipvs0", "type", "bridge")
    ip("addr", "add", "192.0.2.130/32", "dev", "kube-ipvs0")
    ip("link", "add", "lan1", "type", "veth", "peer", "name", "veth1")
    ip("link", "set", "lan1", "mtu", "1400", "up")
    ip("link", "set", "veth1", "up")
    ip("addr", "add", "192.0.2.140/32", "dev", "lan1")
    ip("route", "add", "default", "via", lab.address("other"))
    lab.run("node", "sysctl", "-qw", "net.ipv4.conf.lan1.rp_filter=1", "net.ipv6.conf.lan1.disable_ipv6=1")
    lab.run("other", "ip", "addr", "add", "192.0.2.200/32", "dev", "eth0")
    lab.run("other", "ip", "addr", "add", "2001:db8::1c8/128", "dev", "eth0", "nodad")


def test_everything_that_is_wrong_on_a_node(lab: Lab, config: Path, tmp_path: Path) -> None:
    spoil(lab)
    wait_for_node(lab)
    keepalived = tmp_path / "keepalived"
    shutil.copy("/bin/sleep", keepalived)
    probes = ("--probe", "192.0.2.200", "--probe", "2001:db8::1c8", "--probe", "192.0.2.201")
    seeds = ("--seeds", f"{lab.address('node')},{lab.address('other')}:9")
    with servant(lab, "node") as pid, running(keepalived, "60"):
        status, document = preflight(lab, "node", "--config", config, *probes, *seeds, "--strict")
    assert status == 1
    assert found(document) == [
        "error address-in-use 192.0.2.200",
        "error address-in-use 2001:db8::1c8",
        "error address-on-host 192.0.2.140",
        "error ipv6-disabled lan1",
        "error port-taken tcp/7947",
        "error seed-unreachable 192.0.2.11:9",
        "error strict-arp eth0",
        "error strict-arp lan1",
        "warning mtu-differs",
        "warning rp-filter lan1",
        "info virtual-interface eth0",
        "info virtual-interface lan1",
    ]
    assert message(document, "address-in-use", "192.0.2.200").startswith(lab.mac("other"))
    assert f"(process {pid})" in message(document, "port-taken", "tcp/7947")
    assert "refused" in message(document, "seed-unreachable", "192.0.2.11:9")
    assert "keepalived" in {row["subject"] for row in document["findings"] if row["code"] == "other-announcer"}
    assert document["kubeProxyMode"] == "ipvs"
    interfaces = {row["name"]: (row["used"], row["reason"], row["mtu"], row["kind"]) for row in document["interfaces"]}
    assert interfaces["lan1"] == (True, None, 1400, "veth")
    assert interfaces["veth1"] == (False, "excluded", 1500, "veth")
    assert interfaces["lo"][:2] == (False, "excluded")


def test_a_node_in_good_order_and_one_without_rights(lab: Lab, config: Path) -> None:
    wait_for_node(lab)
    # Ends of pairs are what a lab has for cables.
    cable = "info virtual-interface eth0"
    status, document = preflight(lab, "node", "--config", config, "--probe", "192.0.2.200", "--strict")
    assert (status, found(document)) == (0, [cable])
    assert document["summary"].keys() == {"error", "warning", "info"}
    without = (
        *("unshare", "--pid", "--fork", "--mount-proc"),
        *("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"),
    )
    status, document = preflight(lab, "node", "--probe", "192.0.2.200", before=without)
    assert (status, found(document)) == (0, ["error no-net-raw", "warning not-probed eth0", cable])
    assert document["seesAllProcesses"] is False
    assert "processes-unseen" in {row["code"] for row in document["findings"]}


def test_the_same_facts_for_people(lab: Lab, tmp_path: Path) -> None:
    refused = tmp_path / "refused.yaml"
    refused.write_text(CONFIG.replace("192.0.2.128/25", "192.0.2.999"))
    command = [*lab.inside("node"), sys.executable, "-m", "reconciler", "preflight", "--config", str(refused)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "warning[configuration-refused]: it has errors (1)" in done.stdout
    assert "  fix: reconciler validate names them with file and line\n" in done.stdout
    assert "\nannounces on: eth0\nnot on: lo (excluded)\n" in done.stdout


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("preflight --probe 192.0.2.999", '--probe: "192.0.2.999" is not an IP address'),
        ("preflight --config /nowhere/at/all", "/nowhere/at/all"),
    ],
)
def test_what_it_cannot_do(reconciler: Any, line: str, complaint: str) -> None:
    status, out, err = reconciler(line)
    assert (status, out) == (2, "")
    assert complaint in err


def test_the_documentation_lists_every_code_with_its_level() -> None:
    sources = [
        Path(module.__file__ or "").read_text("utf-8") for module in (preflight_interface_rules, preflight_rules)
    ]
    told = {
        (code, level.lower()) for text in sources for level, code in re.findall(r'Level\.(\w+),\s+"([a-z0-9-]+)"', text)
    }
    text = (Path(__file__).parents[2] / "docs/preflight.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+(?:, \w+)*) \| \S", text, re.MULTILINE)
    assert {(code, level) for code, levels in rows for level in levels.split(", ")} == told
    assert len(told) > 20
