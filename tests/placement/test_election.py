"""The election: MetalLB's winners, few hashes, and a memo that changes nothing."""

import math
import sys
from types import FrameType
from typing import Any

import pytest

from reconciler.model.observed import NodeName
from reconciler.placement.election import Elections, Electorate, digest, rank
from reconciler.placement.place import place, place_nodes, speakers
from tests.builders import desired, observed, pool, service
from tests.placement.builders import endpoints, l2, node


def names(text: str) -> tuple[NodeName, ...]:
    return tuple(NodeName(name) for name in text.split())


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        pytest.param("node-a", "10.0.0.1", "dd41591fe8f31f9f", id="node-a"),
        pytest.param("node-b", "10.0.0.1", "2acae88581fd8b47", id="node-b"),
        pytest.param("node-c", "10.0.0.1", "f949561f9d43a768", id="node-c"),
        pytest.param("iris1", "10.20.30.1", "e42ad61a4159fa2d", id="iris1"),
        pytest.param("iris2", "10.20.30.1", "af6cb4e7605814d2", id="iris2"),
    ],
)
def test_the_digest_of_a_node_is_the_one_metallb_computes(name: str, key: str, expected: str) -> None:
    assert digest(NodeName(name), key).hex()[:16] == expected


@pytest.mark.parametrize(
    ("candidates", "key", "scores", "expected"),
    [
        pytest.param("node-a node-b node-c", "10.0.0.1", {}, "node-b node-a node-c", id="S-L2-21 the first address"),
        pytest.param("node-a node-b node-c", "10.0.0.2", {}, "node-b node-c node-a", id="S-L2-21 the second address"),
        pytest.param(
            "edge-a edge-b worker-a worker-b",
            "10.20.30.1",
            {"edge-a": 100},
            "edge-a edge-b worker-a worker-b",
            id="S-L2-22 one preferred node, the rest by hash",
        ),
        pytest.param(
            "node-a node-b",
            "10.20.30.1",
            {"node-a": 100, "node-b": 100},
            "node-b node-a",
            id="S-L2-23 equal scores fall back to the hash",
        ),
        pytest.param(
            "node-a node-b", "10.20.30.1", {"node-a": 1}, "node-a node-b", id="the least score beats any hash"
        ),
    ],
)
def test_candidates_are_ranked_by_score_then_hash(
    candidates: str, key: str, scores: dict[NodeName, int], expected: str
) -> None:
    assert rank(names(candidates), key, scores) == names(expected)
    assert rank(reversed(names(candidates)), key, scores) == names(expected)


def test_one_address_has_one_winner_however_it_is_found() -> None:
    electorate = Electorate(names("a b c d e f g"))
    for last in range(256):
        key = f"2001:db8::{last:x}"
        first = rank(electorate.nodes, key, {})[0]
        assert electorate.winner(key) == first
        assert [node for node in electorate.nodes if electorate.rival(node, key) is None] == [first]
        assert electorate.winner(key) == first, "the second answer comes from memory"


def test_equal_electorates_share_their_memory() -> None:
    elections = Elections()
    assert elections.among(names("b a")) is elections.among(names("a b"))
    assert elections.among(names("b a")) is not elections.among(names("a b c"))


def test_losing_takes_few_hashes_and_winning_takes_all() -> None:
    electorate = Electorate(tuple(NodeName(f"node-{n:03}") for n in range(100)))
    keys = [f"10.0.{n // 256}.{n % 256}" for n in range(2_000)]
    counts = [hashes_of(lambda key=key: electorate.rival(NodeName("node-050"), key)) for key in keys]
    assert 0.8 * (1 + math.log(100)) < sum(counts) / len(counts) < 1.3 * (1 + math.log(100))
    won = next(key for key in keys if electorate.rival(NodeName("node-050"), key) is None)
    assert hashes_of(lambda: electorate.rival(NodeName("node-050"), won)) == 100
    assert hashes_of(lambda: electorate.winner("10.1.0.0")) == 100
    assert hashes_of(lambda: electorate.winner("10.1.0.0")) == 0


def test_a_placement_hashes_no_more_than_it_has_to() -> None:
    many = tuple(node(f"node-{n:02}") for n in range(40))
    services = [service(f"shop/web-{n:02}", ingress=f"10.0.0.{n}") for n in range(50)]
    state = observed(*services, nodes=many, endpoints={s.key: endpoints("node-00") for s in services})
    config, alive, elections = desired(pool("p", "10.0.0.0/24"), l2=[l2()]), speakers(state), Elections()

    def decide(name: str, known: Elections | None) -> None:
        place(config, state, alive, NodeName(name), explain=False, elections=known)

    assert hashes_of(lambda: decide("node-07", None)) < 50 * 40 / 4
    assert hashes_of(lambda: decide("node-07", elections)) == 50 * 40
    assert hashes_of(lambda: decide("node-08", elections)) == 0
    assert hashes_of(lambda: list(place_nodes(config, state, alive))) == 50 * 40
    preferred = desired(pool("p", "10.0.0.0/24"), l2=[l2(preferring={"node-03": 1})])
    assert hashes_of(lambda: place(preferred, state, alive, NodeName("node-07"), explain=False)) == 0


def hashes_of(work: Any) -> int:
    """How many hashes the work computes, as the interpreter itself sees them."""
    count = 0

    def see(_frame: FrameType, event: str, function: Any) -> None:
        nonlocal count
        count += event == "c_call" and function.__name__ == "digest"

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
