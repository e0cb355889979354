"""A peer that keeps what it is told, with a reader of messages of its own, as plain as can be."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from struct import unpack
from typing import Any

from reconciler.bgp.families import Family

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Route:
    """What a peer knows of a prefix; attributes that are absent are None or empty."""

    next_hop: bytes
    as_path: tuple[int, ...]
    local_pref: int | None = None
    communities: tuple[int, ...] = ()
    large_communities: tuple[tuple[int, ...], ...] = ()


@dataclass
class Receiver:
    """
    `told` are the messages in words, one each: ("announce", the networks), ("withdraw", the networks), ("end", family),
    ("begin refresh", family), ("end refresh", family).
    """

    max_length: int = 4096
    as_octets: int = 4
    table: dict[Network, Route] = field(default_factory=dict)
    told: list[tuple[str, Any]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    repeated: list[Network] = field(default_factory=list)

    def receive(self, data: bytes) -> None:
        """Take in whole messages."""
        while data:
            assert data[:16] == b"\xff" * 16
            length, kind = unpack("!HB", data[16:19])
            assert 19 <= length <= min(self.max_length, len(data))
            self.lengths.append(length)
            body, data = data[19:length], data[length:]
            if kind == 5:
                afi, subtype, safi = unpack("!HBB", body)
                assert safi == 1
                self.told.append(({1: "begin refresh", 2: "end refresh"}[subtype], Family(afi)))
            else:
                assert kind == 2
                self._update(body)

    def words(self) -> list[str]:
        """What was told since the last time, without the networks."""
        told, self.told = [word for word, _ in self.told], []
        return told

    def _update(self, body: bytes) -> None:
        end = 2 + int.from_bytes(body[:2])
        withdrawn = [*_networks(1, body[2:end])]
        start = end + 2
        end = start + int.from_bytes(body[end:start])
        attributes = dict(_attributes(body[start:end]))
        announced = [*_networks(1, body[end:])]
        next_hop = attributes.pop(3, b"")
        if 15 in attributes:
            afi, safi = unpack("!HB", attributes[15][:3])
            assert safi == 1
            withdrawn += _networks(afi, attributes[15][3:])
            if attributes.keys() == {15} and not withdrawn:
                self.told.append(("end", Family(afi)))
                return
        if 14 in attributes:
            assert not next_hop
            assert not announced
            afi, safi, size = unpack("!HBB", attributes[14][:4])
            assert (safi, attributes[14][4 + size]) == (1, 0)
            next_hop = attributes[14][4 : 4 + size]
            announced += _networks(afi, attributes[14][5 + size :])
        if not body.strip(b"\0"):
            self.told.append(("end", Family.IPV4))
        elif withdrawn:
            assert attributes.keys() <= {15}
            self._withdraw(withdrawn)
        else:
            self._announce(announced, self._route(next_hop, attributes))

    def _withdraw(self, networks: list[Network]) -> None:
        assert networks
        for network in networks:
            # Nothing is taken back that was never told.
            del self.table[network]
        self.told.append(("withdraw", networks))

    def _announce(self, networks: list[Network], route: Route) -> None:
        assert networks
        assert len(set(networks)) == len(networks)
        self.repeated += [network for network in networks if self.table.get(network) == route]
        self.table |= dict.fromkeys(networks, route)
        self.told.append(("announce", networks))

    def _route(self, next_hop: bytes, attributes: dict[int, bytes]) -> Route:
        assert attributes[1] == b"\0"
        path, octets = attributes[2], self.as_octets
        assert not path or path[:2] == bytes((2, (len(path) - 2) // octets))
        preference = attributes.get(5)
        return Route(
            next_hop,
            tuple(int.from_bytes(path[at : at + octets]) for at in range(2, len(path), octets)),
            None if preference is None else int.from_bytes(preference),
            tuple(_numbers(attributes.get(8, b""))),
            tuple(zip(*[iter(_numbers(attributes.get(32, b"")))] * 3, strict=True)),
        )


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        wide = bool(data[0] & 0x10)
        start = 4 if wide else 3
        end = start + int.from_bytes(data[2:start])
        assert end <= len(data)
        yield data[1], data[start:end]
        data = data[end:]


def _networks(afi: int, data: bytes) -> Iterator[Network]:
    while data:
        length = data[0]
        end = 1 + (length + 7) // 8
        assert end <= len(data)
        octets = data[1:end]
        # Raises where a bit behind the length is set.
        yield (
            IPv4Network((octets.ljust(4, b"\0"), length))
            if afi == 1
            else IPv6Network((octets.ljust(16, b"\0"), length))
        )
        data = data[end:]


def _numbers(data: bytes) -> Iterator[int]:
    assert len(data) % 4 == 0
    return (int.from_bytes(data[at : at + 4]) for at in range(0, len(data), 4))
