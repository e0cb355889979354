"""Which session a packet belongs to (RFC 5880 section 6.3, RFC 5881 section 3, RFC 5883 section 4). No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from reconciler.bfd.ignored import Ignored
from reconciler.bfd.packets import ControlPacket
from reconciler.errors import ReconcilerError

# RFC 5881 section 5: nobody farther away than this link can send a packet that arrives with it.
LARGEST_TTL = 255


class PathError(ReconcilerError):
    """There is a session on this path, or on one that could not be told from it."""


@dataclass(frozen=True, slots=True)
class Path:
    """
    Between whom a session is. Addresses are 4 or 16 octets.

    `local` and `interface` (its index) narrow it down, where one peer has several sessions; None and 0 take any.
    Packets that arrive with a TTL or hop limit under `minimum_ttl` are discarded.
    """

    remote: bytes
    local: bytes | None = None
    interface: int = 0
    minimum_ttl: int = LARGEST_TTL


class Arrival(NamedTuple):
    """How a packet came: source and destination, index of the interface, TTL or hop limit."""

    remote: bytes
    local: bytes
    interface: int
    ttl: int


T = TypeVar("T")


class Sessions(Generic[T]):
    """Sessions of one port by our discriminator, and by their paths for those who do not know it yet."""

    def __init__(self) -> None:
        self._by_discriminator: dict[int, tuple[Path, T]] = {}
        self._by_path: dict[tuple[bytes, bytes | None, int], int] = {}

    def __contains__(self, discriminator: int) -> bool:
        return discriminator in self._by_discriminator

    def __iter__(self) -> Iterator[T]:
        return iter([session for _, session in self._by_discriminator.values()])

    def __len__(self) -> int:
        return len(self._by_discriminator)

    def add(self, discriminator: int, path: Path, session: T) -> None:
        """
        A session exists from now on.

        Raises:
            PathError: Another one has this path.
        """
        key = path.remote, path.local, path.interface
        if key in self._by_path:
            raise PathError("two sessions on one path")
        self._by_path[key] = discriminator
        self._by_discriminator[discriminator] = path, session

    def remove(self, discriminator: int) -> None:
        """It exists no more; nothing happens where it did not."""
        path, _ = self._by_discriminator.pop(discriminator, (None, None))
        if path is not None:
            del self._by_path[path.remote, path.local, path.interface]

    def find(self, packet: ControlPacket, arrival: Arrival) -> T | Ignored:
        """The session that a packet is for, or why it is discarded."""
        discriminator = packet.your_discriminator
        if discriminator == 0:
            discriminator = self._by_arrival(arrival)
        found = self._by_discriminator.get(discriminator)
        if found is None:
            return Ignored.NO_SESSION
        path, session = found
        return session if arrival.ttl >= path.minimum_ttl else Ignored.TIME_TO_LIVE

    def _by_arrival(self, arrival: Arrival) -> int:
        """The discriminator of the session with the narrowest path that fits; 0 where none does."""
        for local in (arrival.local, None):
            for interface in (arrival.interface, 0):
                found = self._by_path.get((arrival.remote, local, interface))
                if found is not None:
                    return found
        return 0
