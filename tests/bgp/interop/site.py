"""Three routers and a namespace for our speaker, started once for all tests of this directory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from reconciler.bgp.families import Family
from reconciler.cli.lab import Lab
from tests.bgp.interop.features import (
    FAR4,
    FAR6,
    FEATURES,
    OUR_ASN,
    ROUTER_ASN,
    ROUTERS,
    SPEAKER,
    Feature,
    address_commands,
    every_session,
)
from tests.routers.bird import Bird
from tests.routers.configuration import Neighbor, Setup
from tests.routers.frr import Frr
from tests.routers.gobgp import GoBgp
from tests.routers.router import Router, running

# What the routers have of their own, and tell those that want to hear it.
ORIGINATED = ("198.51.100.128/25", "198.51.100.64/26", "198.51.100.32/27", "198.51.100.16/28")
# A host without a router, for what some tests start themselves.
SPARE = "spare"
UNNUMBERED = "eth0"


class Site:
    """The network and the routers in it, by name."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.frr = Frr(lab, "frr", _setup(lab, "frr", Neighbor(remote_asn=OUR_ASN, interface=UNNUMBERED)))
        self.bird = Bird(lab, "bird", _setup(lab, "bird"))
        self.gobgp = GoBgp(lab, "gobgp", _setup(lab, "gobgp"))
        self._used: Counter[tuple[str, str]] = Counter()

    def router(self, name: str) -> Router:
        """One of them."""
        routers: dict[str, Router] = {"frr": self.frr, "bird": self.bird, "gobgp": self.gobgp}
        return routers[name]

    def feature(self, name: str, router: str) -> Feature:
        """A feature of a router by its name, and of several copies the one that was least used."""
        feature = FEATURES[name]
        copy = self._used[name, router] % feature.copies
        self._used[name, router] += 1
        return replace(feature, number=feature.number + copy)

    def address(self, host: str, family: Family) -> str:
        """Of a host."""
        return self.lab.address(host) if family is Family.IPV4 else self.lab.address6(host)

    def counted(self, host: str, counter: str) -> int:
        """A counter of a host's kernel, by the name that nstat gives it."""
        counted = self.lab.run(host, "nstat", "-asz", counter)
        return int(counted.splitlines()[-1].split()[1])


def _setup(lab: Lab, host: str, *more: Neighbor) -> Setup:
    neighbors = (*(feature.configured for feature in every_session()), *more)
    return Setup(asn=ROUTER_ASN, router_id=lab.address(host), neighbors=neighbors, originates=ORIGINATED)


@contextmanager
def made(directory: Path) -> Iterator[Site]:
    """All of it, until the block ends. The routers listen by then."""
    with Lab(SPEAKER, *ROUTERS, SPARE) as lab:
        batch = directory / "addresses"
        batch.write_text("\n".join(address_commands()))
        lab.run(SPEAKER, "ip", "-batch", str(batch))
        for router in ROUTERS:
            lab.run(router, "ip", "route", "add", FAR4, "via", lab.address(SPEAKER))
            lab.run(router, "ip", "route", "add", FAR6, "via", lab.address6(SPEAKER))
        site = Site(lab)
        with running(site.frr, site.bird, site.gobgp):
            yield site
