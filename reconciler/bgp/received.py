"""
UPDATEs of a peer, read as far as it takes to notice what must end the session (RFC 7606, RFC 4271 section 6.3). No I/O.

Routes are counted, and nothing of them is kept. A route that has to be treated as withdrawn counts as withdrawn.
"""

from collections.abc import Iterator
from struct import Struct as Layout

import msgspec

from reconciler.bgp.attribute_rules import KIND_BITS, KNOWN, RULES, Outcome
from reconciler.bgp.attributes import EXTENDED_LENGTH, OPTIONAL, AttributeType
from reconciler.bgp.families import UNICAST, Family, Prefix, prefix_of
from reconciler.bgp.framing import HEADER_LENGTH, MAX_LENGTH
from reconciler.bgp.notification import Code, Notification, ProtocolError, UpdateError
from reconciler.bgp.parameters import Agreement

_FAMILY = Layout("!HB")
_BITS = {Family.IPV4: 32, Family.IPV6: 128}
_OCTETS = {Family.IPV4: 4, Family.IPV6: 16}
_FAMILIES = {(int(family), UNICAST): family for family in Family}
# RFC 4760 section 3, RFC 2545 section 3 and RFC 8950 section 4: octets of a next hop in MP_REACH_NLRI.
_NEXT_HOP_LENGTHS = {Family.IPV4: (4, 16, 32), Family.IPV6: (16, 32)}
# Octets from one prefix to the next, by the length in bits.
_STEPS = tuple(1 + (bits + 7) // 8 for bits in range(256))
# What a NOTIFICATION can quote.
_MOST_DATA = MAX_LENGTH - HEADER_LENGTH - 2
_EMPTY = b"\0\0\0\0"
_MP_REACH, _MP_UNREACH = int(AttributeType.MP_REACH_NLRI), int(AttributeType.MP_UNREACH_NLRI)
_ALWAYS = 1 << AttributeType.ORIGIN | 1 << AttributeType.AS_PATH
_WITHIN = 1 << AttributeType.LOCAL_PREF
_CLASSIC = 1 << AttributeType.NEXT_HOP
# What routes must have, a bit for each type, by whether the peer is in our AS, and some stand in the NLRI field.
_MANDATORY = {
    (False, False): _ALWAYS,
    (False, True): _ALWAYS | _CLASSIC,
    (True, False): _ALWAYS | _WITHIN,
    (True, True): _ALWAYS | _WITHIN | _CLASSIC,
}


class Routes(msgspec.Struct, frozen=True, gc=False):
    """Prefixes of one family as they stand in a message, and how many they are."""

    family: Family
    octets: bytes
    count: int

    def prefixes(self) -> Iterator[Prefix]:
        """One after the other, each in the form that it has once only."""
        at, width = 0, _OCTETS[self.family]
        while at < len(self.octets):
            length = self.octets[at]
            after = at + _STEPS[length]
            yield prefix_of(self.octets[at + 1 : after].ljust(width, bytes(1)), length)
            at = after


class Received(msgspec.Struct, frozen=True, gc=False):
    """
    What one UPDATE says of families that were agreed on.

    `end_of_rib` is the family of which the peer has told everything. `fault` says in words what was wrong with routes
    that are in `withdrawn` for that alone. `discarded` attributes were malformed or unwanted, and ignored.
    """

    announced: tuple[Routes, ...] = ()
    withdrawn: tuple[Routes, ...] = ()
    end_of_rib: Family | None = None
    fault: str | None = None
    discarded: int = 0


_END_OF_RIB = Received(end_of_rib=Family.IPV4)


def read_update(body: bytes, agreement: Agreement) -> Received:
    """
    Read the body of an UPDATE.

    Raises:
        ProtocolError: 3/1, 3/2, 3/9 or 3/10: what the message says of routes cannot be known.
    """
    if body == _EMPTY:
        return _END_OF_RIB if Family.IPV4 in agreement.families else Received()
    start, end = _attribute_block(body)
    withdrawn = _classic(body[2 : start - 2], agreement)
    reading = _Reading(agreement, has_nlri=end < len(body))
    reading.read(body, start, end)
    return reading.received(_classic(body[end:], agreement), withdrawn)


def _attribute_block(body: bytes) -> tuple[int, int]:
    """Where the path attributes begin and end."""
    start = 4 + int.from_bytes(body[:2])
    if start <= len(body):
        end = start + int.from_bytes(body[start - 2 : start])
        if end <= len(body):
            return start, end
    raise _reset(UpdateError.MALFORMED_ATTRIBUTE_LIST, "the lengths in an UPDATE exceed the message")


def _classic(octets: bytes, agreement: Agreement) -> tuple[Routes, ...]:
    """The IPv4 prefixes of the fields of RFC 4271."""
    if not octets:
        return ()
    count = _count(octets, 0, Family.IPV4)
    if count is None:
        raise _reset(UpdateError.NETWORK_FIELD, "a prefix in an UPDATE is too long, or cut off")
    return (Routes(Family.IPV4, octets, count),) if Family.IPV4 in agreement.families else ()


def _count(octets: bytes, at: int, family: Family) -> int | None:
    """How many prefixes there are from there to the end; None where they are malformed."""
    end, most, steps, count = len(octets), _BITS[family], _STEPS, 0
    while at < end:
        bits = octets[at]
        if bits > most:
            return None
        at += steps[bits]
        count += 1
    return count if at == end else None


class _Reading:
    """The path attributes of one UPDATE, one after the other."""

    __slots__ = ("announced", "discarded", "fault", "has_nlri", "seen", "session", "unreached", "withdrawn")

    def __init__(self, session: Agreement, *, has_nlri: bool) -> None:
        self.session = session
        self.has_nlri = has_nlri
        self.seen = 0  # a bit for each type
        self.announced: tuple[Routes, ...] = ()
        self.withdrawn: tuple[Routes, ...] = ()
        self.unreached: Family | None = None
        self.fault: str | None = None
        self.discarded = 0

    def read(self, body: bytes, at: int, end: int) -> None:
        # The loop that a whole table of the Internet goes through.
        session = self.session
        while at < end:
            start = at + (4 if body[at] & EXTENDED_LENGTH else 3)
            after = start + int.from_bytes(body[at + 2 : start])
            if start > end or after > end:
                self._overrun()
                return
            kind = body[at + 1]
            rule = RULES.get(kind << 8 | body[at] & KIND_BITS)
            if rule is None or self.seen >> kind & 1:
                self._read_other(body, at, start, after)
            elif (outcome := rule(body, start, after, session)) is not Outcome.ACCEPT:
                self._take(outcome, kind)
            self.seen |= 1 << kind
            at = after

    def received(self, announced: tuple[Routes, ...], withdrawn: tuple[Routes, ...]) -> Received:
        announced += self.announced
        withdrawn += self.withdrawn
        if self.fault is None and (self.has_nlri or self.announced):
            self.fault = self._missing()
        if self.fault is not None:
            announced, withdrawn = (), withdrawn + announced
        is_end = not (announced or withdrawn) and self.seen == 1 << _MP_UNREACH
        return Received(
            announced=announced,
            withdrawn=withdrawn,
            end_of_rib=self.unreached if is_end else None,
            fault=self.fault,
            discarded=self.discarded,
        )

    def _read_other(self, body: bytes, at: int, start: int, after: int) -> None:
        """What is repeated, of unknown type, has the wrong flags or is about routes of several families."""
        kind = body[at + 1]
        attribute = body[at:after]
        if self.seen >> kind & 1:
            self._repeated(kind, attribute)
        elif kind in (_MP_REACH, _MP_UNREACH):
            self._multiprotocol(kind, attribute, start - at)
        elif kind in KNOWN:
            self._take(Outcome.WITHDRAW, kind)
        elif not attribute[0] & OPTIONAL:
            raise _reset(
                UpdateError.UNRECOGNIZED_WELL_KNOWN,
                f"an UPDATE has the unknown well-known attribute {kind}",
                attribute,
            )

    def _take(self, outcome: Outcome, kind: int) -> None:
        if outcome is Outcome.DISCARD:
            self.discarded += 1
        else:
            self.fault = self.fault or f"the attribute {_name(kind)} of a route is malformed"

    def _repeated(self, kind: int, attribute: bytes) -> None:
        if kind in (_MP_REACH, _MP_UNREACH):
            raise _reset(
                UpdateError.MALFORMED_ATTRIBUTE_LIST, f"an UPDATE has the attribute {_name(kind)} twice", attribute
            )
        self.discarded += 1

    def _overrun(self) -> None:
        """An attribute is longer than all of them: what it was, and what followed, is unknown."""
        if not (self.has_nlri or self.seen & (1 << _MP_REACH | 1 << _MP_UNREACH)):
            raise _reset(
                UpdateError.MALFORMED_ATTRIBUTE_LIST, "an attribute of an UPDATE is longer than all of them together"
            )
        self.fault = "an attribute of a route is longer than all of them together"

    def _multiprotocol(self, kind: int, attribute: bytes, start: int) -> None:
        if len(attribute) - start < _FAMILY.size:
            raise _unreadable(kind, attribute)
        family = _FAMILIES.get(_FAMILY.unpack_from(attribute, start))
        if family is None or family not in self.session.families:
            self.discarded += 1
            return
        if attribute[0] & KIND_BITS != OPTIONAL:
            self._take(Outcome.WITHDRAW, kind)
        at = start + _FAMILY.size
        if kind == _MP_REACH:
            at = _after_next_hop(attribute, at, family)
        count = _count(attribute, at, family)
        if count is None:
            raise _unreadable(kind, attribute)
        routes = (Routes(family, attribute[at:], count),) if count else ()
        if kind == _MP_REACH:
            self.announced = routes
        else:
            self.withdrawn = routes
            self.unreached = family

    def _missing(self) -> str | None:
        """A well-known attribute that routes must have, and these have not (RFC 4271 section 5)."""
        needed = _MANDATORY[self.session.is_ibgp, self.has_nlri]
        if self.seen & needed == needed:
            return None
        missing = needed & ~self.seen
        return f"a route lacks the attribute {_name((missing & -missing).bit_length() - 1)}"


def _after_next_hop(attribute: bytes, at: int, family: Family) -> int:
    """Where the prefixes of MP_REACH_NLRI begin; a reserved octet precedes them."""
    if at < len(attribute) and attribute[at] in _NEXT_HOP_LENGTHS[family]:
        after = at + 1 + attribute[at] + 1
        if after <= len(attribute):
            return after
    raise _unreadable(AttributeType.MP_REACH_NLRI, attribute)


def _unreadable(kind: int, attribute: bytes) -> ProtocolError:
    return _reset(UpdateError.OPTIONAL_ATTRIBUTE, f"the attribute {_name(kind)} of an UPDATE cannot be read", attribute)


def _name(kind: int) -> str:
    return AttributeType(kind).name


def _reset(subcode: UpdateError, message: str, data: bytes = b"") -> ProtocolError:
    return ProtocolError(message, Notification(Code.UPDATE, subcode, bytes(data[:_MOST_DATA])))
