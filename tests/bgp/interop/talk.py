"""Our speaker in its namespace, and its sessions with the routers."""

import asyncio
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import TypeVar

from reconciler.bgp.events import Ended, Established, Event
from reconciler.bgp.families import Family, Prefix, prefix_of
from reconciler.bgp.notification import Cease
from reconciler.bgp.parameters import Agreement, LocalEnd, SessionParameters
from reconciler.bgp.routes import RouteAttributes
from reconciler.bgp.transport import Neighbor, Remote, Transport
from tests.bgp.interop.features import PASSWORD, ROUTER_ASN, Feature
from tests.bgp.interop.site import Site
from tests.routers.configuration import family_of
from tests.routers.router import Route, Router

PLAIN = RouteAttributes()
PATIENCE = 20.0
# The shortest wait between attempts that can be asked for; tests do not want to wait for more.
RETRY = 1.0
Found = TypeVar("Found")


async def until(condition: Callable[[], Found], what: Callable[[], object] | str) -> Found:
    """Ask until the answer is true, and give it. `what` is told when it never was."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + PATIENCE
    while not (found := condition()):
        assert loop.time() < ends, f"never: {what if isinstance(what, str) else what()}"
        await asyncio.sleep(0.01)
    return found


def octets(address: str) -> bytes:
    """An address as the room `bgp` has it."""
    return ip_address(address).packed


def text(address: bytes | None) -> str | None:
    """An address as people have it."""
    return None if address is None else str(ip_address(address))


def prefix(written: str) -> tuple[Family, Prefix]:
    """A prefix as the room `bgp` has it."""
    network = ip_network(written)
    return family_of(written), prefix_of(network.network_address.packed, network.prefixlen)


class Talk:
    """One session of ours, or the search for it, and what was reported of it."""

    def __init__(self, transport: Transport, parameters: SessionParameters, remote: Remote) -> None:
        self.events: list[Event] = []
        self.neighbor: Neighbor = transport.open(parameters, remote, self.events.append)

    def announce(self, *prefixes: str, attributes: RouteAttributes = PLAIN) -> None:
        """The peer should hear of these."""
        for written in prefixes:
            self.neighbor.rib.announce(*prefix(written), attributes)
        self.neighbor.tell()

    def withdraw(self, *prefixes: str) -> None:
        """The peer should not hear of these any more."""
        for written in prefixes:
            self.neighbor.rib.withdraw(*prefix(written))
        self.neighbor.tell()

    def settle(self) -> None:
        """What was announced is complete."""
        self.neighbor.rib.settled()
        self.neighbor.tell()

    async def established(self, times: int = 1) -> Agreement:
        """What was agreed on, once a session was there so many times."""
        await until(lambda: len(self._of(Established)) >= times, lambda: f"{times} sessions; {self.events}")
        return self._of(Established)[times - 1].agreement

    async def ended(self) -> Ended:
        """How the first attempt, or the first session, has ended."""
        await until(lambda: self._of(Ended), lambda: f"the end of a session; {self.events}")
        return self._of(Ended)[0]

    @property
    def ends(self) -> list[Ended]:
        """How all of them have ended so far."""
        return self._of(Ended)

    @property
    def local(self) -> LocalEnd:
        """Our end of the session."""
        assert self.neighbor.local is not None
        return self.neighbor.local

    def _of(self, kind: type[Found]) -> list[Found]:
        return [event for event in self.events if isinstance(event, kind)]


class RouterTalk(Talk):
    """One with a router that has us configured, and whose table may be read."""

    def __init__(
        self, transport: Transport, parameters: SessionParameters, remote: Remote, router: Router, feature: Feature
    ) -> None:
        super().__init__(transport, parameters, remote)
        self.router = router
        self.feature = feature
        self.us = feature.address

    async def table(self, *prefixes: str) -> dict[str, Route]:
        """What the router has from us, once it has these and no others, and would use them."""
        await until(lambda: self._is_used(set(prefixes)), lambda: f"{prefixes}; {self.routes()}; {self.events}")
        return self.routes()

    def _is_used(self, prefixes: set[str]) -> bool:
        # FRR asks about a next hop that is new to it, and does not wait for the answer.
        routes = self.routes()
        return set(routes) == prefixes and all(route.is_valid for route in routes.values())

    async def route(self, prefix: str) -> Route:
        """What it has from us, once that is one route to this."""
        return (await self.table(prefix))[prefix]

    async def said(self, *words: str) -> None:
        """Wait until the router says all of that about the end of our session."""
        await until(lambda: all(word in self._said() for word in words), lambda: f"{words} in {self._said()!r}")

    def routes(self) -> dict[str, Route]:
        """What the router has from us at the moment."""
        return self.router.routes(Family.IPV4, self.us) | self.router.routes(Family.IPV6, self.us)

    def _said(self) -> str:
        return self.router.session(self.us).said


class Speaker:
    """Our side of everything. Made while the thread is in the speaker's namespace, where it has to stay."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.transport = Transport("speaker")
        self._talks: list[Talk] = []

    def open(
        self,
        name: str,
        router: str,
        parameters: Callable[[SessionParameters], SessionParameters] = lambda ours: ours,
        remote: Callable[[Remote], Remote] = lambda there: there,
        again: "RouterTalk | None" = None,
    ) -> RouterTalk:
        """
        Talk to a router by one of its features.

        Args:
            name: Of the feature.
            router: Its name.
            parameters: Changes what the feature asks for.
            remote: Changes that too.
            again: Whose address to use, when it has ended.
        """
        feature = again.feature if again is not None else self.site.feature(name, router)
        ours, there = parameters(_parameters(feature)), remote(self._remote(feature, router))
        talk = RouterTalk(self.transport, ours, there, self.site.router(router), feature)
        self._talks.append(talk)
        return talk

    def open_raw(self, parameters: SessionParameters, remote: Remote) -> Talk:
        """Talk to anybody."""
        talk = Talk(self.transport, parameters, remote)
        self._talks.append(talk)
        return talk

    async def close(self) -> None:
        """End all sessions, so that nothing of them is left in the routers, and close everything."""
        closing: Iterable[object] = (talk.neighbor.close(Cease.PEER_DECONFIGURED) for talk in self._talks)
        await asyncio.gather(*closing)  # type: ignore[call-overload] # a list of coroutines
        self.transport.close()

    def _remote(self, feature: Feature, router: str) -> Remote:
        return Remote(
            octets(self.site.address(router, feature.over)),
            source=octets(feature.address),
            password=PASSWORD.encode() if feature.neighbor.password is not None else None,
            hops=feature.neighbor.gtsm_hops,
        )


def _parameters(feature: Feature) -> SessionParameters:
    neighbor = feature.neighbor
    return SessionParameters(
        local_asn=neighbor.remote_asn,
        remote_asn=ROUTER_ASN,
        families=frozenset(neighbor.families),
        connect_retry_time=RETRY,
        is_multihop=neighbor.multihop is not None,
    )
