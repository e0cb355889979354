"""
Whether a path attribute of a peer is well-formed, and what follows if it is not (RFC 7606 sections 3, 4 and 7). No I/O.

MP_REACH_NLRI and MP_UNREACH_NLRI are not here: they have routes in them.
"""

from collections.abc import Callable
from enum import Enum, auto

from reconciler.bgp.attributes import OPTIONAL, TRANSITIVE, AttributeType
from reconciler.bgp.parameters import Agreement


class Outcome(Enum):
    """What becomes of an attribute, or of its routes."""

    ACCEPT = auto()
    DISCARD = auto()
    WITHDRAW = auto()  # treat the routes as withdrawn


# Given the octets, where the value begins and ends, and the session.
Rule = Callable[[bytes, int, int, Agreement], Outcome]

KIND_BITS = OPTIONAL | TRANSITIVE
_LAST_ORIGIN = 2
_SEGMENT_TYPES = range(1, 5)


def _origin(body: bytes, start: int, after: int, _agreement: Agreement) -> Outcome:
    return Outcome.ACCEPT if after - start == 1 and body[start] <= _LAST_ORIGIN else Outcome.WITHDRAW


def _as_path(body: bytes, start: int, after: int, agreement: Agreement) -> Outcome:
    width = 4 if agreement.four_octet_as else 2
    return Outcome.ACCEPT if _are_segments(body, start, after, width) else Outcome.WITHDRAW


def _as4_path(body: bytes, start: int, after: int, agreement: Agreement) -> Outcome:
    # RFC 6793 section 6: whoever speaks four octets must not send it.
    is_wanted = not agreement.four_octet_as
    return Outcome.ACCEPT if is_wanted and _are_segments(body, start, after, 4) else Outcome.DISCARD


def _are_segments(body: bytes, at: int, after: int, width: int) -> bool:
    while at < after:
        if after - at < 2 or body[at] not in _SEGMENT_TYPES or not body[at + 1]:
            return False
        at += 2 + body[at + 1] * width
    return at == after


def _of_length(length: int, otherwise: Outcome) -> Rule:
    def rule(_body: bytes, start: int, after: int, _agreement: Agreement) -> Outcome:
        return Outcome.ACCEPT if after - start == length else otherwise

    return rule


def _multiple_of(length: int) -> Rule:
    def rule(_body: bytes, start: int, after: int, _agreement: Agreement) -> Outcome:
        return Outcome.ACCEPT if after > start and (after - start) % length == 0 else Outcome.WITHDRAW

    return rule


def _within_our_as(rule: Rule) -> Rule:
    """Such an attribute does not cross the border of an AS: from beyond it, it is ignored."""

    def internal(body: bytes, start: int, after: int, agreement: Agreement) -> Outcome:
        return rule(body, start, after, agreement) if agreement.is_ibgp else Outcome.DISCARD

    return internal


def _aggregator(_body: bytes, start: int, after: int, agreement: Agreement) -> Outcome:
    return Outcome.ACCEPT if after - start == (8 if agreement.four_octet_as else 6) else Outcome.DISCARD


_WELL_KNOWN, _NON_TRANSITIVE, _OPTIONAL_TRANSITIVE = TRANSITIVE, OPTIONAL, OPTIONAL | TRANSITIVE

# The optional and transitive bits that each must have, and what its value must be.
_BY_TYPE: dict[AttributeType, tuple[int, Rule]] = {
    AttributeType.ORIGIN: (_WELL_KNOWN, _origin),
    AttributeType.AS_PATH: (_WELL_KNOWN, _as_path),
    AttributeType.NEXT_HOP: (_WELL_KNOWN, _of_length(4, Outcome.WITHDRAW)),
    AttributeType.MED: (_NON_TRANSITIVE, _of_length(4, Outcome.WITHDRAW)),
    AttributeType.LOCAL_PREF: (_WELL_KNOWN, _within_our_as(_of_length(4, Outcome.WITHDRAW))),
    AttributeType.ATOMIC_AGGREGATE: (_WELL_KNOWN, _of_length(0, Outcome.DISCARD)),
    AttributeType.AGGREGATOR: (_OPTIONAL_TRANSITIVE, _aggregator),
    AttributeType.COMMUNITIES: (_OPTIONAL_TRANSITIVE, _multiple_of(4)),
    AttributeType.ORIGINATOR_ID: (_NON_TRANSITIVE, _within_our_as(_of_length(4, Outcome.WITHDRAW))),
    AttributeType.CLUSTER_LIST: (_NON_TRANSITIVE, _within_our_as(_multiple_of(4))),
    AttributeType.EXTENDED_COMMUNITIES: (_OPTIONAL_TRANSITIVE, _multiple_of(8)),
    AttributeType.AS4_PATH: (_OPTIONAL_TRANSITIVE, _as4_path),
    AttributeType.AS4_AGGREGATOR: (_OPTIONAL_TRANSITIVE, _of_length(8, Outcome.DISCARD)),
    AttributeType.LARGE_COMMUNITY: (_OPTIONAL_TRANSITIVE, _multiple_of(12)),
    AttributeType.ONLY_TO_CUSTOMER: (_OPTIONAL_TRANSITIVE, _of_length(4, Outcome.WITHDRAW)),
}

# By the type, eight bits up, and the bits of the kind: what has others is malformed.
RULES = {int(kind) << 8 | bits: rule for kind, (bits, rule) in _BY_TYPE.items()}
KNOWN = frozenset(int(kind) for kind in _BY_TYPE)
