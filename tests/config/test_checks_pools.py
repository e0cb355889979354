from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange
from reconciler.config.check_pools import check_overlaps
from reconciler.config.documents import parse_documents
from reconciler.config.drafts import Manifest, PoolDraft
from reconciler.config.problems import Problems
from reconciler.model.origin import Origin
from reconciler.model.pools import IPAddressPool, PoolEntry
from tests.config.builders import EVERYWHERE, errors, pool
from tests.strategies import small_ranges


def _drafts(pools: list[list[AddressRange]]) -> list[PoolDraft]:
    """Pools whose entries stand at line = pool, column = entry."""
    (document,) = parse_documents("a.yaml", b"{}").documents
    drafts = []
    for line, ranges in enumerate(pools, 1):
        entries = tuple(PoolEntry(str(r), r, Origin("a.yaml", line, column)) for column, r in enumerate(ranges, 1))
        name = f"pool-{line}"
        manifest = Manifest(document, "IPAddressPool", "v1beta1", name)
        drafts.append(PoolDraft(manifest, IPAddressPool(name, entries)))
    return drafts


@given(st.lists(st.lists(small_ranges(), max_size=4), max_size=5))
@settings(max_examples=300, deadline=None)
def test_the_sweep_finds_the_entries_that_comparing_every_pair_finds(pools: list[list[AddressRange]]) -> None:
    drafts = _drafts(pools)
    entries = [entry for draft in drafts for entry in draft.pool.entries]
    guilty = {e.origin for a, b in combinations(entries, 2) if a.addresses.overlaps(b.addresses) for e in (a, b)}
    problems = Problems()
    check_overlaps(drafts, problems)
    found = problems.sorted()
    assert {place for p in found for place in (p.origin, *(r.origin for r in p.related))} == guilty
    assert len(found) <= max(0, len(entries) - 1)
    at = {entry.origin: entry.addresses for entry in entries}
    assert all(at[p.origin].overlaps(at[p.related[0].origin]) for p in found)
    # The finding stands at the entry that comes later, by name of the pool.
    assert all(p.origin > p.related[0].origin for p in found)


def test_neighbours_do_not_overlap() -> None:
    assert errors(pool("p", "192.0.2.0/25", "192.0.2.128-192.0.2.200"), pool("q", "192.0.2.201/32"), EVERYWHERE) == []


def test_a_wide_entry_does_not_hide_overlaps_behind_it() -> None:
    found = errors(pool("a", "10.0.0.0/8"), pool("b", "10.1.0.0/16"), pool("c", "10.200.0.0/16"), EVERYWHERE)
    assert [(problem.code, problem.related[0].origin.line) for problem in found] == [("pool-overlap", 6)] * 2


def test_findings_in_a_pool_whose_name_is_illegal_call_it_as_written() -> None:
    first, second = errors(*EVERYWHERE, pool("Bad_Name", "x"))
    assert first.code == "invalid-name"
    assert 'invalid CIDR "x" in pool "Bad_Name"' in second.message
