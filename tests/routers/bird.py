"""BIRD 2, asked over its control socket."""

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from reconciler.bgp.families import Family
from tests.routers.configuration import Neighbor, Setup, family_of
from tests.routers.router import UNKNOWN, Route, Router, Session, lines_of, need

_TABLES = {Family.IPV4: "master4", Family.IPV6: "master6"}
_CHANNELS = {Family.IPV4: "ipv4", Family.IPV6: "ipv6"}


class Bird(Router):
    """BIRD."""

    name: ClassVar[str] = "bird"

    def ask(self, command: str) -> str:
        """What it answers, without the codes of its protocol; empty while it is starting."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            try:
                control.connect(str(self.directory / "bird.ctl"))
            except OSError:
                return ""
            with control.makefile("rw") as lines:
                _reply(lines)
                lines.write(f"{command}\n")
                lines.flush()
                return _reply(lines)

    def session(self, neighbor: str) -> Session:
        """A neighbour, by its address."""
        told = self.ask(f"show protocols all {self.protocol(neighbor)}")
        if "BGP state:" not in told:
            return UNKNOWN
        state = _field(told, "BGP state") or ""
        hold_time = re.search(r"Hold timer: +[\d.]+/(\d+)", told)
        said = [_field(told, name) for name in ("Last error", "Message")]
        return Session(
            is_established=state == "Established",
            state=state,
            said=": ".join(part for part in said if part),
            hold_time=int(hold_time[1]) if hold_time else None,
        )

    def routes(self, family: Family, neighbor: str) -> dict[str, Route]:
        """What it has from a neighbour; those that it filtered out are not there."""
        told = self.ask(f"show route all protocol {self.protocol(neighbor)} table {_TABLES[family]}")
        # A prefix stands at the beginning of a line; its attributes are indented.
        blocks = re.findall(r"^(\S+/\d+) +unicast .*\n((?:[ \t].*\n)*)", told, re.MULTILINE)
        return {prefix: _route(attributes) for prefix, attributes in blocks}

    def count(self, family: Family) -> int:
        """Routes in its table that it has from neighbours."""
        told = self.ask(f"show route table {_TABLES[family]} where source = RTS_BGP count")
        found = re.search(r"^(\d+) of ", told, re.MULTILINE)
        return int(found[1]) if found else 0

    def originate(self, *prefixes: str) -> None:
        """Originate these too from now on."""
        self.setup = replace(self.setup, originates=(*self.setup.originates, *prefixes))
        self._write()
        answer = self.ask("configure")
        assert "Reconfigured" in answer or "in progress" in answer, answer

    def protocol(self, neighbor: str) -> str:
        names = [configured.name for configured in self.setup.neighbors]
        return f"p{names.index(neighbor)}"

    def _launch(self, directory: Path) -> None:
        need("bird2", "bird")
        self._write()
        (directory / "bird.ctl").unlink(missing_ok=True)
        files = ["-c", f"{directory}/bird.conf", "-s", f"{directory}/bird.ctl", "-P", f"{directory}/bird.pid"]
        self._spawn("bird", "bird", "-f", *files)

    def _write(self) -> None:
        (self.directory / "bird.conf").write_text(_configuration(self.setup, f"{self.directory}/bgp.log"))

    def _answers(self) -> bool:
        return "up and running" in self.ask("show status")


def _reply(lines: Any) -> str:
    # A code of four digits begins a line; behind that of the last line comes a space. Lines that go on with the code
    # of the line before begin with a space.
    reply = ""
    for line in lines:
        is_coded = line[:4].isdigit() and line[4:5] in (" ", "-")
        reply += line[5:] if is_coded else line[1:]
        if is_coded and line[4] == " ":
            break
    return reply


def _field(told: str, name: str) -> str | None:
    found = re.search(rf"{name}: +(.*)", told)
    return found[1].strip() if found else None


def _route(attributes: str) -> Route:
    def of(name: str) -> str:
        return _field(attributes, rf"BGP\.{name}") or ""

    def number(name: str) -> int | None:
        return int(of(name)) if of(name) else None

    def communities(name: str) -> frozenset[str]:
        listed = re.findall(r"\(([^)]*)\)", of(name))
        return frozenset(text.replace(" ", "").replace(",", ":") for text in listed)

    return Route(
        next_hops=tuple(of("next_hop").split()),
        as_path=tuple(int(word) for word in of("as_path").split()),
        origin=of("origin").lower(),
        local_pref=number("local_pref"),
        med=number("med"),
        communities=communities("community"),
        large_communities=communities("large_community"),
    )


def _configuration(setup: Setup, log: str) -> str:
    # What it learns has to be reachable: over its interfaces, or by the routes of the kernel.
    merge = f"merge paths on limit {setup.maximum_paths};" if setup.maximum_paths > 1 else ""
    exported = "all" if setup.has_kernel_routes else "none"
    kernel = [
        f"protocol kernel {{ learn; {merge} {channel} {{ import all; export {exported}; }}; }}"
        for channel in _CHANNELS.values()
    ]
    return lines_of(
        f'log "{log}" all;',
        f"router id {setup.router_id};",
        "protocol device {}",
        "protocol direct { ipv4; ipv6; }",
        kernel,
        *(_originated(setup, family) for family in Family),
        _bfd(setup),
        *(_neighbor(setup, number, neighbor) for number, neighbor in enumerate(setup.neighbors)),
    )


def _originated(setup: Setup, family: Family) -> list[str]:
    prefixes = [prefix for prefix in setup.originates if family_of(prefix) is family]
    routes = [f"  route {prefix} unreachable;" for prefix in prefixes]
    return [f"protocol static own{family} {{ {_CHANNELS[family]};", *routes, "}"]


def _bfd(setup: Setup) -> str | None:
    # One interval for all: it is set by interface.
    intervals = {neighbor.bfd_ms for neighbor in setup.neighbors if neighbor.bfd_ms is not None}
    if not intervals:
        return None
    each = f"interval {min(intervals)} ms; multiplier 3;"
    return f'protocol bfd {{ interface "*" {{ {each} }}; multihop {{ {each} }}; }}'


def _neighbor(setup: Setup, number: int, neighbor: Neighbor) -> Iterator[str]:
    yield f"protocol bgp p{number} {{"
    yield f"  local {neighbor.source or ''} as {setup.asn};"
    if neighbor.source is not None:
        # A socket for each address, not one for all, whose queue is short.
        yield "  strict bind on;"
    port = f" port {neighbor.port}" if neighbor.port != 179 else ""
    yield f"  neighbor {neighbor.address}{port} as {neighbor.remote_asn};"
    yield f"  hold time {neighbor.hold_time};"
    yield "  connect delay time 1; connect retry time 1; error wait time 1, 2; error forget time 1;"
    yield "  enable extended messages on;"
    yield f"  graceful restart {'on' if neighbor.graceful_restart else 'off'};"
    if neighbor.is_passive:
        yield "  passive;"
    if neighbor.password is not None:
        yield f'  password "{neighbor.password}";'
    if neighbor.multihop is not None:
        yield f"  multihop {neighbor.multihop};"
    if neighbor.gtsm_hops is not None:
        yield "  ttl security on;"
    if neighbor.bfd_ms is not None:
        yield "  bfd on;"
    yield from (_channel(neighbor, family) for family in neighbor.families)
    yield "}"


def _channel(neighbor: Neighbor, family: Family) -> str:
    options = ["import all;", "export where source = RTS_STATIC;" if neighbor.is_told else "export none;"]
    if neighbor.maximum_prefixes is not None:
        options.append(f"import limit {neighbor.maximum_prefixes} action disable;")
    if neighbor.extended_next_hop and family is Family.IPV4:
        options.append("extended next hop on;")
    return f"  {_CHANNELS[family]} {{ {' '.join(options)} }};"
