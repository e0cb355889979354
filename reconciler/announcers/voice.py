"""One link as the announcer uses it: which addresses it answers for, and what it says unasked."""

from collections.abc import Iterable

from reconciler.l2 import arp, ndp
from reconciler.l2.gratuitous import Rhythm, Schedule
from reconciler.l2.link_selection import is_selected, speaks_arp
from reconciler.l2.port import Counts, LinkState, Port

_IPV4_OCTETS = 4


def carries(link: LinkState, address: bytes, interfaces: frozenset[str] | None) -> bool:
    """Whether an address that is to be announced on these interfaces, or on all, is announced on a link."""
    if not is_selected(link, interfaces):
        return False
    return len(address) != _IPV4_OCTETS or speaks_arp(link)


class Voice:
    """An open link, its schedule, and the addresses on it. An address is 4 or 16 octets; `now` is in seconds."""

    def __init__(self, port: Port, state: LinkState, rhythm: Rhythm) -> None:
        self.state = state
        self._port = port
        self._schedule = Schedule(rhythm)
        self._owned: set[bytes] = set()
        self._watched: set[bytes] = set()

    @property
    def is_idle(self) -> bool:
        """Whether no address is here."""
        return not self._owned and not self._watched

    def holds(self, address: bytes) -> bool:
        """Whether an address is answered for here, or watched."""
        return address in self._owned or address in self._watched

    def answers(self, address: bytes) -> bool:
        """Whether an address is answered for here."""
        return address in self._owned

    def own(self, address: bytes) -> None:
        """Answer for an address from now on."""
        if address not in self._owned:
            self._owned.add(address)
            self._watched.discard(address)
            self._port.own(address)

    def announce(self, address: bytes, now: float) -> None:
        """Begin the announcements of an address, with the next `say`."""
        self._schedule.begin(address, now)

    def watch(self, address: bytes) -> None:
        """Listen for claims of an address, and do not answer for it."""
        if address in self._watched:
            return
        self.drop(address)
        self._watched.add(address)
        self._port.watch(address)

    def drop(self, address: bytes) -> None:
        """Have nothing to do with an address any more; no answer goes out after this."""
        if self.holds(address):
            self._port.disown(address)
        self._owned.discard(address)
        self._watched.discard(address)
        self._schedule.end(address)

    def hush(self, address: bytes) -> None:
        """Go on answering, but say nothing unasked."""
        self._schedule.end(address)

    def probe(self, address: bytes) -> None:
        """Ask who has an address."""
        build = arp.probe if len(address) == _IPV4_OCTETS else ndp.probe
        self._port.send(build(self.state.mac, address))

    def say(self, now: float) -> list[bytes]:
        """Announce what is due; returns the addresses."""
        due = self._schedule.due(now)
        for address in due:
            self.defend(address)
        return due

    def defend(self, address: bytes) -> None:
        """Announce an address once, out of turn."""
        mac = self.state.mac
        if len(address) == _IPV4_OCTETS:
            self._port.send(arp.gratuitous_request(mac, address))
            self._port.send(arp.gratuitous_reply(mac, address))
        else:
            self._port.send(ndp.unsolicited(mac, address, source=self.state.link_local))

    def again(self, addresses: Iterable[bytes], now: float) -> None:
        """Begin anew with those of these that are announced here."""
        self._schedule.again(addresses, now)

    def update(self, state: LinkState, now: float) -> None:
        """The link has changed: with another MAC, or a carrier again, everyone is told anew."""
        before, self.state = self.state, state
        if before == state:
            return
        self._port.update(state)
        has_carrier_again = state.has_carrier and not before.has_carrier
        if state.mac != before.mac or has_carrier_again:
            self._schedule.again(self._owned, now)

    def keep_to(self, rhythm: Rhythm) -> None:
        """Announce at this pace from now on."""
        self._schedule.rhythm = rhythm

    def deadline(self) -> float | None:
        """When `say` has something again."""
        return self._schedule.deadline()

    def counts(self) -> Counts:
        """What happened here so far."""
        return self._port.counts()

    def close(self) -> None:
        """Fall silent."""
        self._port.close()
