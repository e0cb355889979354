"""What we send, as a decoder that nobody of us wrote understands it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from reconciler.bgp.notification import Cease
from reconciler.bgp.routes import RouteAttributes
from tests.bgp.interop.features import SPEAKER
from tests.bgp.interop.site import Site
from tests.bgp.interop.talk import Speaker, until
from tests.routers.router import need

_RICH = RouteAttributes(
    communities=tuple(65001 << 16 | number for number in range(100)),
    large_communities=tuple((65001, 2, number) for number in range(100)),
)
# Warnings, errors, and packets that could not be read to their end.
_DOUBTS = "_ws.malformed || _ws.expert.severity >= 6291456"
_OPEN, _UPDATE, _NOTIFICATION, _KEEPALIVE, _ROUTE_REFRESH = "1", "2", "3", "4", "5"


@pytest.mark.parametrize("feature", ["ebgp", "ibgp", "hop6"])
async def test_tshark_has_no_doubts_about_what_we_send(speaker: Speaker, tmp_path: Path, feature: str) -> None:
    need("tshark", "tshark")
    need("tcpdump", "tcpdump")
    captured = tmp_path / "captured.pcap"
    with _capturing(speaker.site, captured):
        is_graceful = feature == "hop6"
        talk = speaker.open(feature, "frr", lambda ours: replace(ours, graceful_restart=is_graceful))
        talk.announce("198.51.100.7/32", "2001:db8:1::7/128", attributes=_RICH)
        talk.announce("198.51.100.0/25", "2001:db8:2::/65")
        talk.settle()
        await talk.established()
        await talk.table("198.51.100.7/32", "2001:db8:1::7/128", "198.51.100.0/25", "2001:db8:2::/65")
        talk.withdraw("198.51.100.7/32", "2001:db8:1::7/128")
        await talk.table("198.51.100.0/25", "2001:db8:2::/65")
        await talk.neighbor.close(Cease.ADMINISTRATIVE_SHUTDOWN, "back at noon")
        await until(lambda: b"back at noon" in captured.read_bytes(), "the end in the capture")
    kinds = set(_fields(captured, talk.us, "bgp.type"))
    assert kinds >= {_OPEN, _UPDATE, _NOTIFICATION, _KEEPALIVE}
    # Where graceful restart is agreed on, a Hard Reset holds the rest (RFC 8538), which tshark does not look into.
    end = ("bgp.notify.minor_error_cease", "9") if is_graceful else ("bgp.notify.communication", "back at noon")
    assert end[1] in _fields(captured, talk.us, end[0])
    assert _tshark(captured, f"({_from(talk.us)}) && bgp && ({_DOUBTS})") == []


@contextmanager
def _capturing(site: Site, file: Path) -> Iterator[None]:
    command = [*site.lab.inside(SPEAKER), "tcpdump", "-U", "-Z", "root", "-i", "eth0", "-w", str(file), "tcp port 179"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            _wait_for("listening on", process.stderr)
            yield
        finally:
            process.terminate()


def _wait_for(words: str, said: IO[bytes]) -> None:
    while line := said.readline():
        if words in line.decode():
            return
    raise AssertionError("tcpdump has ended")


def _from(address: str) -> str:
    return f"ipv6.src == {address}" if ":" in address else f"ip.src == {address}"


def _fields(file: Path, address: str, name: str) -> list[str]:
    """The values of a field in what we sent."""
    lines = _tshark(file, f"{_from(address)} && bgp", "-T", "fields", "-E", "aggregator=,", "-e", name)
    return [value for line in lines for value in line.split(",")]


def _tshark(file: Path, wanted: str, *options: str) -> list[str]:
    done = subprocess.run(["tshark", "-n", "-r", str(file), "-Y", wanted, *options], capture_output=True, check=True)
    return done.stdout.decode().splitlines()
