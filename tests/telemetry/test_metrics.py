"""What is measured, under which names, and that the documentation says so."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.allocation.allocate import allocate
from reconciler.telemetry.metrics import Metrics, WriteResult
from reconciler.telemetry.role_metrics import PassResult
from reconciler.telemetry.status import PASSED, REFUSED, ClusterState, ControllerStatus, LastPass, NewestRevision
from tests.builders import desired, observed, pool
from tests.telemetry.builders import DIGEST, NOON, OVERLAP, POOLS, SERVICES, held, reading, status

DOCUMENTED = Path(__file__).parents[2] / "docs/metrics.md"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def measured(found: ControllerStatus | None = None, metrics: Metrics | None = None, **facts: Any) -> Samples:
    """Every sample of a scrape, by name and sorted labels."""
    metrics = metrics or Metrics("1.2.3", clock=lambda: NOON.timestamp() + 60)
    metrics.follow(lambda: reading(found or status(), **facts))
    return samples_of(metrics.exposition())


def samples_of(exposition: bytes) -> Samples:
    families = text_string_to_metric_families(exposition.decode())
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def families_of(exposition: bytes) -> set[tuple[str, str, str]]:
    """Name, type and sorted labels of each; all of them have a description."""
    found = set()
    for family in text_string_to_metric_families(exposition.decode()):
        # The parser takes the ending off that makes a counter one, and calls what has no type unknown.
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found.add((name, family.type.replace("unknown", "untyped"), " ".join(sorted(labels))))
        assert family.documentation
    return found


def documented(role: str) -> set[tuple[str, str, str]]:
    """What the documentation says that a role measures."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| (\w+) \| \S", DOCUMENTED.read_text("utf-8"), re.MULTILINE)
    return {
        (name, kind, " ".join(sorted(labels.replace("`", "").split())))
        for name, kind, labels, of_whom in rows
        if of_whom in {role, "both"}
    }


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def labels_of(samples: Samples, name: str) -> list[dict[str, str]]:
    return [dict(labels) for found, labels in samples if found == name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metallb_allocator_ipv4_addresses_total", 8),
        ("metallb_allocator_ipv6_addresses_total", float(1 << 63)),
        ("metallb_allocator_addresses_total", float(1 << 63)),
        ("metallb_allocator_ipv4_addresses_in_use_total", 3),
        ("metallb_allocator_ipv6_addresses_in_use_total", 1),
        ("metallb_allocator_addresses_in_use_total", 4),
        ("metallb_allocator_services_allocated_total", 4),
    ],
)
def test_a_pool_is_measured_as_metallb_does(name: str, value: float) -> None:
    # As a double, 2^63 - 1 is 2^63.
    assert of(measured(), name, pool="gold") == value


def test_an_empty_pool_is_measured_and_nothing_is_below_zero() -> None:
    samples = measured()
    assert of(samples, "metallb_allocator_addresses_in_use_total", pool="spare") == 0
    assert of(samples, "metallb_allocator_ipv6_addresses_total", pool="spare") == 0
    assert min(samples.values()) >= 0


def test_the_series_of_a_pool_go_with_it() -> None:
    metrics = Metrics("1")
    before = measured(metrics=metrics)
    assert {"pool": "spare"} in labels_of(before, "metallb_allocator_addresses_total")
    smaller = desired(pool("gold", "192.0.2.0/29"))
    after = measured(status(decided_on=smaller, allocation=allocate(smaller, SERVICES)), metrics)
    assert {labels["pool"] for labels in map(dict, (labels for _, labels in after)) if "pool" in labels} == {"gold"}


def test_no_series_is_about_a_single_service() -> None:
    text = str(measured())
    assert not [service.key for service in SERVICES.services if service.key in text]


def test_the_configuration_in_force_and_the_newest_one() -> None:
    samples = measured(held())
    assert labels_of(samples, "lb_reconciler_applied_revision_info") == [{"revision": "sha256:one"}]
    assert labels_of(samples, "lb_reconciler_newest_revision_info") == [{"revision": "sha256:two"}]
    verdicts = {v: of(samples, "lb_reconciler_newest_revision_verdict", verdict=v) for v in (PASSED, "held", REFUSED)}
    assert verdicts == {PASSED: 0, "held": 1, REFUSED: 0}


@pytest.mark.parametrize(
    ("found", "loaded", "stale"),
    [
        pytest.param(status(), 1, 0, id="in force as the files say"),
        pytest.param(held(), 1, 1, id="a newer one is held"),
        pytest.param(status(newest=NewestRevision(verdict=REFUSED)), 1, 1, id="the files cannot be read"),
        pytest.param(status(in_force=None, newest=NewestRevision(verdict=REFUSED)), 0, 0, id="none at all"),
    ],
)
def test_whether_a_configuration_is_loaded_and_stale(found: ControllerStatus, loaded: int, stale: int) -> None:
    samples = measured(found)
    assert of(samples, "metallb_k8s_client_config_loaded_bool") == loaded
    assert of(samples, "metallb_k8s_client_config_stale_bool") == stale


def test_a_held_plan_shows_its_digest_while_it_is_held() -> None:
    samples = measured(held())
    assert of(samples, "lb_reconciler_plan_held") == 1
    assert of(samples, "lb_reconciler_held_services") == 2
    assert labels_of(samples, "lb_reconciler_held_plan_info") == [{"digest": DIGEST}]
    afterwards = measured()
    assert of(afterwards, "lb_reconciler_plan_held") == 0
    assert labels_of(afterwards, "lb_reconciler_held_plan_info") == []


def test_problems_are_counted_by_severity() -> None:
    samples = measured(status(problems=[OVERLAP]))
    assert of(samples, "lb_reconciler_configuration_problems", severity="error") == 1
    assert of(samples, "lb_reconciler_configuration_problems", severity="warning") == 0


def test_services_are_counted() -> None:
    samples = measured()
    assert (of(samples, "lb_reconciler_services"), of(samples, "lb_reconciler_services_pending")) == (5, 1)
    assert of(samples, "lb_reconciler_services_refused", reason="unknown-pool") == 2


def test_passes_are_counted_and_timed() -> None:
    metrics = Metrics("1")
    metrics.pass_ended(PassResult.DONE, 0.02)
    metrics.pass_ended(PassResult.FAILED, 3)
    samples = measured(metrics=metrics, decode_failures={"Service": 2})
    assert [of(samples, "lb_reconciler_passes_total", result=result) for result in PassResult] == [1, 1, 0, 0]
    assert of(samples, "lb_reconciler_pass_duration_seconds_count") == 2
    assert of(samples, "lb_reconciler_pass_duration_seconds_bucket", le="0.025") == 1
    assert of(samples, "metallb_k8s_client_update_errors_total") == 3


def test_writes_are_counted_and_only_those_that_were_sent_are_timed() -> None:
    metrics = Metrics("1")
    for result in WriteResult:
        metrics.write_ended(result, 0.01)
    samples = measured(metrics=metrics)
    assert all(of(samples, "lb_reconciler_writes_total", result=result) == 1 for result in WriteResult)
    assert of(samples, "lb_reconciler_write_duration_seconds_count") == 3


def test_what_the_process_reads_of_itself() -> None:
    samples = measured(
        updates=7,
        queue_age=1.5,
        events_waiting=3,
        events_dropped=2,
        relists={"Service": 2, "Node": 1},
        watch_restarts={"Service": 4},
    )
    assert of(samples, "metallb_k8s_client_updates_total") == 7
    assert of(samples, "lb_reconciler_queue_age_seconds") == 1.5
    assert of(samples, "lb_reconciler_events_waiting") == 3
    assert of(samples, "lb_reconciler_events_dropped_total") == 2
    assert of(samples, "lb_reconciler_relists_total", kind="Service") == 2
    assert of(samples, "lb_reconciler_watch_restarts_total", kind="Service") == 4


@pytest.mark.parametrize(
    ("cluster", "synced", "away"),
    [
        pytest.param(ClusterState(), 0, 0, id="not read yet"),
        pytest.param(ClusterState(synced=True), 1, 0, id="it answers"),
        pytest.param(ClusterState(synced=True, away_since=NOON), 1, 60, id="it is away"),
        pytest.param(ClusterState(away_since=NOON + timedelta(hours=1)), 0, 0, id="a clock that went back"),
    ],
)
def test_how_the_cluster_is(cluster: ClusterState, synced: int, away: float) -> None:
    samples = measured(status(cluster=cluster))
    assert of(samples, "lb_reconciler_cluster_synced") == synced
    assert of(samples, "lb_reconciler_cluster_away_seconds") == away


@pytest.mark.parametrize(
    ("last_pass", "expected"),
    [
        pytest.param(LastPass(), 0, id="before the first"),
        pytest.param(LastPass(finished_at=NOON), NOON.timestamp(), id="afterwards"),
    ],
)
def test_when_the_last_pass_ended(last_pass: LastPass, expected: float) -> None:
    assert of(measured(status(last_pass=last_pass)), "lb_reconciler_last_pass_timestamp_seconds") == expected


def test_a_process_that_does_not_lead_says_so() -> None:
    assert of(measured(status(leading=False)), "lb_reconciler_leading") == 0


def test_before_the_process_is_wired_up_there_are_counters_only() -> None:
    text = Metrics("1").exposition().decode()
    assert "lb_reconciler_passes_total" in text
    assert "metallb_" not in text


def test_two_processes_in_one_test_do_not_share_their_numbers() -> None:
    first, second = Metrics("1"), Metrics("1")
    first.pass_ended(PassResult.DONE, 1)
    assert of(measured(metrics=second), "lb_reconciler_passes_total", result="done") == 0


def test_names_of_pools_are_escaped() -> None:
    hostile = 'a"\n\\'
    pools = desired(pool(hostile, "192.0.2.0/29"))
    samples = measured(status(decided_on=pools, allocation=allocate(pools, observed())))
    assert of(samples, "metallb_allocator_addresses_total", pool=hostile) == 8


def test_the_documentation_lists_exactly_what_is_measured() -> None:
    metrics = Metrics("1")
    found = held(problems=[OVERLAP], allocation=allocate(POOLS, SERVICES))
    metrics.follow(lambda: reading(found, relists={"Node": 1}, watch_restarts={"Node": 1}, decode_failures={"Node": 1}))
    assert documented("controller") == families_of(metrics.exposition())
