"""What gossip says to another member directly, around what the speaker has to say: encoding, and names. No I/O."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

import msgspec

from reconciler.membership.facts import Facts
from reconciler.membership.facts_codec import ROOM, decode_facts, encode_facts, size
from reconciler.model.observed import NodeName

# The longest name that kinship gives a member, in octets.
_LONGEST_NAME = 64
_SEQUENCE, _NODE = "q", "n"
_MOST_DIGITS = 15
# Tags of so many members, of 512 octets at most.
_MOST_REMEMBERED = 512


class Told(msgspec.Struct, frozen=True, tag="m", array_like=True):
    """Something of the speaker's own."""

    data: bytes


class Published(msgspec.Struct, frozen=True, tag="f", array_like=True):
    """The tags that one run of the sender has just given itself: gossip brings the same ones later."""

    epoch: int
    tags: dict[str, str]


class Apart(msgspec.Struct, frozen=True, tag="a", array_like=True):
    """The sender believed the receiver dead until now: others may have taken its addresses over meanwhile."""


Envelope = Told | Published | Apart

_DECODER = msgspec.msgpack.Decoder(Envelope)


def seal(envelope: Envelope) -> bytes:
    """The octets of an envelope."""
    return msgspec.msgpack.encode(envelope)


def unseal(data: bytes) -> Envelope | None:
    """Read an envelope; None where the octets are none, or one of a later version."""
    try:
        envelope: Envelope = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return envelope


def member_name(node: NodeName) -> str:
    """What a node is called among the members: by its name, or where that is too long by its digest."""
    return node if len(node.encode()) <= _LONGEST_NAME else sha256(node.encode()).hexdigest()


def node_of(name: str, tags: Mapping[str, str]) -> NodeName:
    """The node that a member stands for: its tags have the name where it is too long for a member's."""
    node = NodeName(tags.get(_NODE, ""))
    return node if member_name(node) == name else NodeName(name)


def tags_of(node: NodeName, facts: Facts, sequence: int) -> dict[str, str]:
    """
    All tags of a member: its facts, and the number that rises whenever they change.

    A node's name may have 253 octets (Kubernetes); in any case the tags fit.
    """
    tags = {_SEQUENCE: str(sequence)}
    if member_name(node) != node:
        tags[_NODE] = node
    return {**encode_facts(facts, room=ROOM - size(tags)), **tags}


def read_tags(tags: Mapping[str, str]) -> tuple[int, Facts | None]:
    """The number of a member's facts and the facts; 0 and None where they cannot be read."""
    return _read(tuple(tags.items()))


# A pass asks for all members several times, and they hardly ever say anything new.
@lru_cache(maxsize=_MOST_REMEMBERED)
def _read(pairs: tuple[tuple[str, str], ...]) -> tuple[int, Facts | None]:
    tags = dict(pairs)
    text = tags.get(_SEQUENCE, "")
    sequence = int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 0
    return sequence, decode_facts(tags)
