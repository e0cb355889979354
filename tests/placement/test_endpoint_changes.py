"""Which Services have other endpoints, however the mappings are handed over."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.observed import Endpoint, ServiceKey
from reconciler.placement.endpoint_changes import Endpoints, endpoints_changed
from tests.allocation.counting import lines_run
from tests.placement.builders import endpoints

_SOME = (endpoints("ash"), endpoints("ash -elm"), ())
_KEYS = [ServiceKey(f"shop/{name}") for name in "abcdefgh"]
_mappings = st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(_SOME))


def changed(before: Endpoints, after: Endpoints) -> list[ServiceKey]:
    return sorted(endpoints_changed(before, after))


def expected(before: Endpoints, after: Endpoints) -> list[ServiceKey]:
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


@given(_mappings, _mappings, st.booleans())
def test_of_any_two_mappings(before: Endpoints, after: Endpoints, anew: bool) -> None:
    later = {key: tuple(map(replace, found)) if anew else found for key, found in after.items()}
    assert changed(before, later) == expected(before, after)
    assert changed(before, dict(before)) == []
    assert changed(before, before) == []


@given(_mappings, _mappings, st.integers())
def test_of_what_grew_shrank_or_was_mixed(before: Endpoints, others: Endpoints, seed: int) -> None:
    grown = {**before, **others}
    names = list(grown)
    Random(seed).shuffle(names)  # noqa: S311 - an order, not a secret
    mixed = {key: grown[key] for key in names}
    for after in (grown, mixed):
        assert changed(before, after) == expected(before, after)
        assert changed(after, before) == expected(after, before)


def test_those_that_did_not_change_cost_next_to_nothing() -> None:
    def lines(size: int) -> int:
        before: dict[ServiceKey, tuple[Endpoint, ...]] = {
            ServiceKey(f"shop/s{n:05}"): endpoints("ash") for n in range(size)
        }
        after = {**before, ServiceKey("shop/s00500"): (), ServiceKey("shop/new"): ()}
        found: list[ServiceKey] = []
        count = lines_run(lambda: found.extend(endpoints_changed(before, after)))
        assert found == ["shop/s00500", "shop/new"]
        return count

    assert lines(8_000) < lines(1_000) + 50
