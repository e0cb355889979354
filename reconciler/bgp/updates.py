"""
UPDATE messages as we write them: many prefixes in each, as full as the session allows (RFC 4271 4.3, RFC 4760). No I/O.

IPv4 routes with an IPv4 next hop stand in the fields of RFC 4271, all others in MP_REACH_NLRI and MP_UNREACH_NLRI.
"""

from typing import TypeVar

from reconciler.bgp.attributes import PathAttributes, mp_unreach
from reconciler.bgp.families import Family, Prefix
from reconciler.bgp.framing import HEADER_LENGTH, MessageType, message

_Value = TypeVar("_Value")

# Octets: the header, and the lengths of the withdrawn routes and of the attributes.
_FRAME = HEADER_LENGTH + 2 + 2
# Of an attribute with a length of two octets: flags, type, length.
_ATTRIBUTE_HEADER = 4
_LONGEST = {Family.IPV4: 1 + 4, Family.IPV6: 1 + 16}


class UpdateForm:
    """
    How the routes of one family are written in one session.

    `longest` is the most octets that a prefix takes, `withdrawal_room` what the prefixes of one withdrawal may take.
    """

    def __init__(self, family: Family, next_hop: bytes, max_length: int) -> None:
        self.longest = _LONGEST[family]
        self._family = family
        self._max_length = max_length
        self._is_classic = family is Family.IPV4 and len(next_hop) == 4
        around = 0 if self._is_classic else len(mp_unreach(family)) - 3 + _ATTRIBUTE_HEADER
        self.withdrawal_room = max_length - _FRAME - around

    def room(self, attributes: PathAttributes) -> int:
        """Octets that prefixes may take in a message that announces them with these attributes."""
        room = self._max_length - _FRAME - len(attributes.others)
        if attributes.reach is None:
            return room
        room -= _ATTRIBUTE_HEADER + len(attributes.reach)
        # A short attribute has a header that is shorter by one.
        return room + 1 if len(attributes.reach) + room < 0xFF else room

    def announcement(self, attributes: PathAttributes, prefixes: bytes) -> bytes:
        """A message that announces."""
        return _update(attributes=attributes.block(prefixes), prefixes=prefixes if attributes.reach is None else b"")

    def withdrawal(self, prefixes: bytes) -> bytes:
        """A message that withdraws."""
        if self._is_classic:
            return _update(withdrawn=prefixes)
        return _update(attributes=mp_unreach(self._family, prefixes))


def end_of_rib(family: Family) -> bytes:
    """All routes of a family have been told (RFC 4724 section 2)."""
    return _update() if family is Family.IPV4 else _update(attributes=mp_unreach(family))


def take_prefixes(source: dict[Prefix, _Value], room: int, longest: int) -> list[Prefix]:
    """
    Take prefixes out of a table, the last ones first, until the next one would not fit.

    Args:
        source: By prefix; not empty.
        room: Octets; at least `longest`.
        longest: The most octets that one of them takes.
    """
    taken: list[Prefix] = []
    # As many as fit for certain at once: nearly all there will be, as most prefixes are as long as can be.
    while source and room >= longest:
        part = [source.popitem()[0] for _ in range(min(room // longest, len(source)))]
        room -= len(b"".join(part))
        taken += part
    while source:
        prefix, value = source.popitem()
        room -= len(prefix)
        if room < 0:
            source[prefix] = value
            break
        taken.append(prefix)
    return taken


def _update(*, withdrawn: bytes = b"", attributes: bytes = b"", prefixes: bytes = b"") -> bytes:
    parts = (len(withdrawn).to_bytes(2), withdrawn, len(attributes).to_bytes(2), attributes, prefixes)
    return message(MessageType.UPDATE, b"".join(parts))
