"""A switch that is cut in parts, loses and reorders frames; and clients that believe what Linux believes of ARP."""

from collections.abc import Callable, Iterable
from random import Random

from reconciler.l2 import arp
from reconciler.l2.ethernet import BROADCAST, NO_MAC
from tests.simulation.timeline import Timeline

# net.ipv4.neigh.default.locktime: so many seconds an entry is not changed by what is no announcement.
_LOCKTIME = 1.0
# After so many seconds without a confirmation a client asks the host that it knows again.
_STALE = 20.0


class Switch:
    """Hosts by name, each on an island: frames stay there. `loss` is the share of frames that get lost."""

    def __init__(self, timeline: Timeline, chance: Random, loss: float) -> None:
        self.chance = chance
        self.loss = loss
        self._timeline = timeline
        self._islands: dict[str, int] = {}
        self._receive: dict[str, Callable[[bytes], None]] = {}
        self._on: set[str] = set()
        self._macs: dict[str, bytes] = {}

    def turn_on(self, host: str) -> None:
        """The host runs, whether it listens for frames already or not."""
        self._islands.setdefault(host, 0)
        self._on.add(host)

    def turn_off(self, host: str) -> None:
        """It does not any more."""
        self._on.discard(host)
        self.unplug(host)

    def plug(self, host: str, mac: bytes, receive: Callable[[bytes], None]) -> None:
        """Frames for a host that is on are handed to this from now on."""
        self._macs[host], self._receive[host] = mac, receive

    def unplug(self, host: str) -> None:
        """Frames are not heard there any more."""
        self._receive.pop(host, None)

    def split(self, islands: dict[str, int]) -> None:
        """Put hosts on islands; who is not named stays where it is."""
        self._islands.update(islands)

    def island(self, host: str) -> int:
        """Where a host is."""
        return self._islands[host]

    def are_connected(self, one: str, other: str) -> bool:
        """Whether both are on, and on the same island."""
        return one in self._on and other in self._on and self._islands[one] == self._islands[other]

    def send(self, sender: str, frame: bytes) -> None:
        """Carry a frame to whom it is for; each takes its own time, so frames overtake each other."""
        for host in [host for host in self._receive if host != sender and frame[:6] in (BROADCAST, self._macs[host])]:
            if self.chance.random() >= self.loss:
                self._timeline.after(self.chance.uniform(0.0001, 0.001), self._arrival(sender, host, frame))

    def _arrival(self, sender: str, host: str, frame: bytes) -> Callable[[], None]:
        def arrive() -> None:
            if self.are_connected(sender, host) and host in self._receive:
                self._receive[host](frame)

        return arrive


class Client:
    """A host with a neighbour cache: `cache` is the MAC and when it last changed, by address."""

    def __init__(self, name: str, number: int, timeline: Timeline, switch: Switch) -> None:
        self.name = name
        self.cache: dict[bytes, tuple[bytes, float]] = {}
        self._mac = bytes((2, 0, 0, 0, 1, number))
        self._address = bytes((192, 0, 2, 200 + number))
        self._confirmed: dict[bytes, float] = {}
        self._timeline = timeline
        self._switch = switch
        switch.turn_on(name)
        switch.plug(name, self._mac, self.receive)

    def use(self, addresses: Iterable[bytes]) -> None:
        """Send something to each: whoever is not known is asked for, and who was long not heard of, asked himself."""
        now = self._timeline.now
        for address in addresses:
            entry = self.cache.get(address)
            if entry is None:
                self._ask(address, BROADCAST)
            elif now - self._confirmed.get(address, 0.0) > _STALE:
                self._ask(address, entry[0])
                self._timeline.after(1.0, self._giving_up(address, now))

    def _giving_up(self, address: bytes, since: float) -> Callable[[], None]:
        def give_up() -> None:
            if self._confirmed.get(address, 0.0) < since:
                self.cache.pop(address, None)
                self._ask(address, BROADCAST)

        return give_up

    def _ask(self, address: bytes, destination: bytes) -> None:
        packet = arp.ArpPacket(
            destination=destination,
            source=self._mac,
            operation=arp.Operation.REQUEST,
            sender_mac=self._mac,
            sender_address=self._address,
            target_mac=NO_MAC,
            target_address=address,
        )
        self._switch.send(self.name, arp.encode(packet))

    def receive(self, frame: bytes) -> None:
        """Learn as a Linux host does (measured): announcements always, everything else from entries older than 1 s."""
        packet, now = arp.decode(frame), self._timeline.now
        address, mac = packet.sender_address, packet.sender_mac
        is_answer = packet.operation == arp.Operation.REPLY and packet.target_address == self._address
        is_announcement = packet.target_address == address and (
            packet.operation == arp.Operation.REQUEST or packet.target_mac == mac
        )
        entry = self.cache.get(address)
        if entry is None:
            # Nobody learns what he has not asked for.
            if is_answer:
                self.cache[address], self._confirmed[address] = (mac, now), now
        elif is_announcement or now - entry[1] >= _LOCKTIME:
            self.cache[address] = entry if entry[0] == mac else (mac, now)
            self._confirmed[address] = now
