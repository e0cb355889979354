"""Pools against each other: no address may belong to two entries."""

from collections.abc import Iterable

import msgspec

from reconciler.addresses.address_range import AddressRange
from reconciler.config.drafts import PoolDraft
from reconciler.config.problems import Problems
from reconciler.model.origin import Related
from reconciler.model.pools import PoolEntry


class _Written(msgspec.Struct, frozen=True, gc=False):
    """An entry, its pool, and its turn: pools by name, entries as written."""

    turn: int
    pool: str
    entry: PoolEntry


def check_overlaps(pools: Iterable[PoolDraft], problems: Problems) -> None:
    """
    Report entries that share addresses, within a pool or across pools.

    Every entry that overlaps another is part of some finding, and there are fewer problems than entries: each entry
    is compared with the one that reaches furthest among those that begin before it.
    """
    written = [
        _Written(turn, draft.pool.name, entry)
        for turn, (draft, entry) in enumerate((draft, entry) for draft in pools for entry in draft.pool.entries)
    ]
    furthest: _Written | None = None
    for current in sorted(written, key=lambda w: (w.entry.addresses, w.turn)):
        if furthest is not None and furthest.entry.addresses.overlaps(current.entry.addresses):
            _report(*sorted((furthest, current), key=lambda w: w.turn), problems=problems)
        if furthest is None or _reach(current) > _reach(furthest):
            furthest = current


def _reach(written: _Written) -> tuple[int, int]:
    return written.entry.addresses.family, written.entry.addresses.last


def _report(earlier: _Written, later: _Written, *, problems: Problems) -> None:
    a, b = earlier.entry.addresses, later.entry.addresses
    shared = AddressRange(a.family, max(a.first, b.first), min(a.last, b.last))
    where = "the same pool" if earlier.pool == later.pool else f'pool "{earlier.pool}"'
    message = (
        f'CIDR "{later.entry.text}" in pool "{later.pool}" overlaps with already defined CIDR "{earlier.entry.text}" '
        f"of {where}: both hold {shared}"
    )
    note = Related(earlier.entry.origin, f'pool "{earlier.pool}" takes it here')
    problems.error(later.entry.origin, "pool-overlap", message, note)
