"""`explain` on real files."""

import asyncio
import json
from pathlib import Path

import pytest

from reconciler.cli.naming import speaker_status
from reconciler.cli.options import Output
from reconciler.cluster.role_files import RoleFiles
from reconciler.telemetry.speaker_status import MemberRow, MemberState, SpeakerStatus, document
from tests.cli.conftest import Run
from tests.telemetry.builders import REFUSING, SESSION, speaker

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
                "sessions",
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


def publish(found: SpeakerStatus) -> None:
    asyncio.run(RoleFiles("cluster").publish(speaker_status(found.node, found.lb_class), document(found)))


@pytest.mark.usefixtures("work")
def test_the_sessions_behind_a_route_are_told_where_speakers_have_published_any(reconciler: Run) -> None:
    plain = json.loads(reconciler("explain billing/gateway --config config --cluster dir:cluster --output json")[1])
    assert plain["sessions"] == []
    routes = {(row["node"], row["peer"]) for row in plain["announcements"]}
    assert {node for node, _ in routes} == {"worker-1", "worker-2", "worker-3"}
    dead = [MemberRow(node="worker-2", state=MemberState.ABSENT)]
    publish(speaker(node="worker-1", sessions=[SESSION, REFUSING], members=dead))
    publish(speaker(node="worker-2", sessions=[SESSION, REFUSING], members=()))
    publish(speaker(node="worker-3", sessions=[SESSION, REFUSING], members=(), lb_class="example.com/other"))
    _, out, _ = reconciler("explain billing/gateway --config config --cluster dir:cluster --output json")
    found = {(row["node"], row["peer"]): row for row in json.loads(out)["sessions"]}
    assert found.keys() == routes
    up, down = found["worker-1", "tor-a"], found["worker-1", "tor-b"]
    assert (up["state"], up["remote"], up["told"], up["wanted"], up["bfd"]) == (
        *("established", "192.0.2.254:179"),
        *(2, 3, "up"),
    )
    assert (down["state"], down["downSince"], down["trouble"]) == (
        *("down", "2026-01-01T12:00:00Z"),
        "tor-b refuses the connection",
    )
    # What a dead one has published stays, and that of another class is about other Services.
    assert {found[node, "tor-a"]["state"] for node in ("worker-2", "worker-3")} == {"unknown"}
    _, text, _ = reconciler("explain billing/gateway --config config --cluster dir:cluster")
    assert "By these sessions\n  worker-1  tor-a  192.0.2.254:179  established since 2026-01-01T12:00:00Z" in text
    assert down["vrf"] == "red"
    assert "\n  worker-1  tor-b  [2001:db8::254]:179 in red  down since 2026-01-01T12:00:00Z" in text


@pytest.mark.usefixtures("work")
def test_what_no_speaker_has_written_is_passed_over(reconciler: Run) -> None:
    publish(speaker(node="worker-1", sessions=[SESSION]))
    for name, text in (("bad", "{"), ("controller", '{"role": "controller"}'), ("deep", "[" * 100_000)):
        Path(f"cluster/status/lb-reconciler-status-{name}.json").write_text(text, encoding="utf-8")
    status, out, err = reconciler("explain billing/gateway --config config --cluster dir:cluster --output json")
    assert (status, err) == (0, "")
    assert [row["peer"] for row in json.loads(out)["sessions"] if row["state"] != "unknown"] == ["tor-a"]


@pytest.mark.usefixtures("work")
def test_a_service_without_a_route_has_no_sessions(reconciler: Run) -> None:
    publish(speaker(node="worker-1", sessions=[SESSION]))
    _, out, _ = reconciler("explain shop/web --config config --cluster dir:cluster --output json")
    assert json.loads(out)["sessions"] == []


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
