from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.family import Family
from reconciler.allocation.allocate import allocate
from reconciler.allocation.ledger import PoolHalf
from reconciler.allocation.requests import Asking, Request
from reconciler.allocation.sharing import may_share, sharing_of
from reconciler.model.observed import Service
from tests.allocation import naive
from tests.builders import desired, observed, pool, service
from tests.strategies import services


@pytest.mark.parametrize(
    ("a", "b", "shares"),
    [
        pytest.param({"sharing_key": "k"}, {"sharing_key": "k"}, True, id="equal keys"),
        pytest.param({"sharing_key": "k"}, {"sharing_key": "l"}, False, id="different keys"),
        pytest.param({"sharing_key": "k"}, {}, False, id="one without a key"),
        pytest.param({}, {}, False, id="two empty keys are not equal keys"),
        pytest.param(
            {"sharing_key": "k", "selector": {"app": "a"}},
            {"sharing_key": "k", "selector": {"app": "b"}},
            True,
            id="Cluster, whatever they select",
        ),
        pytest.param(
            {"sharing_key": "k", "local": True, "selector": {"app": "a"}},
            {"sharing_key": "k", "local": True, "selector": {"app": "a"}},
            True,
            id="Local with one selector",
        ),
        pytest.param(
            {"sharing_key": "k", "local": True, "selector": {"app": "a"}},
            {"sharing_key": "k", "local": True, "selector": {"app": "b"}},
            False,
            id="Local with two selectors",
        ),
        pytest.param(
            {"sharing_key": "k", "local": True},
            {"sharing_key": "k"},
            False,
            id="Local without a selector is not Cluster",
        ),
        pytest.param(
            {"sharing_key": "k", "ports": "UDP/53"}, {"sharing_key": "k", "ports": "TCP/53"}, True, id="TCP and UDP"
        ),
        pytest.param(
            {"sharing_key": "k", "ports": "TCP/80 TCP/443"},
            {"sharing_key": "k", "ports": "TCP/443 TCP/8080"},
            False,
            id="one port of several",
        ),
    ],
)
def test_who_may_share(a: dict[str, Any], b: dict[str, Any], *, shares: bool) -> None:
    ports = {"ports": "TCP/80"} if "ports" not in a else {}
    others = {"ports": "TCP/443"} if "ports" not in b else {}
    first, second = service("web/a", **(a | ports)), service("shop/b", **(b | others))
    assert may_share(first, second) is may_share(second, first) is shares
    found = allocate(desired(pool("p", "10.0.0.0/30")), observed(first, second)).assignments
    assert len({assignment.addresses for assignment in found}) == (1 if shares else 2)


@given(services(), services())
def test_the_rule_agrees_with_the_one_written_again(a: Service, b: Service) -> None:
    assert may_share(a, b) is naive.may_share(a, b)


class Naively:
    """What PoolHalf does, by looking at every address and every tenant."""

    def __init__(self, addresses: list[int]) -> None:
        self.tenants: dict[int, list[Service]] = {value: [] for value in addresses}

    def lowest_for(self, wanted: Service) -> int | None:
        fits = (value for value, others in self.tenants.items() if all(naive.may_share(wanted, o) for o in others))
        return next(fits, None)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(services(), min_size=1, max_size=30, unique_by=lambda s: s.key),
    st.lists(st.tuples(st.sampled_from(["take", "take", "leave", "join"]), st.integers(0, 29)), max_size=60),
)
def test_the_lowest_free_or_shareable_address_is_that_of_a_naive_search(
    found: list[Service], steps: list[tuple[str, int]]
) -> None:
    built = pool("p", "10.0.0.8/30", "10.0.0.0/30")
    ranges = tuple(entry.addresses for entry in built.entries)
    half = PoolHalf(built, Family.IPV4, ranges)
    naively = Naively([value for r in ranges for value in range(r.first, r.last + 1)])
    holding: dict[str, int] = {}
    for step, number in steps:
        place = number % len(found)
        wanted = found[place]
        asking = Asking(wanted, Request(sharing=sharing_of(wanted)), place)
        if step == "leave" and wanted.key in holding:
            value = holding.pop(wanted.key)
            half.release(value, asking)
            naively.tenants[value].remove(wanted)
        elif step != "leave" and wanted.key not in holding:
            lowest = naively.lowest_for(wanted)
            assert half.lowest_for(asking) == lowest
            if step == "join":  # not the lowest, but one that is asked for
                lowest = max((v for v in naively.tenants if not half.is_obstructed(v, asking)), default=None)
            if lowest is not None:
                assert all(naive.may_share(wanted, other) for other in naively.tenants[lowest])
                half.hold(lowest, asking)
                naively.tenants[lowest].append(wanted)
                holding[wanted.key] = lowest
        assert len(half.holders) == sum(map(bool, naively.tenants.values()))


def test_a_port_that_a_service_lists_twice_is_one_port() -> None:
    twice = service("web/a", ingress="10.0.0.0", requested_pool="q", sharing_key="k", ports="TCP/80 TCP/80")
    beside = service("web/b", sharing_key="k", ports="TCP/80")
    pools = pool("p", "10.0.0.0/32"), pool("q", "10.1.0.0/32")
    found = allocate(desired(*pools), observed(twice, beside)).assignments
    assert [(assigned.service, assigned.pool) for assigned in found] == [("web/a", "q"), ("web/b", "p")]


def test_a_tenant_that_leaves_makes_room_for_its_ports() -> None:
    built = pool("p", "10.0.0.0/30")
    half = PoolHalf(built, Family.IPV4, tuple(entry.addresses for entry in built.entries))
    terms = Request(sharing=sharing_of(service("web/a", sharing_key="k")))
    leaving, staying, beside, coming = (
        Asking(service(f"web/{place}", ports=ports), terms, place)
        for place, ports in enumerate(["TCP/80", "TCP/443", "TCP/80", "TCP/80"])
    )
    lowest = half.lowest_for(leaving) or 0
    half.hold(lowest, leaving)
    half.hold(lowest, staying)
    half.hold(lowest + 1, beside)
    assert half.lowest_for(coming) == lowest + 2
    half.release(lowest, leaving)
    assert half.lowest_for(coming) == lowest
