"""Every refusal says which rule stopped it in which pool, the most useful cause first, and what to change."""

import pytest

from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Refusal
from reconciler.model.observed import Service
from tests.builders import desired, observed, pool, scope, service

POOLS = (
    pool("gold", "10.0.0.1-10.0.0.2"),
    pool("lab", "10.3.0.0/24", scope=scope("web", service_labels={"tier": "lab"})),
    pool("manual", "10.2.0.0/24", auto_assign=False),
    pool("team", "10.1.0.0/24", scope=scope("team-a", "team-c")),
    pool("v6", "fd00::/120"),
)
HOLDERS = (service("web/h1", ingress="10.0.0.1"), service("web/h2", ingress="10.0.0.2", sharing_key="k"))
OTHERS = (
    'pool "v6" has no IPv4 addresses; pool "lab" serves Services with labels tier=lab only; '
    'pool "team" serves namespaces team-a, team-c only; pool "manual" is for Services that name it (autoAssign: false)'
)


def refusal_of(given: Service) -> Refusal:
    (found,) = allocate(desired(*POOLS), observed(given, *HOLDERS)).refusals
    return found


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        pytest.param(
            service("web/a"),
            "pool-exhausted",
            f'no available IPs: pool "gold" is full (2 of 2 IPv4 in use); {OTHERS}',
            id="every pool is named",
        ),
        pytest.param(
            service("web/a", sharing_key="k"),
            "pool-exhausted",
            'no available IPs: pool "gold" is full (2 of 2 IPv4 in use), and TCP/80 is taken wherever the sharing key '
            f'"k" is used; {OTHERS}',
            id="the port is taken where it might share",
        ),
        pytest.param(
            service("web/a", sharing_key="k", local=True, ports="TCP/1"),
            "pool-exhausted",
            'no available IPs: pool "gold" is full (2 of 2 IPv4 in use), and Services with the sharing key "k" have '
            f"another externalTrafficPolicy or selector; {OTHERS}",
            id="Local cannot share with Cluster",
        ),
        pytest.param(
            service("web/a", sharing_key="x"),
            "pool-exhausted",
            'no available IPs: pool "gold" is full (2 of 2 IPv4 in use), and no address has the sharing key "x"; '
            f"{OTHERS}",
            id="nobody has that sharing key",
        ),
        pytest.param(
            service("web/a", requested_pool="glod"),
            "unknown-pool",
            'unknown pool "glod": did you mean "gold"?',
            id="the nearest name is offered",
        ),
        pytest.param(
            service("web/a", requested_pool="x"),
            "unknown-pool",
            'unknown pool "x": there are "gold", "lab", "manual", "team", "v6"',
            id="or all names",
        ),
        pytest.param(
            service("web/a", requested_pool="gold"),
            "pool-exhausted",
            'no available IPs in pool gold: pool "gold" is full (2 of 2 IPv4 in use)',
            id="a full pool by name",
        ),
        pytest.param(
            service("web/a", requested_pool="v6"),
            "family-mismatch",
            'no available IPs in pool v6: pool "v6" has no IPv4 addresses',
            id="a pool of the other family by name",
        ),
        pytest.param(
            service("web/a", families="46", policy="require"),
            "family-mismatch",
            'no available IPs: pool "gold" has no IPv6 addresses; pool "v6" has no IPv4 addresses; '
            + OTHERS.partition("; ")[2],
            id="no pool has both families",
        ),
        pytest.param(
            service("web/a", load_balancer_ip="10.0.0.1"),
            "address-in-use",
            'can\'t change sharing key for "web/a", address also in use by web/h1: web/a has no sharing key',
            id="an address that is in use",
        ),
        pytest.param(
            service("web/a", load_balancer_ip="10.0.0.1", sharing_key="k"),
            "address-in-use",
            'can\'t change sharing key for "web/a", address also in use by web/h1: web/h1 has no sharing key',
            id="an address that its holder does not share",
        ),
        pytest.param(
            service("web/a", load_balancer_ip="10.0.0.2", sharing_key="x"),
            "address-in-use",
            'can\'t change sharing key for "web/a", address also in use by web/h2: web/h2 has the sharing key "k", '
            'not "x"',
            id="another sharing key",
        ),
        pytest.param(
            service("web/a", load_balancer_ip="10.0.0.2", sharing_key="k", local=True, ports="TCP/1"),
            "address-in-use",
            'can\'t change sharing key for "web/a", address also in use by web/h2: externalTrafficPolicy is '
            "Local here, Cluster there",
            id="another traffic policy",
        ),
        pytest.param(
            service("web/a", load_balancer_ip="10.0.0.2", sharing_key="k"),
            "port-in-use",
            'port TCP/80 is already in use on "10.0.0.2": web/h2 shares it with that port',
            id="a port that is taken",
        ),
        pytest.param(
            service("web/a", load_balancer_ip="10.1.0.1"),
            "pool-not-compatible",
            "pool team not compatible for ip assignment: it serves namespaces team-a, team-c only",
            id="an address of a pool for others",
        ),
        pytest.param(
            service("web/a", load_balancer_ip="10.2.0.1", requested_pool="gold"),
            "pool-mismatch",
            'requested loadBalancer IP(s) ["10.2.0.1"] is not compatible with requested address pool gold: '
            'pool "manual" contains it',
            id="an address and a pool that do not go together",
        ),
        pytest.param(
            service("web/a", families="46", policy="require", requested_ips="10.2.0.9,fd00::9"),
            "not-in-one-pool",
            '["10.2.0.9" "fd00::9"] is not allowed in config: 10.2.0.9 is in pool "manual", fd00::9 is in pool "v6", '
            "and one pool must own both",
            id="addresses of two pools",
        ),
        pytest.param(
            service("web/a", requested_ips="10.2.0.1,"),
            "invalid-request",
            'invalid metallb.io/loadBalancerIPs: "10.2.0.1,": "" is not an IP address',
            id="a comma too many",
        ),
        pytest.param(
            service("web/a", requested_ips="10.2.0.1, 10.2.0.2"),
            "invalid-request",
            'invalid metallb.io/loadBalancerIPs: "10.2.0.1, 10.2.0.2": more than one address of a family',
            id="two addresses of one family",
        ),
        pytest.param(
            service("web/a", requested_ips="10.2.0.1", load_balancer_ip="10.2.0.1"),
            "invalid-request",
            "service can not have both metallb.io/loadBalancerIPs and svc.Spec.LoadBalancerIP",
            id="two ways to ask",
        ),
        pytest.param(
            service("web/a", cluster_ips=("None",)),
            "invalid-cluster-ips",
            'invalid address family of cluster IPs [None]: "None" is not an IP address',
            id="headless",
        ),
    ],
)
def test_the_message_begins_with_metallbs_words_and_goes_on_to_explain(
    given: Service, reason: str, message: str
) -> None:
    refusal = refusal_of(given)
    assert (refusal.reason, refusal.message) == (reason, message)
    assert refusal.advice


@pytest.mark.parametrize(
    ("given", "place"),
    [
        pytest.param(service("web/a"), "gold.yaml:6:5", id="the last entry of the full pool"),
        pytest.param(service("web/a", requested_pool="team"), "scope.yaml:9:3", id="the scope that excludes"),
        pytest.param(service("web/a", requested_pool="v6"), "v6.yaml:1:1", id="the pool without the family"),
    ],
)
def test_the_line_behind_a_refusal(given: Service, place: str) -> None:
    assert str(refusal_of(given).origin) == place


def test_the_causes_name_every_pool_with_the_most_useful_first() -> None:
    found = [(cause.pool, cause.rule) for cause in refusal_of(service("web/a")).causes]
    assert found == [
        ("gold", "pool-exhausted"),
        ("v6", "family-mismatch"),
        ("lab", "pool-not-compatible"),
        ("team", "pool-not-compatible"),
        ("manual", "auto-assign-off"),
    ]


def test_a_message_names_a_few_pools_and_counts_the_rest() -> None:
    pools = [pool(f"p{n:03}", f"10.0.{n}.1/32") for n in range(100)]
    services = [service(f"web/h{n:03}", ingress=f"10.0.{n}.1") for n in range(100)]
    (refusal,) = allocate(desired(*pools), observed(service("web/z"), *services)).refusals
    assert refusal.message.endswith('pool "p004" is full (1 of 1 IPv4 in use); and 95 more pools')
    assert (len(refusal.causes), refusal.further_pools) == (20, 80)


def test_a_service_that_keeps_an_address_is_told_so() -> None:
    given = service("web/a", ingress="10.2.0.7", requested_pool="gold")
    assert (
        refusal_of(given).advice == "add IPv4 addresses to pool gold, or ask for another; until then it keeps 10.2.0.7"
    )


def test_many_tenants_are_not_all_listed() -> None:
    tenants = [service(f"web/t{n:02}", ingress="10.2.0.9", sharing_key="s", ports=f"TCP/{n + 1}") for n in range(9)]
    given = service("web/a", load_balancer_ip="10.2.0.9")
    (refusal,) = allocate(desired(*POOLS), observed(given, *tenants)).refusals
    assert "in use by web/t00,web/t01,web/t02,web/t03,web/t04 and 4 more: " in refusal.message


def test_the_numbers_are_those_at_the_end_of_the_pass() -> None:
    services = [service(f"web/{name}", created=n) for n, name in enumerate("abc")]
    (refusal,) = allocate(desired(pool("p", "10.0.0.1-10.0.0.2")), observed(*services)).refusals
    assert refusal.message == 'no available IPs: pool "p" is full (2 of 2 IPv4 in use)'


def test_a_pool_of_buggy_addresses_only_says_so() -> None:
    built = pool("p", "10.0.0.255/32", avoid_buggy_ips=True)
    (refusal,) = allocate(desired(built), observed(service("web/a"))).refusals
    assert refusal.message == 'no available IPs: pool "p" hands out no IPv4 address (avoidBuggyIPs)'
