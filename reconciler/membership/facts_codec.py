"""
Facts ↔ the few tags of text that gossip carries for each member. No I/O.

A tag that a reader does not know is passed over, so a later version may add some. One that changes what the others
mean raises the format, and is then unreadable to those before it.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

from reconciler.membership.facts import Facts
from reconciler.model.desired import SHORT_REVISION, short_revision
from reconciler.model.observed import InterfaceName, Link

# What kinship carries for one member, and every length and tag counts.
ROOM = 512
_FORMAT = "1"
_MAC_SIZE = 6
_MOST_MACS = 8
_MOST_FORMER = 3
# linux/if.h, IFNAMSIZ less the octet that ends it.
_LONGEST_NAME = 15
# A day: nobody waits longer for a node that restarts.
_LONGEST_GRACE = 86_400.0

_READY, _LEAVING, _OTHERS_UP = "r", "l", "o"


def encode_facts(facts: Facts, *, room: int = ROOM) -> dict[str, str]:
    """
    The tags that stand for those facts, in at most `room` octets; `room` is 300 or more, which all but the links take.

    Where the links do not all fit, only those without a carrier are named, as many as fit, and all others count as up.
    """
    tags = {
        "v": _FORMAT,
        "l": _revision(facts.loaded),
        "u": _revision(facts.in_use),
        "g": str(_milliseconds(facts.restart_grace)),
        "f": ",".join(sorted(map(_revision, facts.former))[:_MOST_FORMER]),
        "m": b64encode(b"".join(sorted(m for m in facts.macs if len(m) == _MAC_SIZE)[:_MOST_MACS])).decode(),
    }
    state = (_READY if facts.is_ready else "") + (_LEAVING if facts.is_leaving else "")
    down = _names(link for link in facts.links if not link.carrier)
    up = _names(link for link in facts.links if link.carrier)
    whole = {**tags, "s": state + (_OTHERS_UP if facts.others_up else ""), "d": ",".join(down), "i": ",".join(up)}
    if size(whole) <= room:
        return whole
    named = {**tags, "s": state + _OTHERS_UP, "d": "", "i": ""}
    # A length of 128 octets and more takes one octet more to write.
    named["d"] = ",".join(_as_many_as_fit(down, room - size(named) - 1))
    return named


def decode_facts(tags: Mapping[str, str]) -> Facts | None:
    """Read facts; None where they cannot be read, because a later version wrote them or nobody of ours did."""
    if tags.get("v") != _FORMAT:
        return None
    try:
        return _facts(tags)
    except (ValueError, binascii.Error):
        return None


def size(tags: Mapping[str, str]) -> int:
    """How many octets the tags take: each text with its length before it."""
    texts = [text.encode() for pair in tags.items() for text in pair]
    return sum(len(text) + (1 if len(text) < 128 else 2) for text in texts)


def _facts(tags: Mapping[str, str]) -> Facts:
    state = tags.get("s", "")
    macs = b64decode(tags.get("m", ""), validate=True)
    if len(macs) % _MAC_SIZE or len(macs) > _MOST_MACS * _MAC_SIZE:
        raise ValueError("not a list of hardware addresses")
    links = {
        **dict.fromkeys(_read_names(tags.get("i", "")), True),
        **dict.fromkeys(_read_names(tags.get("d", "")), False),
    }
    return Facts(
        loaded=_revision(tags.get("l", "")),
        in_use=_revision(tags.get("u", "")),
        is_ready=_READY in state,
        is_leaving=_LEAVING in state,
        restart_grace=_seconds(tags.get("g", "0")),
        links=frozenset(Link(name, carrier) for name, carrier in links.items()),
        others_up=_OTHERS_UP in state,
        former=_read_revisions(tags.get("f", "")),
        macs=frozenset(macs[at : at + _MAC_SIZE] for at in range(0, len(macs), _MAC_SIZE)),
    )


def _revision(text: str) -> str:
    # Half a surrogate pair is no text that could be carried.
    return short_revision(text).encode(errors="replace").decode()[:SHORT_REVISION]


def _read_revisions(text: str) -> frozenset[str]:
    revisions = [revision for revision in text.split(",") if revision]
    if len(revisions) > _MOST_FORMER:
        raise ValueError("too many former configurations")
    return frozenset(map(_revision, revisions))


def _milliseconds(seconds: float) -> int:
    # The comparison also turns away what is not a number.
    return round(min(seconds, _LONGEST_GRACE) * 1000) if seconds > 0 else 0


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(round(_LONGEST_GRACE * 1000))):
        raise ValueError("not a number of milliseconds")
    return min(int(text) / 1000, _LONGEST_GRACE)


def _names(links: Iterable[Link]) -> list[str]:
    """The names of links as they are written, sorted; without those that the kernel would give to no interface."""
    return sorted(quote(_octets(link.name), safe="") for link in links if _is_name(link.name))


def _read_names(text: str) -> list[InterfaceName]:
    names = [unquote(name, errors="surrogateescape") for name in text.split(",") if name]
    if not all(map(_is_name, names)):
        raise ValueError("not a list of interfaces")
    return [InterfaceName(name) for name in names]


def _is_name(name: str) -> bool:
    # Half a surrogate pair that stands for no octet.
    if any("\ud800" <= character <= "\udfff" and not "\udc80" <= character <= "\udcff" for character in name):
        return False
    return 0 < len(_octets(name)) <= _LONGEST_NAME


def _octets(name: str) -> bytes:
    # A name may hold octets that are no UTF-8: then this is how Python reads it.
    return name.encode(errors="surrogateescape")


def _as_many_as_fit(names: Iterable[str], room: int) -> list[str]:
    fitting: list[str] = []
    for name in names:
        room -= len(name) + bool(fitting)
        if room < 0:
            break
        fitting.append(name)
    return fitting
