"""Advertisements against the pools they announce."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.addresses.family import Family
from reconciler.config.check_local_prefs import local_pref_conflicts
from reconciler.config.drafts import BGPDraft, Drafts, L2Draft
from reconciler.config.problems import Problems
from reconciler.config.shared_nodes import certain_node_keys
from reconciler.model.origin import Related
from reconciler.model.pools import IPAddressPool, PoolEntry

_MOST_RELATED = 5
_HIGHEST_PREF = 2**32 - 1  # RFC 4271 section 5.1.5: four octets
_FIELDS = {Family.IPV4: "aggregationLength", Family.IPV6: "aggregationLengthV6"}


@dataclass(frozen=True, slots=True)
class _Narrow:
    """A pool's entries of one family and the prefix length of the widest block in each."""

    pool: str
    entry: PoolEntry
    widest: int


def check_aggregation(drafts: Drafts, problems: Problems) -> None:
    """Report advertisements that would roll an entry of a pool up into a route larger than the entry."""
    entries = _EntriesByWidth(draft.pool for draft in drafts.pools)
    for draft in drafts.bgp_advertisements:
        advertisement = draft.advertisement
        for family, length, shortest in (
            (Family.IPV4, advertisement.aggregation_length, 1),
            (Family.IPV6, advertisement.aggregation_length_v6, 0),
        ):
            if shortest <= length < family.bits:
                _report_narrow(
                    draft, length, family, list(entries.narrower(advertisement.pools, family, length)), problems
                )


class _EntriesByWidth:
    """The entries of pools, measured when first asked for."""

    def __init__(self, pools: Iterable[IPAddressPool]) -> None:
        self._pools = {pool.name: pool for pool in pools}
        self._measured: dict[str, tuple[_Narrow, ...]] = {}

    def narrower(self, pools: Iterable[str], family: Family, length: int) -> Iterator[_Narrow]:
        """The entries whose widest block is smaller than a route of that length."""
        for name in pools:
            if name not in self._measured:
                self._measured[name] = tuple(
                    _Narrow(name, entry, entry.addresses.widest_prefix_length) for entry in self._pools[name].entries
                )
            for measured in self._measured[name]:
                if measured.entry.addresses.family is family and length < measured.widest:
                    yield measured


def _report_narrow(draft: BGPDraft, length: int, family: Family, narrow: list[_Narrow], problems: Problems) -> None:
    if not narrow:
        return
    first, more = narrow[0], len(narrow) - 1
    others = f", and {more} more" if more else ""
    least = max(n.widest for n in narrow)
    message = (
        f"invalid aggregation length {length}: prefix {first.widest} in this pool is more specific than the "
        f'aggregation length for addresses {first.entry.text} (pool "{first.pool}"){others}; '
        f"write {_FIELDS[family]}: {least} or more, or leave such pools to another advertisement"
    )
    notes = (Related(n.entry.origin, f'pool "{n.pool}" holds no /{length}') for n in narrow[:_MOST_RELATED])
    problems.error(draft.manifest.spec.origin_of(_FIELDS[family]), "aggregation-too-wide", message, *notes)


def check_local_prefs(drafts: Drafts, problems: Problems) -> None:
    """Report advertisements that contradict each other for certain, whatever nodes there are."""
    by_name = {draft.advertisement.name: draft for draft in drafts.bgp_advertisements}
    advertisements = (d.advertisement for d in by_name.values() if 0 <= d.advertisement.local_pref <= _HIGHEST_PREF)
    pools = (draft.pool for draft in drafts.pools)
    for conflict in local_pref_conflicts(advertisements, pools, certain_node_keys):
        later, earlier = (by_name[a.name].manifest.spec for a in (conflict.later, conflict.earlier))
        note = Related(earlier.origin_of("localPref"), f"local preference {conflict.earlier.local_pref} is set here")
        problems.error(later.origin_of("localPref"), "local-pref-conflict", str(conflict), note)


def check_use(drafts: Drafts, problems: Problems) -> None:
    """Warn of pools that nobody announces, and of advertisements that announce nothing."""
    advertisements: tuple[L2Draft | BGPDraft, ...] = (*drafts.l2_advertisements, *drafts.bgp_advertisements)
    announced = {name for draft in advertisements for name in draft.advertisement.pools}
    silent = [draft for draft in drafts.pools if draft.pool.name not in announced]
    if silent and not advertisements:
        message = (
            "no L2Advertisement or BGPAdvertisement in this configuration: Services get addresses from "
            f"{_count(len(silent), 'pool')}, but no node announces them"
        )
        problems.warning(silent[0].manifest.origin, "pool-not-advertised", message)
        return
    for pool in silent:
        message = f'no advertisement announces pool "{pool.pool.name}": its addresses are assigned but not reachable'
        problems.warning(pool.manifest.origin, "pool-not-advertised", message)
    known = {draft.pool.name: draft.pool for draft in drafts.pools}
    for draft in advertisements:
        _warn_of_idle(draft, known, problems)
    if not drafts.peers:
        for bgp in drafts.bgp_advertisements:
            message = f"{bgp.manifest} announces to nobody: there is no BGPPeer in this configuration"
            problems.warning(bgp.manifest.origin, "advertisement-without-peers", message)


def _warn_of_idle(draft: L2Draft | BGPDraft, known: Mapping[str, IPAddressPool], problems: Problems) -> None:
    # A name that is not there has a warning of its own.
    if known and draft.choice.selectors and not draft.choice.names and not draft.advertisement.pools:
        message = f"{draft.manifest} announces nothing: no IPAddressPool has labels that its selectors match"
        origin = draft.manifest.spec.origin_of("ipAddressPoolSelectors")
        problems.warning(origin, "advertisement-without-pools", message)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
