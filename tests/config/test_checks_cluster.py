import pytest

from reconciler.config.checks import check_cluster, check_nodes, check_secrets
from reconciler.model.observed import Node, NodeName, ObservedState, Secret
from tests.config.builders import EVERYWHERE, desired, manifest, pool, session

_POOL = pool("p", "192.0.2.0/24")
_GUARDED = desired(_POOL, EVERYWHERE, session("tor", more="passwordSecret: {name: tor-password}"))


def _nodes(**racks: str) -> ObservedState:
    return ObservedState(nodes=tuple(Node(NodeName(name), (("rack", rack),)) for name, rack in sorted(racks.items())))


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        pytest.param(None, [("unresolved-secret", "warning")], id="a snapshot without Secrets proves nothing"),
        pytest.param({}, [("secret-not-found", "error")], id="the Secret is missing"),
        pytest.param(
            {"tor-password": Secret("tor-password", "Opaque", has_password=True)},
            [("secret-wrong-type", "error")],
            id="a Secret of another type",
        ),
        pytest.param(
            {"tor-password": Secret("tor-password", "kubernetes.io/basic-auth")},
            [("secret-without-password", "error")],
            id="a Secret without the key",
        ),
        pytest.param(
            {"tor-password": Secret("tor-password", "kubernetes.io/basic-auth", has_password=True)},
            [],
            id="a Secret that fits",
        ),
    ],
)
def test_secrets(secrets: dict[str, Secret] | None, expected: list[tuple[str, str]]) -> None:
    found = check_secrets(_GUARDED, ObservedState(secrets=secrets))
    assert [(problem.code, problem.severity.value) for problem in found] == expected
    assert check_cluster(_GUARDED, ObservedState(secrets=secrets)) == found


def test_a_peer_without_a_secret_needs_none() -> None:
    assert check_secrets(desired(_POOL, EVERYWHERE, session("tor")), ObservedState(secrets={})) == ()


@pytest.mark.parametrize(
    ("nodes", "codes"),
    [
        pytest.param(_nodes(n1="a", n2="b"), [], id="no node in common"),
        pytest.param(_nodes(n1="a", n2="c"), ["duplicate-session"], id="a node that both select"),
        pytest.param(ObservedState(), [], id="no node known"),
    ],
)
def test_sessions_meet_on_the_nodes_there_are(nodes: ObservedState, codes: list[str]) -> None:
    state = desired(
        _POOL,
        EVERYWHERE,
        session("tor-a", more="nodeSelectors: [{matchExpressions: [{key: rack, operator: In, values: [a, c]}]}]"),
        session("tor-b", more="nodeSelectors: [{matchExpressions: [{key: rack, operator: In, values: [b, c]}]}]"),
    )
    assert [problem.code for problem in check_nodes(state, nodes)] == codes


@pytest.mark.parametrize(
    ("nodes", "codes"),
    [
        pytest.param(_nodes(n1="b"), [], id="nobody in rack a"),
        pytest.param(_nodes(n1="a"), ["local-pref-conflict"], id="a node in rack a"),
    ],
)
def test_local_preferences_meet_on_the_nodes_there_are(nodes: ObservedState, codes: list[str]) -> None:
    state = desired(
        _POOL,
        session("tor"),
        manifest("BGPAdvertisement", "a", "localPref: 100"),
        manifest("BGPAdvertisement", "b", "localPref: 200\nnodeSelectors: [{matchLabels: {rack: a}}]"),
    )
    found = check_nodes(state, nodes)
    assert [problem.code for problem in found] == codes
    assert all("invalid local preference 200" in problem.message for problem in found)
