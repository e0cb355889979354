"""A BGP transport without a network, whose sessions a test moves by hand, and what announcer tests build most."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import parse_address
from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.events import Counts, Ended, Established, Event, State, StateChanged
from reconciler.bgp.families import Family, Prefix, prefix_text
from reconciler.bgp.notification import Cease
from reconciler.bgp.parameters import Agreement, LocalEnd, PeerRestart, SessionParameters
from reconciler.bgp.remote import Remote, remote_text
from reconciler.bgp.routes import RouteAttributes
from reconciler.bgp.transport import Neighbor, Transport, TransportError
from reconciler.model.advertisements import BGPAdvertisement, Community
from reconciler.model.announcements import RouteAnnouncement
from reconciler.model.desired import DesiredState
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.model.pools import IPAddressPool, PoolEntry
from reconciler.model.settings import Settings

HERE = Origin("x.yaml", 1, 1)


class Rib(AdjRibOut):
    """Remembers what is wanted, in words, and whether it was said that this is all."""

    def __init__(self) -> None:
        super().__init__()
        self.table: dict[str, RouteAttributes] = {}
        self.changes: list[str] = []
        self.is_settled = False

    def announce(self, family: Family, prefix: Prefix, attributes: RouteAttributes) -> None:
        super().announce(family, prefix, attributes)
        self.table[prefix_text(family, prefix)] = attributes
        self.changes.append(f"+{prefix_text(family, prefix)}")

    def withdraw(self, family: Family, prefix: Prefix) -> None:
        super().withdraw(family, prefix)
        self.table.pop(prefix_text(family, prefix), None)
        self.changes.append(f"-{prefix_text(family, prefix)}")

    def settled(self) -> None:
        super().settled()
        self.is_settled = True

    @property
    def told(self) -> int:
        return len(self.table)

    def leave(self, *, is_leaving: bool) -> None:
        super().leave(is_leaving=is_leaving)
        self.changes.append("leaving")


class Session(Neighbor):
    """One session; `log` is what was asked of it."""

    rib: Rib

    def __init__(
        self,
        parameters: SessionParameters,
        remote: Remote,
        on_event: Callable[[Event], None],
        on_problem: Callable[[str | None], None] | None,
    ) -> None:
        self.parameters = parameters
        self.remote = remote
        self.rib = Rib()
        self.log: list[Any] = []
        self._on_event, self._on_problem = on_event, on_problem
        self._state = State.IDLE
        self._agreement: Agreement | None = None
        self._problem: str | None = None
        self._local: LocalEnd | None = None
        self.found: bytes | None = remote.address
        self.on_leave: Callable[[], None] = lambda: None

    def establish(self, *, graceful: bool = False, is_on_link: bool = True, has_ipv6: bool = True) -> None:
        restart = PeerRestart(self.parameters.families, frozenset(), 120, False, False) if graceful else None
        self._agreement = Agreement(
            remote_asn=64513,
            remote_router_id=bytes((192, 0, 2, 9)),
            is_ibgp=False,
            hold_time=90.0,
            keepalive_time=30.0,
            families=self.parameters.families,
            four_octet_as=True,
            max_length=4096,
            route_refresh=True,
            enhanced_refresh=False,
            extended_next_hop=False,
            graceful_restart=restart,
        )
        self._move(State.ESTABLISHED)
        own, own_ipv6 = bytes((192, 0, 2, 10)), bytes.fromhex("20010db8000000000000000000000010")
        self._local = LocalEnd(own, own, own, own_ipv6 if has_ipv6 else None, is_on_link=is_on_link)
        self._on_event(Established(self._agreement, self._local))

    def lose(self, why: str, retry_in: float | None = 1.0) -> None:
        was_established, self._agreement = self._agreement is not None, None
        self._move(State.IDLE)
        self._on_event(Ended(why, was_established, retry_in=retry_in))

    def happen(self, event: Event) -> None:
        self._on_event(event)

    def have_problem(self, problem: str | None) -> None:
        self._problem = problem
        assert self._on_problem is not None
        self._on_problem(problem)

    def _move(self, state: State) -> None:
        before, self._state = self._state, state
        self._on_event(StateChanged(before, state))

    @property
    def state(self) -> State:
        return self._state

    @property
    def agreement(self) -> Agreement | None:
        return self._agreement

    @property
    def remote_text(self) -> str:
        return remote_text(self.remote)

    @property
    def remote_address(self) -> bytes | None:
        return self.found

    @property
    def problem(self) -> str | None:
        return self._problem

    def counts(self) -> Counts:
        return Counts(updates_sent=7, received_prefixes=3)

    def tell(self) -> None:
        self.log.append("tell")

    async def drained(self, timeout: float) -> bool:  # noqa: ARG002 - as the port has it
        self.log.append(("drained", *self.rib.changes))
        self.rib.changes.clear()
        return True

    def fail(self, subcode: Cease, why: str) -> None:
        self.log.append((subcode, why))

    async def close(self, subcode: Cease, message: str = "") -> None:
        self.log.append((subcode, message))

    async def leave(self) -> None:
        self.log.append("leave")
        self.on_leave()


class Net(Transport):
    """
    `sessions` are all that were opened, in order; `refusal` is why a port cannot be listened on; `fault` says which
    peers fail in a way that nobody has thought of.
    """

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.listening: list[Any] = []
        self.refusal: str | None = None
        self.fault: Callable[[Remote], bool] = lambda _: False

    def open(
        self,
        parameters: SessionParameters,
        remote: Remote,
        on_event: Callable[[Event], None],
        on_problem: Callable[[str | None], None] | None = None,
    ) -> Session:
        if self.fault(remote):
            raise ZeroDivisionError
        made = Session(parameters, remote, on_event, on_problem)
        self.sessions.append(made)
        return made

    def listen(self, port: int, addresses: tuple[bytes, ...] = ()) -> None:
        if self.refusal is not None:
            raise TransportError(self.refusal)
        self.listening.append((port, addresses))

    def stop_listening(self) -> None:
        self.listening.append(None)

    def close(self) -> None:
        self.listening.append("closed")


@dataclass
class Clock:
    """Turned by hand; in seconds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Secrets:
    """A cluster's Secrets; one that is missing is an error."""

    values: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def read(self, name: str) -> bytes:
        self.asked.append(name)
        if name not in self.values:
            raise TransportError(f'there is no Secret "{name}"')
        return self.values[name]


def peer(name: str = "tor", address: str = "192.0.2.9", **fields: Any) -> BGPPeer:
    plain = BGPPeer(name, 64512, peer_asn=64513, peer_address=parse_address(address), origin=HERE)
    return replace(plain, **fields)


def route(prefix: str, to: str = "tor", local_pref: int | None = None, *communities: str) -> RouteAnnouncement:
    parsed = tuple(sorted(Community.parse(one) for one in communities))
    return RouteAnnouncement(AddressRange.parse(prefix), to, local_pref, parsed)


def configured(
    *ranges: str, lengths: tuple[tuple[int, int], ...] = ((32, 128),), settings: Settings | None = None
) -> DesiredState:
    """One pool of these ranges, and an advertisement for each pair of aggregation lengths."""
    entries = tuple(PoolEntry(text, AddressRange.parse(text), HERE) for text in ranges or ("10.0.0.0/24", "fc00::/112"))
    advertisements = tuple(
        BGPAdvertisement(f"a{index}", ("p",), aggregation_length=v4, aggregation_length_v6=v6)
        for index, (v4, v6) in enumerate(lengths)
    )
    return DesiredState(
        "r",
        pools=(IPAddressPool("p", entries),),
        bgp_advertisements=advertisements,
        settings=settings or Settings(),
    )
