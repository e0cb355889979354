"""GoBGP, asked through its command."""

import json
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

from reconciler.bgp.families import Family
from tests.routers.configuration import Neighbor, Setup, family_of
from tests.routers.router import UNKNOWN, Route, Router, Session, lines_of, need

_WORDS = {Family.IPV4: "ipv4", Family.IPV6: "ipv6"}
_STATES = {1: "Idle", 2: "Connect", 3: "Active", 4: "OpenSent", 5: "OpenConfirm", 6: "Established"}
_ORIGINS = ("igp", "egp", "incomplete")
# Types of path attributes (IANA).
_ORIGIN, _AS_PATH, _NEXT_HOP, _MED, _LOCAL_PREF, _COMMUNITIES, _MP_REACH, _LARGE_COMMUNITIES = 1, 2, 3, 4, 5, 8, 14, 32


class GoBgp(Router):
    """gobgpd. It listens for questions on the loopback interface of its namespace."""

    name: ClassVar[str] = "gobgp"

    def ask(self, *words: str) -> Any:
        """What it answers, as JSON; None while it is starting, or where it has no answer."""
        command = [*self.lab.inside(self.host), "gobgp", *words, "-j"]
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None

    def session(self, neighbor: str) -> Session:
        """A neighbour, by its address; `said` are the lines of its log that name it."""
        told = self.ask("neighbor", neighbor)
        if told is None:
            return UNKNOWN
        state = _STATES[told["state"].get("session_state", 1)]
        return Session(
            is_established=state == "Established",
            state=state,
            said="\n".join(line for line in self.log().splitlines() if f'"{neighbor}"' in line),
            hold_time=int(told["timers"]["state"].get("negotiated_hold_time", 0)),
        )

    def routes(self, family: Family, neighbor: str) -> dict[str, Route]:
        """What it has from a neighbour."""
        table: dict[str, list[dict[str, Any]]] = self.ask("global", "rib", "-a", _WORDS[family]) or {}
        return {
            prefix: _route(path)
            for prefix, paths in table.items()
            for path in paths
            if path.get("neighbor-ip") == neighbor
        }

    def count(self, family: Family) -> int:
        """Prefixes in its table."""
        told = self.ask("global", "rib", "summary", "-a", _WORDS[family]) or {}
        return int(told.get("num_destination", 0))

    def originate(self, *prefixes: str) -> None:
        """Originate these too from now on."""
        for prefix in prefixes:
            command = ["gobgp", "global", "rib", "add", prefix, "-a", _WORDS[family_of(prefix)]]
            self.lab.run(self.host, *command)

    def _launch(self, directory: Path) -> None:
        need("gobgpd", "gobgpd", "gobgp")
        assert not self.setup.has_kernel_routes, "it needs zebra for that"
        (directory / "gobgpd.toml").write_text(_configuration(self.setup))
        own = ["--pprof-disable", "--api-hosts", "127.0.0.1:50051"]
        self._spawn("gobgpd", "gobgpd", "-f", f"{directory}/gobgpd.toml", *own)
        self._originates = False

    def _answers(self) -> bool:
        if self.ask("global") is None:
            return False
        if not self._originates:
            self._originates = True
            self.originate(*self.setup.originates)
        return True


def _route(path: dict[str, Any]) -> Route:
    attributes = {attribute["type"]: attribute for attribute in path["attrs"]}

    def value(number: int, key: str) -> Any:
        return attributes.get(number, {}).get(key)

    communities = value(_COMMUNITIES, "communities") or []
    large = value(_LARGE_COMMUNITIES, "value") or []
    return Route(
        next_hops=tuple(_hops(attributes)),
        as_path=tuple(asn for segment in value(_AS_PATH, "as_paths") or [] for asn in segment["asns"]),
        origin=_ORIGINS[value(_ORIGIN, "value")],
        local_pref=value(_LOCAL_PREF, "value"),
        med=value(_MED, "metric"),
        communities=frozenset(f"{community >> 16}:{community & 0xFFFF}" for community in communities),
        large_communities=frozenset(f"{one['ASN']}:{one['LocalData1']}:{one['LocalData2']}" for one in large),
        is_stale=path.get("stale", False),
    )


def _hops(attributes: dict[int, dict[str, Any]]) -> Iterator[str]:
    for number in (_NEXT_HOP, _MP_REACH):
        hop = attributes.get(number, {}).get("nexthop")
        if hop:
            yield str(ip_address(hop))


def _configuration(setup: Setup) -> str:
    policy = "accept-route" if any(neighbor.is_told for neighbor in setup.neighbors) else "reject-route"
    return lines_of(
        "[global.config]",
        f"as = {setup.asn}",
        f'router-id = "{setup.router_id}"',
        "[global.apply-policy.config]",
        f'default-export-policy = "{policy}"',
        *(_neighbor(neighbor) for neighbor in setup.neighbors),
    )


def _neighbor(neighbor: Neighbor) -> Iterator[str]:
    yield "[[neighbors]]"
    yield "[neighbors.config]"
    yield f'neighbor-address = "{neighbor.address}"'
    yield f"peer-as = {neighbor.remote_asn}"
    if neighbor.password is not None:
        yield f'auth-password = "{neighbor.password}"'
    yield "[neighbors.timers.config]"
    yield f"hold-time = {neighbor.hold_time}"
    yield f"keepalive-interval = {neighbor.hold_time // 3}"
    yield "connect-retry = 1"
    yield "idle-hold-time-after-reset = 1"
    yield "[neighbors.transport.config]"
    yield f"passive-mode = {str(neighbor.is_passive).lower()}"
    yield f"remote-port = {neighbor.port}"
    if neighbor.source is not None:
        yield f'local-address = "{neighbor.source}"'
    if neighbor.multihop is not None:
        yield from ("[neighbors.ebgp-multihop.config]", "enabled = true", f"multihop-ttl = {neighbor.multihop}")
    if neighbor.gtsm_hops is not None:
        yield from ("[neighbors.ttl-security.config]", "enabled = true", f"ttl-min = {256 - neighbor.gtsm_hops}")
    if neighbor.graceful_restart:
        yield from ("[neighbors.graceful-restart.config]", "enabled = true", "restart-time = 20")
    for family in neighbor.families:
        yield from _family(neighbor, family)


def _family(neighbor: Neighbor, family: Family) -> Iterator[str]:
    yield "[[neighbors.afi-safis]]"
    yield "[neighbors.afi-safis.config]"
    yield f'afi-safi-name = "{_WORDS[family]}-unicast"'
    if neighbor.graceful_restart:
        yield "[neighbors.afi-safis.mp-graceful-restart.config]"
        yield "enabled = true"
    if neighbor.maximum_prefixes is not None:
        yield "[neighbors.afi-safis.prefix-limit.config]"
        yield f"max-prefixes = {neighbor.maximum_prefixes}"
