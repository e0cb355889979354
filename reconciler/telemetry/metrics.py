"""
Every metric, declared in one place: MetalLB's names for what MetalLB measures, and our own beside them.

What the status of a process tells is read from it when somebody asks for the metrics; what happens once is counted
here. There is no series for a single Service.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from prometheus_client import Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from reconciler.model.origin import Severity
from reconciler.telemetry.occupancy import PoolFill
from reconciler.telemetry.status import HELD, PASSED, REFUSED, ControllerStatus

# Prometheus text format 0.0.4, which every scraper reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# MetalLB counts in 64 bits; larger pools are clamped, and alerts compare what it would export.
_LARGEST = (1 << 63) - 1
_PASS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WRITE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class PassResult(StrEnum):
    """How a pass ended."""

    DONE = "done"
    FAILED = "failed"
    NOT_SYNCED = "not-synced"
    NOT_LEADING = "not-leading"


class WriteResult(StrEnum):
    """How the write of one Service ended."""

    WRITTEN = "written"
    CONFLICT = "conflict"
    FAILED = "failed"
    NOT_LEADING = "not-leading"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """
    A process at the moment of a scrape.

    `updates` counts changes of watched objects and of files; `queue_age` is how many seconds the oldest wake-up has
    waited for its pass; events are those that are not written yet, and those given up. The last three count by kind of
    object.
    """

    status: ControllerStatus
    updates: int = 0
    queue_age: float = 0.0
    events_waiting: int = 0
    events_dropped: int = 0
    relists: Mapping[str, int] = {}
    watch_restarts: Mapping[str, int] = {}
    decode_failures: Mapping[str, int] = {}


class Metrics:
    """The metrics of one process. Methods may be called from any thread."""

    def __init__(self, version: str, *, clock: Callable[[], float] = time.time) -> None:
        # Twice the series, for a moment that process_start_time_seconds tells as well.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self._registry = CollectorRegistry()
        self._gauges = _Gauges(version, clock)
        self._registry.register(self._gauges)
        ProcessCollector(registry=self._registry)
        passes = Counter(
            "lb_reconciler_passes_total", "Passes, by how they ended.", ["result"], registry=self._registry
        )
        writes = Counter(
            "lb_reconciler_writes_total",
            "Writes of the status of a Service, by how they ended.",
            ["result"],
            registry=self._registry,
        )
        self._passes = {result: passes.labels(result) for result in PassResult}
        self._writes = {result: writes.labels(result) for result in WriteResult}
        self._pass_seconds = Histogram(
            "lb_reconciler_pass_duration_seconds",
            "How long passes took, from the look at the cluster to the last write.",
            buckets=_PASS_SECONDS,
            registry=self._registry,
        )
        self._write_seconds = Histogram(
            "lb_reconciler_write_duration_seconds",
            "How long the API server took to answer the write of a Service's status.",
            buckets=_WRITE_SECONDS,
            registry=self._registry,
        )

    def follow(self, read: Callable[[], Reading]) -> None:
        """Ask that function at every scrape, in the thread of the scrape; before that there are no gauges of ours."""
        self._gauges.read = read

    def pass_ended(self, result: PassResult, seconds: float) -> None:
        """Count a pass."""
        self._passes[result].inc()
        self._pass_seconds.observe(seconds)
        if result is PassResult.FAILED:
            self._gauges.failed_passes += 1

    def write_ended(self, result: WriteResult, seconds: float) -> None:
        """Count the write of a Service; one that we had no right to send took no time of anybody's."""
        self._writes[result].inc()
        if result is not WriteResult.NOT_LEADING:
            self._write_seconds.observe(seconds)

    def exposition(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self._registry)


@dataclass(frozen=True, slots=True)
class _At:
    """What the gauges of one scrape are computed from; `now` is in seconds since the epoch."""

    reading: Reading
    version: str
    failed_passes: int
    now: float

    @property
    def status(self) -> ControllerStatus:
        return self.reading.status


_Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class _Family:
    """One family that is read at a scrape: each sample has the values of its labels, and a number."""

    name: str
    help: str
    samples: Callable[[_At], _Samples]
    labels: tuple[str, ...] = ()
    counts: bool = False

    def collect(self, at: _At) -> Metric:
        kind = CounterMetricFamily if self.counts else GaugeMetricFamily
        family = kind(self.name, self.help, labels=self.labels)
        for labels, value in self.samples(at):
            family.add_metric(labels, value)
        return family


class _Gauges(Collector):
    def __init__(self, version: str, clock: Callable[[], float]) -> None:
        self._version = version
        self._clock = clock
        self.read: Callable[[], Reading] | None = None
        self.failed_passes = 0

    def collect(self) -> Iterator[Metric]:
        if self.read is not None:
            at = _At(self.read(), self._version, self.failed_passes, self._clock())
            yield from (family.collect(at) for family in _FAMILIES)

    def describe(self) -> Iterable[Metric]:
        """Nothing can be asked for before the process is wired up."""
        return ()


def _one(value: Callable[[_At], float]) -> Callable[[_At], _Samples]:
    return lambda at: (((), float(value(at))),)


def _each(values: Callable[[_At], Mapping[str, int]]) -> Callable[[_At], _Samples]:
    return lambda at: (((label,), float(value)) for label, value in sorted(values(at).items()))


def _pools(value: Callable[[PoolFill], int]) -> Callable[[_At], _Samples]:
    return lambda at: (((fill.pool,), float(min(value(fill), _LARGEST))) for fill in at.status.pools)


def _info(*values: str | None) -> _Samples:
    return (((*(value or "" for value in values),), 1.0),)


def _capacity4(fill: PoolFill) -> int:
    return fill.assigned_ipv4 + fill.available_ipv4


def _capacity6(fill: PoolFill) -> int:
    return fill.assigned_ipv6 + fill.available_ipv6


def _verdicts(at: _At) -> _Samples:
    return (((verdict,), float(at.status.newest.verdict == verdict)) for verdict in (PASSED, HELD, REFUSED))


def _problems(at: _At) -> _Samples:
    found = [problem.severity for problem in at.status.problems]
    return (((severity.value,), float(found.count(severity))) for severity in Severity)


def _is_stale(at: _At) -> bool:
    return at.status.revision is not None and at.status.revision != at.status.newest.revision


def _away_seconds(at: _At) -> float:
    since = at.status.cluster.away_since
    return max(0.0, at.now - since.timestamp()) if since else 0.0


def _last_pass(at: _At) -> float:
    finished = at.status.last_pass.finished_at
    return finished.timestamp() if finished else 0.0


_FAMILIES = (
    _Family(
        "metallb_allocator_addresses_total",
        "Addresses of a pool, both families.",
        _pools(lambda fill: _capacity4(fill) + _capacity6(fill)),
        ("pool",),
    ),
    _Family("metallb_allocator_ipv4_addresses_total", "IPv4 addresses of a pool.", _pools(_capacity4), ("pool",)),
    _Family("metallb_allocator_ipv6_addresses_total", "IPv6 addresses of a pool.", _pools(_capacity6), ("pool",)),
    _Family(
        "metallb_allocator_addresses_in_use_total",
        "Addresses of a pool that Services hold; a shared one counts once.",
        _pools(lambda fill: fill.assigned_ipv4 + fill.assigned_ipv6),
        ("pool",),
    ),
    _Family(
        "metallb_allocator_ipv4_addresses_in_use_total",
        "IPv4 addresses of a pool that Services hold; a shared one counts once.",
        _pools(lambda fill: fill.assigned_ipv4),
        ("pool",),
    ),
    _Family(
        "metallb_allocator_ipv6_addresses_in_use_total",
        "IPv6 addresses of a pool that Services hold; a shared one counts once.",
        _pools(lambda fill: fill.assigned_ipv6),
        ("pool",),
    ),
    _Family(
        "metallb_allocator_services_allocated_total",
        "Services that hold addresses of a pool.",
        _pools(lambda fill: fill.services),
        ("pool",),
    ),
    _Family(
        "metallb_k8s_client_updates_total",
        "Changes of watched objects and of configuration files that were read.",
        _one(lambda at: at.reading.updates),
        counts=True,
    ),
    _Family(
        "metallb_k8s_client_update_errors_total",
        "Passes that failed, and watched objects that could not be read.",
        _one(lambda at: at.failed_passes + sum(at.reading.decode_failures.values())),
        counts=True,
    ),
    _Family(
        "metallb_k8s_client_config_loaded_bool",
        "1 when a configuration is in force.",
        _one(lambda at: at.status.revision is not None),
    ),
    _Family(
        "metallb_k8s_client_config_stale_bool",
        "1 when the configuration in force is not what the files say: they are refused, held, or cannot be read.",
        _one(_is_stale),
    ),
    _Family(
        "lb_reconciler_build_info",
        "1; the version is a label.",
        lambda at: _info(at.version),
        ("version",),
    ),
    _Family(
        "lb_reconciler_applied_revision_info",
        "1; the revision of the configuration in force is a label, empty when there is none.",
        lambda at: _info(at.status.revision),
        ("revision",),
    ),
    _Family(
        "lb_reconciler_newest_revision_info",
        "1; the revision that the files have is a label, empty when they cannot be read.",
        lambda at: _info(at.status.newest.revision),
        ("revision",),
    ),
    _Family(
        "lb_reconciler_newest_revision_verdict",
        "1 for the verdict on the revision that the files have, 0 for the others.",
        _verdicts,
        ("verdict",),
    ),
    _Family(
        "lb_reconciler_plan_held",
        "1 while the guard holds the plan of the newest revision back.",
        _one(lambda at: at.status.guard.held),
    ),
    _Family(
        "lb_reconciler_held_plan_info",
        "1 while a plan is held; the digest that would approve it is a label.",
        lambda at: _info(at.status.guard.digest) if at.status.guard.held else (),
        ("digest",),
    ),
    _Family(
        "lb_reconciler_held_services",
        "Services that a held plan would take an address from.",
        _one(lambda at: len(at.status.guard.affected)),
    ),
    _Family(
        "lb_reconciler_configuration_problems",
        "Problems of the revision that the files have, by severity.",
        _problems,
        ("severity",),
    ),
    _Family(
        "lb_reconciler_services",
        "Services of type LoadBalancer and of our class.",
        _one(lambda at: at.status.counts.services),
    ),
    _Family(
        "lb_reconciler_services_pending",
        "Services of type LoadBalancer and of our class that wait for an address.",
        _one(lambda at: at.status.counts.pending),
    ),
    _Family(
        "lb_reconciler_services_refused",
        "Services whose request cannot be met, by reason code; some of them hold an older address.",
        _each(lambda at: at.status.counts.refused_by_reason),
        ("reason",),
    ),
    _Family(
        "lb_reconciler_leading",
        "1 while this process holds the Lease and writes.",
        _one(lambda at: at.status.leading),
    ),
    _Family(
        "lb_reconciler_cluster_synced",
        "1 once everything that is watched has been read completely.",
        _one(lambda at: at.status.cluster.synced),
    ),
    _Family(
        "lb_reconciler_cluster_away_seconds",
        "For how long the cluster has not answered; 0 while it does.",
        _one(_away_seconds),
    ),
    _Family(
        "lb_reconciler_queue_age_seconds",
        "For how long the oldest wake-up has waited for its pass; 0 when none waits.",
        _one(lambda at: at.reading.queue_age),
    ),
    _Family(
        "lb_reconciler_last_pass_timestamp_seconds",
        "When the last pass ended, in seconds since the epoch; 0 before the first.",
        _one(_last_pass),
    ),
    _Family(
        "lb_reconciler_events_waiting",
        "Events that are not written yet.",
        _one(lambda at: at.reading.events_waiting),
    ),
    _Family(
        "lb_reconciler_events_dropped_total",
        "Events that were given up because too many waited, or because they could not be written.",
        _one(lambda at: at.reading.events_dropped),
        counts=True,
    ),
    _Family(
        "lb_reconciler_relists_total",
        "How often all objects of a kind had to be listed again.",
        _each(lambda at: at.reading.relists),
        ("kind",),
        counts=True,
    ),
    _Family(
        "lb_reconciler_watch_restarts_total",
        "Watches of a kind of object that were opened again after they had lasted their time.",
        _each(lambda at: at.reading.watch_restarts),
        ("kind",),
        counts=True,
    ),
    _Family(
        "lb_reconciler_decode_failures_total",
        "Watched objects of a kind that could not be read.",
        _each(lambda at: at.reading.decode_failures),
        ("kind",),
        counts=True,
    ),
)
