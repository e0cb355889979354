"""Two BGPAdvertisements must not give one route two local preferences."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from reconciler.addresses.family import Family
from reconciler.config.shared_nodes import NodeKeys
from reconciler.model.advertisements import BGPAdvertisement
from reconciler.model.pools import IPAddressPool

_EVERY_PEER, _ANY_PEER = "every peer", "any peer"


@dataclass(frozen=True, slots=True)
class LocalPrefConflict:
    """Two advertisements of one pool that would send the same route with different local preferences."""

    earlier: BGPAdvertisement
    later: BGPAdvertisement
    pool: str

    def __str__(self) -> str:
        return (
            f"invalid local preference {self.later.local_pref}: local preference {self.earlier.local_pref} was already "
            f'set for the same type of BGP update of pool "{self.pool}" by BGPAdvertisement "{self.earlier.name}"; '
            "give both the same localPref, or separate them by peers, nodes or aggregation length"
        )


def local_pref_conflicts(
    advertisements: Iterable[BGPAdvertisement], pools: Iterable[IPAddressPool], node_keys: NodeKeys
) -> Iterator[LocalPrefConflict]:
    """
    Each advertisement that conflicts, with the first by name that it conflicts with; a pair is named once.

    Those with service selectors are left out: whether they conflict depends on the Service.
    """
    plain = [a for a in sorted(advertisements, key=lambda a: a.name) if not a.service_selectors]
    if len({a.local_pref for a in plain}) < 2:
        return
    seen: set[tuple[str, str]] = set()
    for pool, meeting in _meetings(plain, pools):
        for earlier, later in _pairs(meeting, pool, node_keys):
            if (earlier.name, later.name) not in seen:
                seen.add((earlier.name, later.name))
                yield LocalPrefConflict(earlier, later, pool.name)


def _meetings(
    advertisements: Sequence[BGPAdvertisement], pools: Iterable[IPAddressPool]
) -> Iterator[tuple[IPAddressPool, list[BGPAdvertisement]]]:
    """The advertisements that meet on some pool, once for pools that look alike to this rule."""
    by_choice: dict[tuple[str, ...], list[BGPAdvertisement]] = {}
    for advertisement in advertisements:
        by_choice.setdefault(advertisement.pools, []).append(advertisement)
    choices: dict[str, list[tuple[str, ...]]] = {}
    for choice in by_choice:
        for name in choice:
            choices.setdefault(name, []).append(choice)
    seen: set[tuple[frozenset[Family], tuple[int, ...]]] = set()
    for pool in pools:
        found = choices.get(pool.name, [])
        alike = (_families(pool), tuple(map(id, found)))
        if alike in seen:
            continue
        seen.add(alike)
        meeting = [advertisement for choice in found for advertisement in by_choice[choice]]
        if len({advertisement.local_pref for advertisement in meeting}) > 1:
            yield pool, sorted(meeting, key=lambda a: a.name)


def _families(pool: IPAddressPool) -> frozenset[Family]:
    return frozenset(entry.addresses.family for entry in pool.entries)


def _pairs(
    meeting: Iterable[BGPAdvertisement], pool: IPAddressPool, node_keys: NodeKeys
) -> Iterator[tuple[BGPAdvertisement, BGPAdvertisement]]:
    """
    The first conflict of each advertisement.

    Advertisements meet on a route, a peer and a node, so each is filed under all of its combinations; a place keeps
    the first two preferences only, one of which differs from any third.
    """
    filed: dict[tuple[Hashable, ...], dict[int, BGPAdvertisement]] = {}
    families = _families(pool)
    for current in meeting:
        nodes = tuple(node_keys(current.node_selectors))
        routes = tuple(_routes(current, families))
        conflicts = [
            other
            for place in product(routes, _peers_met(current), nodes)
            for pref, other in filed.get(place, {}).items()
            if pref != current.local_pref
        ]
        if conflicts:
            yield min(conflicts, key=lambda a: a.name), current
        for place in product(routes, (*(current.peers or (_EVERY_PEER,)), _ANY_PEER), nodes):
            there = filed.setdefault(place, {})
            if len(there) < 2:
                there.setdefault(current.local_pref, current)


def _routes(advertisement: BGPAdvertisement, families: frozenset[Family]) -> Iterator[tuple[Family, int]]:
    # One family with equal lengths is enough for a conflict.
    if Family.IPV4 in families:
        yield Family.IPV4, advertisement.aggregation_length
    if Family.IPV6 in families:
        yield Family.IPV6, advertisement.aggregation_length_v6


def _peers_met(advertisement: BGPAdvertisement) -> tuple[str, ...]:
    return (*advertisement.peers, _EVERY_PEER) if advertisement.peers else (_ANY_PEER,)
