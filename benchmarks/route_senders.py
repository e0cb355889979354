"""Those who tell BIRD a table, each with all of it wanted before the session: ours, bare octets, and three others."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import pack

from benchmarks.measure import ENVIRONMENT
from benchmarks.route_receiver import Control, until
from benchmarks.route_table import (
    COMMUNITY,
    RECEIVER_ADDRESS,
    RECEIVER_ASN,
    SENDER,
    SENDER_ADDRESS,
    SENDER_ASN,
    addresses,
)
from reconciler.cli.lab import Lab

Begin = Callable[[], object]
_BIRD = """\
log "{directory}/bird.log" all;
router id {address};
protocol device {{}}
protocol static {{ ipv4; {routes} }}
protocol bgp telling {{
  disabled;
  local {address} as {asn};
  neighbor {remote} as {remote_asn};
  connect delay time 1;
  ipv4 {{ import none; export filter {{ bgp_community.add(({community})); accept; }}; }};
}}
"""
_EXABGP = """\
neighbor {remote} {{
  router-id {address};
  local-address {address};
  local-as {asn};
  peer-as {remote_asn};
  family {{ ipv4 unicast; }}
  static {{
{routes}
  }}
}}
"""
_GOBGP = """\
[global.config]
as = {asn}
router-id = "{address}"
"""
# MRT (RFC 6396): TABLE_DUMP_V2 with its index of peers, and routes of IPv4.
_TABLE_DUMP, _PEERS, _ROUTE = 13, 1, 2
# GoBGP forgets some of the last ones of a file.
_REPEATED = 2000


@contextmanager
def process(command: Sequence[str], log: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Something that runs until it is not needed any more; without a log, its output is for the caller."""
    with (log or Path("/dev/null")).open("w", encoding="utf-8") as written:
        output = subprocess.PIPE if log is None else written
        started = subprocess.Popen(command, stdout=output, stderr=written, text=True, env=ENVIRONMENT)
        with started:
            try:
                yield started
            finally:
                started.terminate()
                with suppress(subprocess.TimeoutExpired):
                    started.wait(10)
                started.kill()


@contextmanager
def ours(lab: Lab, directory: Path, count: int) -> Iterator[Begin]:
    """Our transport, machine and rib, in a process of their own."""
    with _module(lab, directory, "benchmarks.route_sender", str(count), "0") as begin:
        yield begin


@contextmanager
def bare(lab: Lab, directory: Path, count: int) -> Iterator[Begin]:
    """Octets made beforehand."""
    with _module(lab, directory, "benchmarks.bare_bgp", "send", str(count), "0") as begin:
        yield begin


@contextmanager
def bird(lab: Lab, directory: Path, count: int) -> Iterator[Begin]:
    """BIRD with static routes."""
    own = directory / "bird-sender"
    own.mkdir()
    routes = " ".join(f"route {address}/32 blackhole;" for address in addresses(count))
    (own / "bird.conf").write_text(_text(_BIRD, directory=own, routes=routes, community=", ".join(map(str, COMMUNITY))))
    with process([*lab.inside(SENDER), *bird_command(own)], own / "output"):
        control = Control(own)
        until(lambda: control.routes() == count)
        yield lambda: control.ask("enable telling")
        control.close()


@contextmanager
def exabgp(lab: Lab, directory: Path, count: int) -> Iterator[Begin]:
    """ExaBGP, which reads its table before it dials."""
    attributes = f"next-hop {SENDER_ADDRESS} community [ {COMMUNITY[0]}:{COMMUNITY[1]} ]"
    routes = "\n".join(f"route {address}/32 {attributes};" for address in addresses(count))
    (directory / "exabgp.conf").write_text(_text(_EXABGP, routes=routes))
    settings = ("exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.tcp.bind=")
    with _begun([*lab.inside(SENDER), "env", *settings, "exabgp", str(directory / "exabgp.conf")], directory) as begin:
        yield begin


@contextmanager
def gobgp(lab: Lab, directory: Path, count: int) -> Iterator[Begin]:
    """GoBGP, whose table is brought in as a file before it has a neighbour."""
    (directory / "gobgp.toml").write_text(_text(_GOBGP))
    (directory / "table.mrt").write_bytes(b"".join(_mrt(count)))
    command = ["gobgpd", "-f", str(directory / "gobgp.toml"), "-p", "--pprof-disable", "--api-hosts", "127.0.0.1:50051"]
    with process([*lab.inside(SENDER), *command], directory / "gobgp.log"):

        def ask(*words: str) -> str:
            return lab.run(SENDER, "gobgp", *words, check=False)

        until(lambda: "AS:" in ask("global"))
        ask("mrt", "inject", "global", str(directory / "table.mrt"))
        until(lambda: f"Destination: {count}," in ask("global", "rib", "summary"))
        yield lambda: ask("neighbor", "add", str(RECEIVER_ADDRESS), "as", str(RECEIVER_ASN))


def bird_command(directory: Path) -> list[str]:
    """A BIRD with all its files in one directory."""
    files = ("-c", "bird.conf"), ("-s", "bird.ctl"), ("-P", "bird.pid")
    return ["bird", "-f", *(word for option, name in files for word in (option, str(directory / name)))]


@contextmanager
def _module(lab: Lab, directory: Path, *arguments: str) -> Iterator[Begin]:
    with _begun([*lab.inside(SENDER), sys.executable, "-m", *arguments], directory) as begin:
        yield begin


@contextmanager
def _begun(command: Sequence[str], directory: Path) -> Iterator[Begin]:
    """One that looks for its peer as soon as it has its table."""
    running = []

    def begin() -> None:
        started = process(command, directory / "output")
        started.__enter__()
        running.append(started)

    try:
        yield begin
    finally:
        for started in running:
            started.__exit__(None, None, None)


def _text(template: str, **values: object) -> str:
    known = {"address": SENDER_ADDRESS, "asn": SENDER_ASN, "remote": RECEIVER_ADDRESS, "remote_asn": RECEIVER_ASN}
    return template.format(**known, **values)


def _mrt(count: int) -> Iterator[bytes]:
    now = int(time.time())
    # One peer: IPv4, an AS of four octets.
    peer = pack("!B4s4sI", 2, SENDER_ADDRESS.packed, SENDER_ADDRESS.packed, SENDER_ASN)
    yield _record(now, _PEERS, SENDER_ADDRESS.packed + pack("!HH", 0, 1) + peer)
    community = pack("!BBBHH", 0xC0, 8, 4, *COMMUNITY)
    attributes = bytes.fromhex("400101004002 00 400304") + SENDER_ADDRESS.packed + community
    entry = pack("!HHIH", 1, 0, now, len(attributes)) + attributes
    listed = list(addresses(count))
    for number, address in enumerate(listed + listed[:1] * _REPEATED):
        yield _record(now, _ROUTE, pack("!IB4s", number, 32, address.packed) + entry)


def _record(now: int, subtype: int, body: bytes) -> bytes:
    return pack("!IHHI", now, _TABLE_DUMP, subtype, len(body)) + body
