from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.allocation.eligibility import Applicant, is_compatible
from reconciler.allocation.pool_index import PoolIndex
from reconciler.model.pools import ServiceScope
from reconciler.model.selectors import labels_of
from tests.builders import pool, scope, selector

pairs = st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), max_size=2)
labels = pairs.map(lambda found: labels_of(found.items()))
selectors = st.builds(
    lambda match, values: selector(match, a=values) if values else selector(match),
    pairs,
    st.sets(st.sampled_from("12"), max_size=1),
)
scopes = st.builds(
    lambda namespaces, by_namespace, by_label: ServiceScope(
        namespaces=tuple(sorted(namespaces)), namespace_selectors=tuple(by_namespace), service_selectors=tuple(by_label)
    ),
    st.sets(st.sampled_from(["shop", "web"])),
    st.lists(selectors, max_size=2),
    st.lists(selectors, max_size=2),
)
applicants = st.builds(Applicant, st.sampled_from(["lab", "shop", "web"]), labels, labels)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.none() | scopes, max_size=6), applicants)
def test_every_pool_that_admits_the_applicant_is_a_candidate_once(
    given_scopes: list[ServiceScope | None], applicant: Applicant
) -> None:
    pools = [pool(f"p{n}", f"10.0.{n}.0/24", scope=found) for n, found in enumerate(given_scopes)]
    candidates = PoolIndex(pools).candidates(applicant)
    names = [found.name for found in candidates]
    assert len(names) == len(set(names))
    assert set(names) >= {found.name for found in pools if found.scope and is_compatible(found, applicant)}
    assert all(found.scope for found in candidates)


@pytest.mark.parametrize(
    "scopes_of",
    [
        pytest.param(lambda n: scope(f"team-{n}"), id="namespaces"),
        pytest.param(lambda n: scope(namespace_labels={"team": str(n)}), id="labels of namespaces"),
        pytest.param(lambda n: scope(service_labels={"team": str(n)}), id="labels of Services"),
        pytest.param(lambda n: scope("team-3", service_labels={"team": str(n)}), id="one namespace, many labels"),
        pytest.param(lambda n: scope(f"team-{n}", service_labels={"tier": "front"}), id="many namespaces, one label"),
        pytest.param(lambda n: scope(service_labels={"app": "web", "team": str(n)}), id="a common label and another"),
        pytest.param(
            lambda n: scope(f"team-{n}", namespace_labels={"team": str(n)}), id="a namespace by name and by label"
        ),
    ],
)
def test_of_a_thousand_pools_for_one_team_each_only_its_own_is_a_candidate(
    scopes_of: Callable[[int], ServiceScope],
) -> None:
    pools = [pool(f"p{n}", f"10.{n >> 8}.{n & 255}.0/24", scope=scopes_of(n)) for n in range(1000)]
    applicant = Applicant(
        "team-3", labels_of([("team", "3")]), labels_of([("app", "web"), ("team", "3"), ("tier", "front")])
    )
    assert [found.name for found in PoolIndex(pools).candidates(applicant)] == ["p3"]


def test_a_selector_of_expressions_only_is_for_everybody_to_read() -> None:
    built = pool("p", "10.0.0.0/24", scope=ServiceScope(service_selectors=(selector(team="3"),)))
    assert PoolIndex([built]).candidates(Applicant("web", (), ())) == [built]
