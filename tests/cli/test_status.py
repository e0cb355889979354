"""`reconciler status`: how things stand, from what controllers publish and what Services have."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.allocation.allocate import allocate
from reconciler.allocation.reasons import Reason
from reconciler.cli.status import _code
from reconciler.cluster.role_files import RoleFiles
from reconciler.model.origin import Origin, Problem
from reconciler.plan.conditions import reason_word
from reconciler.telemetry.status import (
    REFUSED,
    ClusterState,
    ControllerStatus,
    LastPass,
    NewestRevision,
    document,
)
from tests.builders import desired, observed, pool, service
from tests.cli.builders import HOSTILE
from tests.cli.conftest import EXAMPLES, Run
from tests.cli.live import furnish
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane
from tests.telemetry.builders import DIGEST, NOON, OVERLAP, held, status

NAME = "lb-reconciler-status-controller"
EXPECTED = Path(__file__).parent / "expected"
REWRITE = "RECONCILER_REWRITE_EXPECTED"
GOLD = {"metallb.io/ip-allocated-from-pool": "gold"}
# As in diff: addresses in a status of ours, somebody else's, none, and none that could be given.
MANIFESTS: list[dict[str, Any]] = [
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"type": kind, "loadBalancerClass": lb_class, "ports": [{"port": 80}]},
        "status": {
            "loadBalancer": {"ingress": [{"ip": ip} for ip in ips]},
            "conditions": [
                {"type": "lb-reconciler.io/Assigned", "status": condition, "reason": reason, "message": message}
                for condition, reason, message in conditions
            ],
        },
    }
    for name, kind, lb_class, annotations, ips, conditions in [
        ("api", "LoadBalancer", None, GOLD, ["192.0.2.1"], [("True", "Assigned", 'from pool "gold"')]),
        ("foreign", "LoadBalancer", None, {}, ["203.0.113.9"], []),
        ("internal", "ClusterIP", None, {}, [], []),
        ("lost", "LoadBalancer", None, {}, [], [("False", "UnknownPool", 'unknown pool "silver"')]),
        ("new", "LoadBalancer", None, {}, [], []),
        ("theirs", "LoadBalancer", "example.com/x", {}, [], []),
        (
            "wish",
            "LoadBalancer",
            None,
            GOLD,
            ["192.0.2.3"],
            [("True", "Assigned", 'from pool "gold"; unknown pool "silver"')],
        ),
    ]
]


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A directory of manifests."""
    directory = tmp_path / "cluster"
    directory.mkdir()
    (directory / "services.json").write_text(json.dumps(MANIFESTS))
    return directory


def publish(cluster: Path, octets: bytes, name: str = NAME) -> None:
    """As a controller does that runs on the directory."""
    asyncio.run(RoleFiles(cluster).publish(name, octets))


@pytest.fixture
def text(reconciler: Run, cluster: Path) -> Any:
    """What `status` prints when that is what a controller has published."""

    def show(found: ControllerStatus | None = None, more: str = "") -> str:
        if found is not None:
            publish(cluster, document(found))
        exit_status, out, err = reconciler(f"status --cluster dir:{cluster} {more}")
        assert (exit_status, err) == (0, "")
        return out

    return show


FULL = desired(
    pool("a-full", "192.0.2.0/31"), pool("b-filling", "192.0.2.16/30"), pool("c-wide", "2001:db8::/64"), revision="r"
)
CROWD = observed(
    *(service(f"a/s{n}", requested_pool="a-full" if n < 2 else "b-filling") for n in range(5)),
    service("a/six", families="6", requested_pool="c-wide"),
)
STATES = {
    "fine": status(),
    "held": held(),
    "refused": status(
        newest=NewestRevision(revision="sha256:two", verdict=REFUSED, since=NOON, message=f"{OVERLAP.origin}: overlap"),
        problems=[OVERLAP],
    ),
    "nothing-in-force": status(
        in_force=None,
        decided_on=None,
        allocation=None,
        newest=NewestRevision(verdict=REFUSED, since=NOON, message="config: no such directory"),
        state_dir_problem="/state is read-only",
    ),
    "in-trouble": status(
        lb_class="",
        last_pass=LastPass(error="2 of 5 Services could not be written"),
        cluster=ClusterState(synced=True, away_since=NOON + timedelta(hours=1)),
        decided_on=FULL,
        allocation=allocate(FULL, CROWD),
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_text_is_as_expected(text: Any, name: str) -> None:
    path = EXPECTED / f"status-{name}.txt"
    shown = text(STATES[name])
    if os.environ.get(REWRITE):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


def test_without_a_controller_the_services_are_shown_all_the_same(text: Any, cluster: Path) -> None:
    shown = text()
    assert f"No controller has published its status in {cluster}." in shown
    assert "1 assigned" not in shown
    assert "2 assigned, 2 pending, 1 served by somebody else" in shown


def test_the_digest_of_a_held_plan_and_how_to_approve_it_are_shown(text: Any) -> None:
    assert f"approvedPlan: {DIGEST}" in text(held())


def test_many_services_are_counted_and_not_listed(text: Any, cluster: Path) -> None:
    many = [{**MANIFESTS[4], "metadata": {"name": f"s{n:04}", "namespace": "crowd"}} for n in range(100)]
    (cluster / "many.json").write_text(json.dumps(many))
    shown = text(status())
    assert "102 pending" in shown
    assert "and 83 more Services: --output json lists all of them" in shown
    assert len(shown.splitlines()) < 70


def test_a_class_is_that_of_the_controller_or_the_one_that_is_asked_for(text: Any) -> None:
    assert "shop/theirs" in text(status(lb_class="example.com/x"))
    assert 'class "example.com/x"' in text()
    asked = text(more="--lb-class example.com/other")
    assert "Services  0 assigned, 0 pending" in asked
    assert "Controller" not in asked


def test_json_tells_the_same_and_more(reconciler: Run, cluster: Path) -> None:
    publish(cluster, document(held()))
    exit_status, out, err = reconciler(f"status --cluster dir:{cluster} --output json")
    assert (exit_status, err) == (0, "")
    found = json.loads(out)
    assert list(found) == ["formatVersion", "published", "leases", "services", "counts"]
    assert found["leases"] is None
    ((name, problem, published),) = [tuple(row.values()) for row in found["published"]]
    assert (name, problem) == (NAME, None)
    assert published == json.loads(document(held()))
    rows = {row["service"]: (row["state"], row["addresses"], row["pool"], row["reason"]) for row in found["services"]}
    assert rows == {
        "shop/api": ("assigned", ["192.0.2.1"], "gold", None),
        "shop/foreign": ("foreign", ["203.0.113.9"], None, None),
        "shop/lost": ("pending", [], None, "unknown-pool"),
        "shop/new": ("pending", [], None, None),
        "shop/wish": ("assigned", ["192.0.2.3"], "gold", None),
    }
    messages = {row["service"]: row["message"] for row in found["services"]}
    assert messages["shop/wish"] == messages["shop/lost"] == 'unknown pool "silver"'
    assert messages["shop/api"] is None
    assert found["counts"] == {"assigned": 2, "pending": 2, "foreign": 1, "unmet": 2}


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="an empty document"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"[1]", id="no object"),
        pytest.param(document(status())[:-50], id="half a document"),
        pytest.param(b'{"role": "controller"}', id="keys are missing"),
        pytest.param(document(status()).replace(b'"leading": true', b'"leading": 7'), id="a wrong type"),
    ],
)
def test_a_damaged_document_is_said_and_ends_nothing(
    reconciler: Run, cluster: Path, octets: bytes, output: str
) -> None:
    publish(cluster, octets)
    exit_status, out, err = reconciler(f"status --cluster dir:{cluster} --output {output}")
    assert (exit_status, err) == (0, "")
    assert "what it published cannot be read" in out
    assert "shop/lost" in out


def test_every_reason_code_is_found_behind_the_word_in_a_condition() -> None:
    words = {code: reason_word(code) for code in Reason}
    assert {code: _code(word) for code, word in words.items()} == {code: code.value for code in Reason}
    assert _code("SomebodyElses") == "SomebodyElses"


def test_another_role_is_passed_on(reconciler: Run, cluster: Path) -> None:
    publish(cluster, b'{"role": "watchman", "node": "a"}', "lb-reconciler-status-a")
    _, out, _ = reconciler(f"status --cluster dir:{cluster} --output json")
    (row,) = json.loads(out)["published"]
    assert row["document"] == {"role": "watchman", "node": "a"}


def test_nothing_that_somebody_else_wrote_reaches_a_terminal_unescaped(text: Any, cluster: Path) -> None:
    (cluster / "services.json").write_text(json.dumps(MANIFESTS).replace("silver", json.dumps(HOSTILE)[1:-1]))
    origin = Origin(HOSTILE, 1, 1)
    shown = text(
        held(
            version=HOSTILE,
            identity=HOSTILE,
            leader=HOSTILE,
            problems=[Problem(origin, "x", HOSTILE)],
            last_pass=LastPass(error=HOSTILE),
            state_dir_problem=HOSTILE,
            decided_on=desired(pool(HOSTILE, "192.0.2.0/29")),
        )
    )
    assert not [character for character in shown if not character.isprintable() and character != "\n"]


def test_only_a_terminal_is_coloured(text: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = text(held())
    monkeypatch.setattr("reconciler.cli.status.wants_color", lambda _: True)
    coloured = text()
    assert coloured != plain
    for code in ("0", "1", "31", "32", "33"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


# In a cluster


@pytest.fixture
def kubeconfig(control_plane: ControlPlane) -> Path:
    return control_plane.kubeconfig("admin")


@pytest.fixture
def own_namespace(api: Api, namespace: str) -> str:
    """A namespace of ours, and the one of status beside it."""
    api.create_namespace(f"{namespace}-status")
    return namespace


@pytest.fixture
def live(reconciler: Run, own_namespace: str, kubeconfig: Path) -> Callable[..., str]:
    """What `status` prints of the live cluster."""

    def show(more: str = "") -> str:
        line = f"status --kubeconfig {kubeconfig} --namespace {own_namespace} {more}"
        exit_status, out, err = reconciler(line)
        assert (exit_status, err) == (0, "")
        return out

    return show


def test_a_live_cluster(live: Callable[..., str], api: Api, own_namespace: str, lb_class: str) -> None:
    furnish(api, own_namespace, lb_class)
    octets = document(held(lb_class=lb_class)).decode()
    for name, data in ((NAME, {"status.json": octets}), ("kube-root-ca.crt", {}), (f"{NAME}-x", None)):
        api.create("configmaps", f"{own_namespace}-status", {"metadata": {"name": name}, "data": data})
    found = json.loads(live("--output json"))
    assert [row["name"] for row in found["published"]] == [NAME]
    assert found["published"][0]["document"]["guard"]["digest"] == DIGEST
    assert found["counts"] == {"assigned": 1, "pending": 3, "foreign": 0, "unmet": 0}
    text = live()
    assert "HELD" in text
    assert f"{own_namespace}/wish" in text


@pytest.mark.parametrize(
    ("holder", "renewed_ago", "expected"),
    [
        pytest.param("controller-a", 0, "lease      leads, last heard of at 2", id="it leads"),
        pytest.param("controller-a", 3600, "lease      not heard of since 2", id="it went silent"),
        pytest.param("controller-b", 0, "lease      it does not lead any more", id="another one leads"),
        pytest.param("", 0, "lease      it does not lead any more", id="nobody leads"),
    ],
)
def test_a_controller_that_is_gone_is_not_taken_for_one_that_leads(
    live: Callable[..., str], own_namespace: str, holder: str, renewed_ago: int, expected: str, *, api: Api
) -> None:
    data = {"status.json": document(status()).decode()}
    api.create("configmaps", f"{own_namespace}-status", {"metadata": {"name": NAME}, "data": data})
    renewed = (datetime.now(UTC) - timedelta(seconds=renewed_ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
    api.create("leases", own_namespace, {"metadata": {"name": "lb-reconciler-controller"}, "spec": spec})
    api.create("leases", own_namespace, {"metadata": {"name": "theirs"}, "spec": {"holderIdentity": "controller-a"}})
    assert expected in live()
    (lease,) = json.loads(live("--output json"))["leases"]
    assert (lease["lease"], lease["holder"]) == ("lb-reconciler-controller", holder or None)


def test_a_live_cluster_without_a_controller(live: Callable[..., str], own_namespace: str) -> None:
    out = live("--lb-class x/y")
    assert out.startswith(f'No controller has published its status in namespace "{own_namespace}-status".')


def test_a_bundled_example(reconciler: Run, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "demo-cluster", tmp_path / "cluster")
    exit_status, out, _ = reconciler(f"status --cluster dir:{tmp_path / 'cluster'}")
    assert (exit_status, "pending" in out) == (0, True)
