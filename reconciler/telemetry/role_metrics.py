"""
What every role measures, and how it is shown: in the text format of Prometheus.

What the status of a process tells is read from it when somebody asks for the metrics; what happens once is counted
here.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

import msgspec
from prometheus_client import Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from reconciler.model.origin import Severity
from reconciler.telemetry.status import HELD, PASSED, REFUSED, ClusterState, LastPass, NewestRevision, ProblemFound

# Prometheus text format 0.0.4, which every scraper reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PASS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class PassResult(StrEnum):
    """How a pass ended."""

    DONE = "done"
    FAILED = "failed"
    NOT_SYNCED = "not-synced"
    NOT_LEADING = "not-leading"


class RoleStatus(Protocol):
    """What the status of every role tells."""

    @property
    def revision(self) -> str | None:
        """The configuration in force."""
        ...

    @property
    def newest(self) -> NewestRevision:
        """What the files say now."""
        ...

    @property
    def problems(self) -> tuple[ProblemFound, ...]:
        """Those of the newest configuration."""
        ...

    @property
    def last_pass(self) -> LastPass:
        """The pass that ended last."""
        ...

    @property
    def cluster(self) -> ClusterState:
        """Whether the cluster can be relied on."""
        ...


class RoleReading(msgspec.Struct, frozen=True, kw_only=True):
    """
    A process at the moment of a scrape.

    `updates` counts changes of watched objects and of files; `queue_age` is how many seconds the oldest wake-up has
    waited for its pass; events are those that are not written yet, and those given up. The last three count by kind of
    object.
    """

    status: RoleStatus
    updates: int = 0
    queue_age: float = 0.0
    events_waiting: int = 0
    events_dropped: int = 0
    relists: Mapping[str, int] = {}
    watch_restarts: Mapping[str, int] = {}
    decode_failures: Mapping[str, int] = {}


ReadingT = TypeVar("ReadingT", bound=RoleReading)
_Reading_co = TypeVar("_Reading_co", bound=RoleReading, covariant=True)
_Reading_contra = TypeVar("_Reading_contra", bound=RoleReading, contravariant=True)
Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class At(Generic[_Reading_co]):
    """What the families of one scrape are computed from; `now` is in seconds since the epoch."""

    reading: _Reading_co
    version: str
    failed_passes: int
    now: float


class FamilyType(StrEnum):
    """What a family is, as Prometheus calls it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    UNTYPED = "untyped"  # a counter whose name, given by others, lacks the ending of one


_FAMILIES = {
    FamilyType.GAUGE: GaugeMetricFamily,
    FamilyType.COUNTER: CounterMetricFamily,
    FamilyType.UNTYPED: UnknownMetricFamily,
}


@dataclass(frozen=True, slots=True)
class Family(Generic[_Reading_contra]):
    """One family that is read at a scrape: each sample has the values of its labels, and a number."""

    name: str
    help: str
    samples: Callable[[At[_Reading_contra]], Samples]
    labels: tuple[str, ...] = ()
    type: FamilyType = FamilyType.GAUGE

    def collect(self, at: At[_Reading_contra]) -> Metric:
        """The family at that moment."""
        family: GaugeMetricFamily | CounterMetricFamily | UnknownMetricFamily
        family = _FAMILIES[self.type](self.name, self.help, labels=self.labels)
        for labels, value in self.samples(at):
            family.add_metric(labels, value)
        return family


class RoleMetrics(Generic[ReadingT]):
    """The metrics of one process. Methods may be called from any thread."""

    def __init__(
        self, version: str, families: Iterable[Family[ReadingT]], *, clock: Callable[[], float] = time.time
    ) -> None:
        # Twice the series, for a moment that process_start_time_seconds tells as well.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self.registry = CollectorRegistry()
        self._gauges = _Gauges(version, tuple(families), clock)
        self.registry.register(self._gauges)
        ProcessCollector(registry=self.registry)
        self._passes = counters(self.registry, "lb_reconciler_passes_total", "Passes, by how they ended.", PassResult)
        self._pass_seconds = Histogram(
            "lb_reconciler_pass_duration_seconds",
            "How long passes took, from the look at the cluster to the last write.",
            buckets=_PASS_SECONDS,
            registry=self.registry,
        )

    def follow(self, read: Callable[[], ReadingT]) -> None:
        """Ask that function at every scrape, in the thread of the scrape; before that there are no gauges of ours."""
        self._gauges.read = read

    def pass_ended(self, result: PassResult, seconds: float) -> None:
        """Count a pass."""
        self._passes[result].inc()
        self._pass_seconds.observe(seconds)
        if result is PassResult.FAILED:
            self._gauges.failed_passes += 1

    def exposition(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self.registry)


ResultT = TypeVar("ResultT", bound=StrEnum)


def counters(registry: CollectorRegistry, name: str, help: str, results: type[ResultT]) -> dict[ResultT, Counter]:  # noqa: A002 - the word of the format
    """A counter with the label `result`, shown at 0 for each of them from the beginning."""
    family = Counter(name, help, ["result"], registry=registry)
    return {result: family.labels(result) for result in results}


class _Gauges(Collector, Generic[ReadingT]):
    def __init__(self, version: str, families: tuple[Family[ReadingT], ...], clock: Callable[[], float]) -> None:
        self._version = version
        self._families = families
        self._clock = clock
        self.read: Callable[[], ReadingT] | None = None
        self.failed_passes = 0

    def collect(self) -> Iterator[Metric]:
        if self.read is not None:
            at = At(self.read(), self._version, self.failed_passes, self._clock())
            yield from (family.collect(at) for family in self._families)

    def describe(self) -> Iterable[Metric]:
        """Nothing can be asked for before the process is wired up."""
        return ()


def one(value: Callable[[At[ReadingT]], float]) -> Callable[[At[ReadingT]], Samples]:
    """The samples of a family without labels."""
    return lambda at: (((), float(value(at))),)


def each(values: Callable[[At[ReadingT]], Mapping[str, int]]) -> Callable[[At[ReadingT]], Samples]:
    """The samples of a family with one label, by its value."""
    return lambda at: (((label,), float(value)) for label, value in sorted(values(at).items()))


def info(*values: str | None) -> Samples:
    """The sample of a family that says everything in its labels."""
    return (((*(value or "" for value in values),), 1.0),)


def _verdicts(at: At[RoleReading]) -> Samples:
    return (((verdict,), float(at.reading.status.newest.verdict == verdict)) for verdict in (PASSED, HELD, REFUSED))


def _problems(at: At[RoleReading]) -> Samples:
    found = [problem.severity for problem in at.reading.status.problems]
    return (((severity.value,), float(found.count(severity))) for severity in Severity)


def _away_seconds(at: At[RoleReading]) -> float:
    since = at.reading.status.cluster.away_since
    return max(0.0, at.now - since.timestamp()) if since else 0.0


def _last_pass(at: At[RoleReading]) -> float:
    finished = at.reading.status.last_pass.finished_at
    return finished.timestamp() if finished else 0.0


SHARED: tuple[Family[RoleReading], ...] = (
    Family(
        "metallb_k8s_client_updates_total",
        "Changes of watched objects and of configuration files that were read.",
        one(lambda at: at.reading.updates),
        type=FamilyType.COUNTER,
    ),
    Family(
        "metallb_k8s_client_update_errors_total",
        "Passes that failed, and watched objects that could not be read.",
        one(lambda at: at.failed_passes + sum(at.reading.decode_failures.values())),
        type=FamilyType.COUNTER,
    ),
    Family(
        "metallb_k8s_client_config_loaded_bool",
        "1 when a configuration is in force.",
        one(lambda at: at.reading.status.revision is not None),
    ),
    Family(
        "lb_reconciler_build_info",
        "1; the version is a label.",
        lambda at: info(at.version),
        ("version",),
    ),
    Family(
        "lb_reconciler_applied_revision_info",
        "1; the revision of the configuration in force is a label, empty when there is none.",
        lambda at: info(at.reading.status.revision),
        ("revision",),
    ),
    Family(
        "lb_reconciler_newest_revision_info",
        "1; the revision that the files have is a label, empty when they cannot be read.",
        lambda at: info(at.reading.status.newest.revision),
        ("revision",),
    ),
    Family(
        "lb_reconciler_newest_revision_verdict",
        "1 for the verdict on the revision that the files have, 0 for the others.",
        _verdicts,
        ("verdict",),
    ),
    Family(
        "lb_reconciler_configuration_problems",
        "Problems of the revision that the files have, by severity.",
        _problems,
        ("severity",),
    ),
    Family(
        "lb_reconciler_cluster_synced",
        "1 once everything that is watched has been read completely.",
        one(lambda at: at.reading.status.cluster.synced),
    ),
    Family(
        "lb_reconciler_cluster_away_seconds",
        "For how long the cluster has not answered; 0 while it does.",
        one(_away_seconds),
    ),
    Family(
        "lb_reconciler_queue_age_seconds",
        "For how long the oldest wake-up has waited for its pass; 0 when none waits.",
        one(lambda at: at.reading.queue_age),
    ),
    Family(
        "lb_reconciler_last_pass_timestamp_seconds",
        "When the last pass ended, in seconds since the epoch; 0 before the first.",
        one(_last_pass),
    ),
    Family(
        "lb_reconciler_events_waiting",
        "Events that are not written yet.",
        one(lambda at: at.reading.events_waiting),
    ),
    Family(
        "lb_reconciler_events_dropped_total",
        "Events that were given up because too many waited, or because they could not be written.",
        one(lambda at: at.reading.events_dropped),
        type=FamilyType.COUNTER,
    ),
    Family(
        "lb_reconciler_relists_total",
        "How often all objects of a kind had to be listed again.",
        each(lambda at: at.reading.relists),
        ("kind",),
        type=FamilyType.COUNTER,
    ),
    Family(
        "lb_reconciler_watch_restarts_total",
        "Watches of a kind of object that were opened again after they had lasted their time.",
        each(lambda at: at.reading.watch_restarts),
        ("kind",),
        type=FamilyType.COUNTER,
    ),
    Family(
        "lb_reconciler_decode_failures_total",
        "Watched objects of a kind that could not be read.",
        each(lambda at: at.reading.decode_failures),
        ("kind",),
        type=FamilyType.COUNTER,
    ),
)
