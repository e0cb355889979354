from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.family import Family
from reconciler.allocation.ledger import Ledger
from reconciler.allocation.requests import Asking, Request
from reconciler.allocation.shared_room import Found, SharedRoom
from reconciler.allocation.sharing import sharing_of
from tests.builders import pool, service

POOLS = [
    pool(f"p{n:02}", f"10.0.{n}.0-10.0.{n}.{n % 3 // 2}", *([] if n % 4 == 0 else [f"fd00::{n:x}0/128"]))
    for n in range(12)
]
FAMILIES = ((Family.IPV4,), (Family.IPV6,), (Family.IPV4, Family.IPV6))


def asking_of(place: int, key: str, ports: set[int]) -> Asking:
    found = service(f"web/s{place}", sharing_key=key, ports=" ".join(f"TCP/{port}" for port in sorted(ports)))
    return Asking(found, Request(sharing=sharing_of(found)), place)


kinds = st.tuples(st.sampled_from("kkkl"), st.sets(st.integers(1, 4), max_size=3))
steps = st.tuples(st.integers(0, 39), st.sampled_from(FAMILIES), st.integers(0, 9))


@settings(max_examples=150, deadline=None)
@given(st.lists(kinds, min_size=40, max_size=40), st.lists(steps, max_size=120))
def test_it_finds_what_asking_every_pool_in_turn_finds(
    drawn: list[tuple[str, set[int]]], taken: list[tuple[int, tuple[Family, ...], int]]
) -> None:
    ledger = Ledger(POOLS)
    room = SharedRoom(ledger, ledger.pools, {found: at for at, found in enumerate(ledger.pools)})
    askings = [asking_of(place, *kind) for place, kind in enumerate(drawn)]
    holding: dict[int, Found] = {}
    for place, families, chance in taken:
        asking, terms = askings[place], askings[place].request.sharing
        if place in holding:
            if chance < 2:  # few leave, so that there is something to remember
                ledger.release(*holding.pop(place), asking)
            continue
        assert terms is not None
        free = next((at for at, one in enumerate(ledger.pools) if one.lowest_free(families)), len(ledger.pools))
        each = ((one, one.lowest_for(families, asking)) for one in ledger.pools[: free + 1])
        first = next(((one, found) for one, found in each if found), None)
        shared = room.find(families, terms, asking, free)
        # Without a pool that shares, the free addresses are the caller's to find.
        if shared != first:
            assert shared is None
            assert first is not None
            assert first[0] is ledger.pools[free]
            assert first[0] not in ledger.pools_sharing(terms)
        if first:
            ledger.hold(*first, asking)
            holding[place] = first


def test_an_address_given_up_behind_is_found_again() -> None:
    ledger = Ledger(pool(f"p{n:02}", f"10.0.{n}.0/32") for n in range(12))
    room = SharedRoom(ledger, ledger.pools, {found: at for at, found in enumerate(ledger.pools)})
    tenants = [(asking_of(2 * n, "k", {1}), asking_of(2 * n + 1, "k", {2})) for n in range(12)]
    held = [one.lowest_free((Family.IPV4,)) or () for one in ledger.pools]
    for one, addresses, pair in zip(ledger.pools, held, tenants, strict=True):
        for tenant in pair:
            ledger.hold(one, addresses, tenant)
    coming = asking_of(24, "k", {1})
    terms = coming.request.sharing
    assert terms is not None
    assert room.find((Family.IPV4,), terms, coming, 12) is None
    ledger.release(ledger.pools[3], held[3], tenants[3][0])
    assert room.find((Family.IPV4,), terms, coming, 12) == (ledger.pools[3], held[3])
