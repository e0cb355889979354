"""FRR: bgpd, with zebra and bfdd where they are needed, asked over bgpd's terminal socket."""

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar

from reconciler.bgp.families import Family
from tests.routers.configuration import Neighbor, Setup, family_of
from tests.routers.router import UNKNOWN, Route, Router, Session, lines_of, need

_FRR = Path("/usr/lib/frr")
_WORDS = {Family.IPV4: "ipv4 unicast", Family.IPV6: "ipv6 unicast"}
# The names that FRR prints in the place of numbers (bgpd writes them so since 7.x), as RFC 1997 and others assign them.
_NAMED = {
    "no-export": "65535:65281",
    "no-advertise": "65535:65282",
    "local-AS": "65535:65283",
    "no-peer": "65535:65284",
    "graceful-shutdown": "65535:0",
    "accept-own": "65535:1",
    "llgr-stale": "65535:6",
    "no-llgr": "65535:7",
    "blackhole": "65535:666",
}


class Frr(Router):
    """FRR's bgpd."""

    name: ClassVar[str] = "frr"

    def ask(self, *commands: str) -> str:
        """What bgpd says to the last of some commands; empty while it is starting."""
        with socket.socket(socket.AF_UNIX) as terminal:
            terminal.settimeout(10)
            try:
                terminal.connect(str(self.directory / "bgpd.vty"))
            except OSError:
                return ""
            answer = ""
            for command in ("enable", *commands):
                terminal.sendall(command.encode() + b"\0")
                answer = _answer(terminal)
            return answer

    def session(self, neighbor: str) -> Session:
        """A neighbour, by its address or interface."""
        told = self.details(neighbor)
        if not told:
            return UNKNOWN
        reasons = (told.get(key) for key in ("lastResetDueTo", "lastNotificationReason", "lastShutdownDescription"))
        return Session(
            is_established=told["bgpState"] == "Established",
            state=told["bgpState"],
            said=": ".join(str(reason) for reason in reasons if reason),
            hold_time=told.get("bgpTimerHoldTimeMsecs", 0) // 1000,
        )

    def details(self, neighbor: str) -> dict[str, Any]:
        """All that it knows of a neighbour, in its own words; empty while it is starting."""
        answer = self.ask(f"show bgp neighbors {neighbor} json")
        told: dict[str, Any] = json.loads(answer).get(neighbor, {}) if answer.strip() else {}
        return told

    def routes(self, family: Family, neighbor: str) -> dict[str, Route]:
        """What it has from a neighbour, those that are not used included."""
        answer = self.ask(f"show bgp {_WORDS[family]} json detail")
        table: dict[str, list[dict[str, Any]]] = json.loads(answer).get("routes", {}) if answer.strip() else {}
        return {
            prefix: _route(path)
            for prefix, paths in table.items()
            for path in paths
            if neighbor in (path.get("peer", {}).get("peerId"), path.get("peer", {}).get("interface"))
        }

    def count(self, family: Family) -> int:
        """Prefixes in its table."""
        answer = self.ask(f"show bgp {_WORDS[family]} summary json")
        told: dict[str, Any] = json.loads(answer) if answer.strip() else {}
        return int(told.get("ribCount", 0))

    def originate(self, *prefixes: str) -> None:
        """Originate these too from now on."""
        commands = ["configure terminal", f"router bgp {self.setup.asn}"]
        for prefix in prefixes:
            commands += [f"address-family {_WORDS[family_of(prefix)]}", f"network {prefix}", "exit-address-family"]
        self.ask(*commands, "end")

    def _launch(self, directory: Path) -> None:
        need("frr", _FRR / "bgpd", _FRR / "zebra", _FRR / "bfdd")
        shutil.chown(directory, "frr", "frr")
        (directory / "bgpd.conf").write_text(_configuration(self.setup))
        (directory / "bfdd.conf").write_text(_bfd(self.setup))
        neighbors = self.setup.neighbors
        has_bfd = any(neighbor.bfd_ms is not None for neighbor in neighbors)
        has_zebra = self.setup.has_kernel_routes or has_bfd or any(neighbor.interface for neighbor in neighbors)
        if has_zebra:
            self._start_daemon("zebra", "/dev/null")
            # Daemons that do not find it try again seconds later.
            _wait_for(directory / "zserv.api")
        if has_bfd:
            self._start_daemon("bfdd", f"{directory}/bfdd.conf", "--bfdctl", f"{directory}/bfdd.sock")
        how = [] if self.setup.has_kernel_routes else ["--no_kernel"] if has_zebra else ["--no_zebra"]
        self._start_daemon("bgpd", f"{directory}/bgpd.conf", *how)

    def _start_daemon(self, name: str, configuration: str, *options: str) -> None:
        directory = self.directory
        for left in (f"{name}.vty", f"{name}.pid", *(["zserv.api"] if name == "zebra" else [])):
            (directory / left).unlink(missing_ok=True)
        own = ["-u", "frr", "-g", "frr", "--vty_socket", str(directory), "-z", f"{directory}/zserv.api", "-P", "0"]
        files = ["-i", f"{directory}/{name}.pid", "-f", configuration]
        self._spawn(name, str(_FRR / name), *own, *files, "--log", "stdout", *options)

    def _answers(self) -> bool:
        answer = self.ask("show bgp neighbors json")
        # For up to a second after its start it refuses those it waits for.
        known: dict[str, Any] = json.loads(answer) if answer.strip() else {}
        return all(
            known.get(neighbor.name, {}).get("bgpState", "Idle") != "Idle"
            for neighbor in self.setup.neighbors
            if neighbor.interface is None
        )


def _wait_for(path: Path) -> None:
    ends = monotonic() + 20
    while not path.exists():
        assert monotonic() < ends, f"{path.name} never appeared"
        sleep(0.01)


def _answer(terminal: socket.socket) -> str:
    # Three zeros and a status end it.
    received = bytearray()
    while received[-4:-1] != b"\0\0\0":
        part = terminal.recv(1 << 20)
        if not part:
            break
        received += part
    return received[:-4].decode()


def _route(path: dict[str, Any]) -> Route:
    return Route(
        next_hops=tuple(hop["ip"] for hop in path.get("nexthops", [])),
        as_path=tuple(asn for segment in path["aspath"]["segments"] for asn in segment["list"]),
        origin=path["origin"].lower(),
        local_pref=path.get("locPrf"),
        med=path.get("metric"),
        communities=frozenset(_NAMED.get(word, word) for word in _words(path, "community")),
        large_communities=frozenset(_words(path, "largeCommunity")),
        is_stale=path.get("stale", False),
        is_valid=path.get("valid", False),
    )


def _words(path: dict[str, Any], key: str) -> list[str]:
    words: str = path.get(key, {}).get("string", "")
    return words.split()


def _configuration(setup: Setup) -> str:
    return lines_of(
        f"router bgp {setup.asn}",
        f"bgp router-id {setup.router_id}",
        "no bgp default ipv4-unicast",
        # Without these it takes and gives nothing over eBGP, and originates only what is in the kernel.
        "no bgp ebgp-requires-policy",
        "no bgp network import-check",
        "bgp bestpath as-path multipath-relax",
        # It would wait for more to tell, the longer the more neighbours it has.
        "coalesce-time 0",
        *(_neighbor(neighbor) for neighbor in setup.neighbors),
        *(_family(setup, family) for family in Family),
        "exit",
        "route-map NOTHING deny 10",
    )


def _neighbor(neighbor: Neighbor) -> list[str]:
    if neighbor.interface is not None:
        return [f"neighbor {neighbor.interface} interface remote-as {neighbor.remote_asn}", *_options(neighbor)]
    return [f"neighbor {neighbor.name} remote-as {neighbor.remote_asn}", *_options(neighbor)]


def _options(neighbor: Neighbor) -> Iterator[str]:
    start = f"neighbor {neighbor.name}"
    yield f"{start} timers {neighbor.hold_time // 3} {neighbor.hold_time}"
    yield f"{start} timers connect 1"
    if neighbor.is_passive:
        yield f"{start} passive"
    if neighbor.port != 179:
        yield f"{start} port {neighbor.port}"
    if neighbor.source is not None:
        yield f"{start} update-source {neighbor.source}"
    if neighbor.password is not None:
        yield f"{start} password {neighbor.password}"
    if neighbor.multihop is not None:
        yield f"{start} ebgp-multihop {neighbor.multihop}"
    if neighbor.gtsm_hops is not None:
        yield f"{start} ttl-security hops {neighbor.gtsm_hops}"
    if neighbor.extended_next_hop:
        yield f"{start} capability extended-nexthop"
    if not neighbor.graceful_restart:
        yield f"{start} graceful-restart-disable"
    if neighbor.bfd_ms is not None:
        yield f"{start} bfd"
        yield f"{start} bfd profile every{neighbor.bfd_ms}"


def _family(setup: Setup, family: Family) -> Iterator[str]:
    yield f"address-family {_WORDS[family]}"
    for neighbor in setup.neighbors:
        if family not in neighbor.families:
            continue
        start = f"neighbor {neighbor.name}"
        yield f"{start} activate"
        if not neighbor.is_told:
            yield f"{start} route-map NOTHING out"
        if neighbor.maximum_prefixes is not None:
            yield f"{start} maximum-prefix {neighbor.maximum_prefixes}"
    yield f"maximum-paths {setup.maximum_paths}"
    yield f"maximum-paths ibgp {setup.maximum_paths}"
    yield from (f"network {prefix}" for prefix in setup.originates if family_of(prefix) is family)
    yield "exit-address-family"


def _bfd(setup: Setup) -> str:
    intervals = sorted({neighbor.bfd_ms for neighbor in setup.neighbors if neighbor.bfd_ms is not None})
    return lines_of(
        "bfd",
        *(
            [
                f"profile every{interval}",
                f"transmit-interval {interval}",
                f"receive-interval {interval}",
                "detect-multiplier 3",
                "exit",
            ]
            for interval in intervals
        ),
    )
