"""
Which links of a node are used for announcements, and why the others are not. Pure.

Whether a link that is used has a carrier is another question: it decides who may announce, not where.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from reconciler.l2.port import LinkState


class NotUsed(StrEnum):
    """Why nothing is announced on a link; the words are shown in the status."""

    EXCLUDED = "excluded"  # by announcements.excludedInterfaces
    LOOPBACK = "loopback"
    ENSLAVED = "enslaved"  # a port of a bridge, a bond or a team, whose master is used instead
    NO_ARP = "no-arp"  # the link resolves no addresses: a tunnel, the device of a VRF
    NO_MAC = "no-mac"
    DOWN = "down"


class Exclusion(msgspec.Struct, frozen=True):
    """Names of links that are not used: regular expressions, found anywhere in the name."""

    patterns: tuple[re.Pattern[str], ...] = ()

    def covers(self, name: str) -> bool:
        """Whether a link of this name is left alone."""
        return any(pattern.search(name) for pattern in self.patterns)


def compile_exclusion(patterns: Sequence[str]) -> Exclusion:
    """
    Make one test of regular expressions; without any, no link is excluded.

    Raises:
        re.error: One of them is no regular expression. The configuration is checked before it comes here.
    """
    # One by one: joined, a flag such as (?i) would stand where it is not allowed.
    return Exclusion(tuple(re.compile(pattern) for pattern in patterns))


def why_not_used(link: LinkState, exclusion: Exclusion) -> NotUsed | None:
    """Why nothing is announced on a link; None where something may be. What an administrator set is named first."""
    reasons = (
        (exclusion.covers(link.name), NotUsed.EXCLUDED),
        (link.is_loopback, NotUsed.LOOPBACK),
        (link.is_enslaved, NotUsed.ENSLAVED),
        (not link.has_arp, NotUsed.NO_ARP),
        (not link.mac, NotUsed.NO_MAC),
        (not link.is_up, NotUsed.DOWN),
    )
    return next((reason for applies, reason in reasons if applies), None)


def used_links(links: Iterable[LinkState], exclusion: Exclusion) -> tuple[LinkState, ...]:
    """The links on which something may be announced, in the order given."""
    return tuple(link for link in links if why_not_used(link, exclusion) is None)


def speaks_arp(link: LinkState) -> bool:
    """Whether IPv4 addresses are announced on a link that is used: a question reaches us by broadcast only."""
    return link.has_broadcast


def is_selected(link: LinkState, interfaces: frozenset[str] | None) -> bool:
    """Whether an advertisement names a link; None names all of them."""
    return interfaces is None or link.name in interfaces
