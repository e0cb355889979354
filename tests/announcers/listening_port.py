"""A `Port` that keeps what was asked of it, and the network of links that a test turns by hand."""

from collections.abc import Callable, Iterable

import msgspec

from reconciler.addresses.family import parse_address
from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.announcers.port import Report, ReportKind
from reconciler.l2 import arp, ndp
from reconciler.l2.port import Claim, ClaimKind, Counts, LinkState, OnClaim
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import InterfaceName
from reconciler.model.settings import AnnouncementSettings
from reconciler.plan.actions import Announce, Withdraw

STRANGER = bytes.fromhex("020000000099")


def octets(text: str) -> bytes:
    return parse_address(text).packed


def link(name: str, *, index: int | None = None, mac: str | None = None, **more: bool) -> LinkState:
    """A link named `eth1` has index 2 and the MAC 02:00:00:00:00:02, unless said otherwise."""
    number = int(name[-1]) + 1 if index is None else index
    return LinkState(
        index=number,
        name=name,
        mac=bytes.fromhex(mac.replace(":", "")) if mac else bytes((2, 0, 0, 0, 0, number)),
        link_local=bytes.fromhex("fe80" + "00" * 13) + bytes((number,)),
        **more,
    )


class ListeningPort:
    """What `Port` asks for, and what came of it."""

    def __init__(self, state: LinkState) -> None:
        self.state = state
        self.owned: set[bytes] = set()
        self.watched: set[bytes] = set()
        self.sent: list[bytes] = []
        self.is_closed = False

    def update(self, state: LinkState) -> None:
        assert not self.is_closed
        self.state = state

    def own(self, address: bytes) -> None:
        assert not self.is_closed
        self.watched.discard(address)
        self.owned.add(address)

    def watch(self, address: bytes) -> None:
        assert not self.is_closed
        if address not in self.owned:
            self.watched.add(address)

    def disown(self, address: bytes) -> None:
        assert not self.is_closed
        self.owned.discard(address)
        self.watched.discard(address)

    def send(self, frame: bytes) -> None:
        assert not self.is_closed
        what, address = _name(frame).split()
        # Nothing is ever announced that is not answered for, and nothing asked for that is.
        assert octets(address) in (self.owned if what == "announce" else self.watched)
        self.sent.append(frame)

    def counts(self) -> Counts:
        return Counts(unasked=len(self.sent))

    def close(self) -> None:
        self.is_closed = True
        self.owned.clear()
        self.watched.clear()

    def take(self) -> list[str]:
        """What was sent since this was asked for: `probe 192.0.2.1` or `announce 192.0.2.1`, one for each frame."""
        sent, self.sent = self.sent, []
        return [_name(frame) for frame in sent]


def _name(frame: bytes) -> str:
    if frame[12:14] == b"\x08\x06":
        packet = arp.decode(frame)
        text = ".".join(str(octet) for octet in packet.target_address)
        return f"{'probe' if packet.sender_address == arp.UNSPECIFIED else 'announce'} {text}"
    message = ndp.decode(frame)
    address = parse_address(":".join(message.target.hex()[at : at + 4] for at in range(0, 32, 4)))
    return f"{'probe' if isinstance(message, ndp.NeighborSolicitation) else 'announce'} {address}"


class Network:
    """An announcer on links that are doubles, with a clock turned by hand."""

    def __init__(
        self,
        *links: LinkState,
        settings: AnnouncementSettings | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.now = 1000.0
        self.ports: dict[str, ListeningPort] = {}
        self.closed: list[ListeningPort] = []
        self.refused: set[str] = set()
        self.reports: list[Report] = []
        self.announcer = Layer2Announcer(
            self._open, settings or AnnouncementSettings(), clock or (lambda: self.now), self.reports.append
        )
        self.set_links(*links)

    def _open(self, state: LinkState, _on_claim: OnClaim) -> ListeningPort:
        if state.name in self.refused:
            raise OSError(19, "No such device")
        port = ListeningPort(state)
        self.ports[state.name] = port
        return port

    def set_links(self, *links: LinkState) -> None:
        self.announcer.links_changed(links)
        self.closed += [port for port in self.ports.values() if port.is_closed]
        self.ports = {port.state.name: port for port in self.ports.values() if not port.is_closed}

    async def announce(self, text: str, *interfaces: str, is_new: bool = False) -> None:
        await self.announcer.apply(Announce(announcement(text, interfaces), is_new=is_new))

    async def withdraw(self, text: str, *interfaces: str) -> None:
        await self.announcer.apply(Withdraw(announcement(text, interfaces)))

    def wait(self, seconds: float) -> None:
        """Turn the clock, and let the announcer do what is due when it is."""
        end = self.now + seconds
        while (deadline := self.announcer.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.announcer.tick()
        self.now = end
        self.announcer.tick()

    def claim(
        self, text: str, *, mac: bytes = STRANGER, kind: ClaimKind = ClaimKind.ARP_REPLY, on: str = "eth0"
    ) -> None:
        self.announcer.claimed(Claim(octets(text), mac, kind, on, b""))

    def open(self) -> list[str]:
        """The links that are open."""
        return sorted(name for name, port in self.ports.items() if not port.is_closed)

    def answering(self, text: str) -> list[str]:
        """The links on which an address is answered for."""
        return sorted(name for name, port in self.ports.items() if octets(text) in port.owned)

    def watching(self, text: str) -> list[str]:
        return sorted(name for name, port in self.ports.items() if octets(text) in port.watched)

    def said(self) -> list[tuple[str, str]]:
        """What was sent since this was asked for, and where."""
        return [(name, what) for name, port in sorted(self.ports.items()) for what in port.take()]

    def told(self) -> list[tuple[ReportKind, str]]:
        """What was reported since this was asked for."""
        told = [(report.kind, str(report.address)) for report in self.reports]
        self.reports.clear()
        return told

    def facts(self) -> list[tuple[str, str, str]]:
        """Address, standing, interfaces."""
        return [
            (str(fact.address), str(fact.standing), " ".join(fact.interfaces)) for fact in self.announcer.announced()
        ]


def announcement(text: str, interfaces: Iterable[str] = ()) -> L2Announcement:
    """No interfaces stand for all of them."""
    return L2Announcement(parse_address(text), frozenset(map(InterfaceName, interfaces)) or None)


def changed(state: LinkState, **fields: object) -> LinkState:
    return msgspec.structs.replace(state, **fields)
