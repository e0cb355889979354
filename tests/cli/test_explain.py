"""`explain` on real files."""

import json
from pathlib import Path

import pytest

from reconciler.cli.options import Output
from tests.cli.conftest import Run

EXPECTED = Path(__file__).parent / "expected"


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        pytest.param(
            "shop/web",
            [
                "shop/web has 192.0.2.1 from pool public",
                "line      config/pools.yaml:",
                "Announced by",
                "If that node fails",
            ],
            id="one that has its address",
        ),
        pytest.param(
            "shop/reviews",
            ["shop/reviews is pending and would be given 192.0.2.11 from pool public"],
            id="a pending one",
        ),
        pytest.param("ops/printers", ["ops/printers is pending", "because", "fix", "team-a"], id="a refused one"),
        pytest.param("shop/intranet", ["shop/intranet has 192.0.2.40 and would have none"], id="one that is cleared"),
        pytest.param(
            "ops/registry", ["ops/registry is another controller's", "not-our-class"], id="another controller's"
        ),
        pytest.param(
            "shop/cart",
            ["shop/cart is no load balancer", "the type is ClusterIP", "not-load-balancer"],
            id="no load balancer",
        ),
        pytest.param("media/player", ["worker-2", "worker-1", "Local"], id="one with local endpoints only"),
        pytest.param("billing/gateway", ["bgp", "to tor-a, tor-b", "64512:100"], id="one that is a route"),
    ],
)
@pytest.mark.usefixtures("work")
def test_explain(service: str, expected: list[str], reconciler: Run) -> None:
    status, out, err = reconciler(f"explain {service} --config config --cluster dir:cluster")
    assert (status, err) == (0, "")
    assert [text for text in expected if text not in out] == [], out


@pytest.mark.parametrize("output", [output for output in Output if output is not Output.JSON])
@pytest.mark.usefixtures("work")
def test_every_output_is_about_that_service_alone(output: Output, reconciler: Run) -> None:
    status, out, _ = reconciler(f"explain ops/printers --config config --cluster dir:cluster --output {output}")
    assert status == 0
    assert "shop/" not in out
    for fact in (
        "ops/printers is pending",
        "pool team-a not compatible",
        "widen the serviceAllocation",
        "AllocationFailed",
    ):
        assert fact in out
    assert ("pools.yaml:30:5" in out) or ('"startLine": 30' in out) or ("config/pools.yaml,line=30," in out)


@pytest.mark.usefixtures("work")
def test_json_says_why_a_service_is_none_of_ours(reconciler: Run) -> None:
    _, out, _ = reconciler("explain shop/cart --config config --cluster dir:cluster --output json")
    found = json.loads(out)
    assert (found["action"], found["reason"], found["message"]) == (
        "ignore",
        "not-load-balancer",
        "the type is ClusterIP",
    )


@pytest.mark.usefixtures("work")
def test_json_is_the_row_of_diff_with_more_detail(reconciler: Run) -> None:
    _, diffed, _ = reconciler("diff --config config --cluster dir:cluster --output json")
    for row in json.loads(diffed)["services"][::4]:
        _, out, _ = reconciler(f"explain {row['service']} --config config --cluster dir:cluster --output json")
        found = json.loads(out)
        assert {**{key: found[key] for key in row}, "cause": row["cause"] or found["cause"]} == {
            **row,
            "cause": row["cause"] or found["cause"],
        }
        assert found.keys() - row.keys() == {
            *(
                "type",
                "held",
                "causes",
                "furtherPools",
                "announcements",
                "declined",
                "candidates",
                "events",
                "formatVersion",
            ),
        }


@pytest.mark.usefixtures("work")
def test_the_announcements_are_those_of_diff(reconciler: Run) -> None:
    _, diffed, _ = reconciler("diff --config config --cluster dir:cluster --output json")
    document = json.loads(diffed)
    for service in ("shop/web", "shop/images", "billing/gateway", "ledger/api", "shop/intranet", "ops/dns-tcp"):
        _, out, _ = reconciler(f"explain {service} --config config --cluster dir:cluster --output json")
        expected = [row for row in document["announcements"] if row["service"] == service]
        assert json.loads(out)["announcements"] == expected


def test_problems_go_to_standard_error(work: Path, reconciler: Run) -> None:
    pools = work / "config/pools.yaml"
    pools.write_text(pools.read_text().replace("192.0.2.0/26", "192.0.2.0/99"))
    status, out, err = reconciler("explain shop/web --config config --cluster dir:cluster")
    assert (status, out) == (2, "")
    assert err.startswith("config/pools.yaml:")


def test_a_change_that_is_held_says_so(work: Path, reconciler: Run) -> None:
    pools = work / "config/pools.yaml"
    pools.write_text(pools.read_text().replace("192.0.2.0/26", "192.0.2.32/27"))
    _, out, _ = reconciler("explain shop/web --config config --cluster dir:cluster")
    assert "shop/web has 192.0.2.1 and would change to 192.0.2." in out
    assert "held" in out


def test_of_many_pools_the_closest_are_named_and_the_rest_counted(work: Path, reconciler: Run) -> None:
    pools = "---\n".join(
        f"apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: pool-{n:02}}}\n"
        f"spec: {{addresses: [198.51.100.{n}/32], autoAssign: false}}\n"
        for n in range(30)
    )
    (work / "many.yaml").write_text(pools, encoding="utf-8")
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
        "spec: {type: LoadBalancer, clusterIPs: [10.96.0.1]}\n"
    )
    (work / "one.yaml").write_text(service, encoding="utf-8")
    command = "explain shop/web --config many.yaml --cluster dir:one.yaml"
    found = json.loads(reconciler(f"{command} --output json")[1])
    assert (len(found["causes"]), found["furtherPools"]) == (20, 10)
    assert "and 10 more" in reconciler(command)[1]
    assert "and 10 more" in reconciler(f"{command} --output markdown")[1]
