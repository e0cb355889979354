"""ExaBGP, a speaker that is not ours: what a router takes from it, the router must take from us too."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from reconciler.bgp.families import Family
from reconciler.cli.lab import Lab
from tests.routers.configuration import Neighbor, Setup, family_of
from tests.routers.router import UNKNOWN, Route, Router, Session, lines_of, need

_WORDS = {Family.IPV4: "ipv4 unicast", Family.IPV6: "ipv6 unicast"}


class ExaBgp(Router):
    """
    ExaBGP, which dials and never listens. It keeps no table and cannot be asked: ask the router it talks to.

    `attributes` are those of all its routes, in its language.
    """

    name: ClassVar[str] = "exabgp"

    def __init__(self, lab: Lab, host: str, setup: Setup, attributes: str = "") -> None:
        super().__init__(lab, host, setup)
        self._attributes = attributes

    def session(self, neighbor: str) -> Session:
        """It does not tell."""
        del neighbor
        return UNKNOWN

    def routes(self, family: Family, neighbor: str) -> dict[str, Route]:
        """It keeps none."""
        del family, neighbor
        return {}

    def count(self, family: Family) -> int:
        """It keeps none."""
        del family
        return 0

    def originate(self, *prefixes: str) -> None:
        """Not while it runs."""
        raise NotImplementedError

    def _launch(self, directory: Path) -> None:
        need("exabgp", "exabgp")
        (directory / "exabgp.conf").write_text(self._configuration())
        own = ["env", "exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.tcp.bind="]
        self._spawn("exabgp", *own, "exabgp", f"{directory}/exabgp.conf")

    @property
    def is_ready(self) -> bool:
        """It was started, which is all there is to know."""
        return True

    def _answers(self) -> bool:
        return True

    def _configuration(self) -> str:
        return lines_of(*(self._neighbor(neighbor) for neighbor in self.setup.neighbors))

    def _neighbor(self, neighbor: Neighbor) -> Iterator[str]:
        assert neighbor.address is not None
        is_ipv6 = family_of(neighbor.address) is Family.IPV6
        source = neighbor.source or (self.lab.address6 if is_ipv6 else self.lab.address)(self.host)
        yield f"neighbor {neighbor.address} {{"
        yield f"  router-id {self.setup.router_id}; local-address {source};"
        yield f"  local-as {self.setup.asn}; peer-as {neighbor.remote_asn}; hold-time {neighbor.hold_time};"
        if neighbor.password is not None:
            yield f'  md5-password "{neighbor.password}"; md5-base64 false;'
        if neighbor.multihop is not None:
            yield f"  outgoing-ttl {neighbor.multihop};"
        if neighbor.graceful_restart:
            yield "  capability { graceful-restart 30; route-refresh enable; }"
        yield f"  family {{ {' '.join(f'{_WORDS[family]};' for family in neighbor.families)} }}"
        yield "  static {"
        for prefix in self.setup.originates:
            own = self.lab.address6 if family_of(prefix) is Family.IPV6 else self.lab.address
            yield f"    route {prefix} next-hop {own(self.host)} {self._attributes};"
        yield "  }"
        yield "}"
