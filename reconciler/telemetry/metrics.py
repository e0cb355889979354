"""
The metrics of a controller: MetalLB's names for what MetalLB measures, and our own beside them.

There is no series for a single Service.
"""

import time
from collections.abc import Callable
from enum import StrEnum

from prometheus_client import Histogram

from reconciler.telemetry.occupancy import PoolFill
from reconciler.telemetry.role_metrics import (
    SHARED,
    At,
    Family,
    RoleMetrics,
    RoleReading,
    Samples,
    counters,
    each,
    info,
    one,
)
from reconciler.telemetry.status import ControllerStatus

# MetalLB counts in 64 bits; larger pools are clamped, and alerts compare what it would export.
_LARGEST = (1 << 63) - 1
_WRITE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class WriteResult(StrEnum):
    """How the write of one Service ended."""

    WRITTEN = "written"
    CONFLICT = "conflict"
    FAILED = "failed"
    NOT_LEADING = "not-leading"


class Reading(RoleReading, frozen=True, kw_only=True):
    """A controller at the moment of a scrape."""

    status: ControllerStatus


class Metrics(RoleMetrics[Reading]):
    """The metrics of one controller. Methods may be called from any thread."""

    def __init__(self, version: str, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(version, (*_FAMILIES, *SHARED), clock=clock)
        self._writes = counters(
            self.registry,
            "lb_reconciler_writes_total",
            "Writes of the status of a Service, by how they ended.",
            WriteResult,
        )
        self._write_seconds = Histogram(
            "lb_reconciler_write_duration_seconds",
            "How long the API server took to answer the write of a Service's status.",
            buckets=_WRITE_SECONDS,
            registry=self.registry,
        )

    def write_ended(self, result: WriteResult, seconds: float) -> None:
        """Count the write of a Service; one that we had no right to send took no time of anybody's."""
        self._writes[result].inc()
        if result is not WriteResult.NOT_LEADING:
            self._write_seconds.observe(seconds)


def _pools(value: Callable[[PoolFill], int]) -> Callable[[At[Reading]], Samples]:
    return lambda at: (((fill.pool,), float(min(value(fill), _LARGEST))) for fill in at.reading.status.pools)


def _capacity4(fill: PoolFill) -> int:
    return fill.assigned_ipv4 + fill.available_ipv4


def _capacity6(fill: PoolFill) -> int:
    return fill.assigned_ipv6 + fill.available_ipv6


def _is_stale(at: At[Reading]) -> bool:
    status = at.reading.status
    return status.revision is not None and status.revision != status.newest.revision


def _held_plan(at: At[Reading]) -> Samples:
    guard = at.reading.status.guard
    return info(guard.digest) if guard.held else ()


_FAMILIES: tuple[Family[Reading], ...] = (
    Family(
        "metallb_allocator_addresses_total",
        "Addresses of a pool, both families.",
        _pools(lambda fill: _capacity4(fill) + _capacity6(fill)),
        ("pool",),
    ),
    Family("metallb_allocator_ipv4_addresses_total", "IPv4 addresses of a pool.", _pools(_capacity4), ("pool",)),
    Family("metallb_allocator_ipv6_addresses_total", "IPv6 addresses of a pool.", _pools(_capacity6), ("pool",)),
    Family(
        "metallb_allocator_addresses_in_use_total",
        "Addresses of a pool that Services hold; a shared one counts once.",
        _pools(lambda fill: fill.assigned_ipv4 + fill.assigned_ipv6),
        ("pool",),
    ),
    Family(
        "metallb_allocator_ipv4_addresses_in_use_total",
        "IPv4 addresses of a pool that Services hold; a shared one counts once.",
        _pools(lambda fill: fill.assigned_ipv4),
        ("pool",),
    ),
    Family(
        "metallb_allocator_ipv6_addresses_in_use_total",
        "IPv6 addresses of a pool that Services hold; a shared one counts once.",
        _pools(lambda fill: fill.assigned_ipv6),
        ("pool",),
    ),
    Family(
        "metallb_allocator_services_allocated_total",
        "Services that hold addresses of a pool.",
        _pools(lambda fill: fill.services),
        ("pool",),
    ),
    Family(
        "metallb_k8s_client_config_stale_bool",
        "1 when the configuration in force is not what the files say: they are refused, held, or cannot be read.",
        one(_is_stale),
    ),
    Family(
        "lb_reconciler_plan_held",
        "1 while the guard holds the plan of the newest revision back.",
        one(lambda at: at.reading.status.guard.held),
    ),
    Family(
        "lb_reconciler_held_plan_info",
        "1 while a plan is held; the digest that would approve it is a label.",
        _held_plan,
        ("digest",),
    ),
    Family(
        "lb_reconciler_held_services",
        "Services that a held plan would take an address from.",
        one(lambda at: len(at.reading.status.guard.affected)),
    ),
    Family(
        "lb_reconciler_services",
        "Services of type LoadBalancer and of our class.",
        one(lambda at: at.reading.status.counts.services),
    ),
    Family(
        "lb_reconciler_services_pending",
        "Services of type LoadBalancer and of our class that wait for an address.",
        one(lambda at: at.reading.status.counts.pending),
    ),
    Family(
        "lb_reconciler_services_refused",
        "Services whose request cannot be met, by reason code; some of them hold an older address.",
        each(lambda at: at.reading.status.counts.refused_by_reason),
        ("reason",),
    ),
    Family(
        "lb_reconciler_leading",
        "1 while this process holds the Lease and writes.",
        one(lambda at: at.reading.status.leading),
    ),
)
