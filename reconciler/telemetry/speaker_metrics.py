"""
The metrics of a speaker: MetalLB's names for what MetalLB measures, and our own beside them.

There is no series for a single address, unless somebody asks for the one that MetalLB has.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum

import prometheus_client

from reconciler.l2.port import Counts
from reconciler.telemetry.role_metrics import (
    SHARED,
    At,
    Family,
    FamilyType,
    RoleMetrics,
    Samples,
    counters,
    each,
    one,
)
from reconciler.telemetry.session_metrics import SESSION_FAMILIES, SessionReading
from reconciler.telemetry.speaker_status import AnnouncementState, MemberState

# From the request to the successor's word; at the last one we stop waiting for it.
_HANDOVER_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3)


class HandoverResult(StrEnum):
    """How handing an address over ended."""

    TAKEN = "taken"  # the successor announces it
    GIVEN_UP = "given-up"  # the successor did not say so in time, and we fell silent all the same
    KEPT = "kept"  # it is ours again


class SpeakerReading(SessionReading, frozen=True, kw_only=True):
    """A speaker at the moment of a scrape; `links` are the counts of each open link by its name."""

    links: Mapping[str, Counts] = {}


class SpeakerMetrics(RoleMetrics[SpeakerReading]):
    """The metrics of one speaker. Methods may be called from any thread."""

    def __init__(self, version: str, *, per_address: bool = False, clock: Callable[[], float] = time.time) -> None:
        """`per_address`: show `metallb_speaker_announced` as well, which has a series for each Service and address."""
        families = (*_FAMILIES, *SESSION_FAMILIES, *SHARED, *((_ANNOUNCED,) if per_address else ()))
        super().__init__(version, families, clock=clock)
        self._reports = prometheus_client.Counter(
            "lb_reconciler_announcement_reports_total",
            "What became of addresses here, by what it is.",
            ["kind"],
            registry=self.registry,
        )
        self._handovers = counters(
            self.registry, "lb_reconciler_handovers_total", "Addresses handed over, by how it ended.", HandoverResult
        )
        self._handover_seconds = prometheus_client.Histogram(
            "lb_reconciler_handover_duration_seconds",
            "How long an address that was handed over was answered for on both nodes.",
            buckets=_HANDOVER_SECONDS,
            registry=self.registry,
        )

    def reported(self, kind: str) -> None:
        """Count a report of an announcer; `kind` is its word for it, of which there are few."""
        self._reports.labels(kind).inc()

    def handover_ended(self, result: HandoverResult, seconds: float) -> None:
        """Count an address that was handed over; `seconds` since it was begun."""
        self._handovers[result].inc()
        self._handover_seconds.observe(seconds)


def _links(value: Callable[[Counts], int]) -> Callable[[At[SpeakerReading]], Samples]:
    return lambda at: (((name,), float(value(counts))) for name, counts in sorted(at.reading.links.items()))


def _ignored(at: At[SpeakerReading]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for counts in at.reading.links.values():
        total.update(counts.ignored)
    return total


def _is_stale(at: At[SpeakerReading]) -> bool:
    status = at.reading.status
    return status.revision is not None and status.revision != status.newest.revision and not status.waits


def _members(at: At[SpeakerReading]) -> Samples:
    found = Counter(row.state for row in at.reading.status.members)
    return (((state.value,), float(found[state])) for state in MemberState)


def _addresses(at: At[SpeakerReading]) -> Samples:
    counts = at.reading.status.counts
    return ((("ipv4",), float(counts.addresses_ipv4)), (("ipv6",), float(counts.addresses_ipv6)))


def _carriers(at: At[SpeakerReading]) -> Samples:
    return (((row.name,), float(row.carrier)) for row in at.reading.status.links if row.used)


def _announced(at: At[SpeakerReading]) -> Samples:
    status = at.reading.status
    # An address may be in several routes.
    found: dict[tuple[str, ...], float] = {
        (service, "layer2" if row.protocol == "l2" else row.protocol, status.node, row.address): 1.0
        for row in status.announcements or ()
        if row.state is AnnouncementState.ANNOUNCED
        for service in row.services
    }
    return found.items()


_ANNOUNCED: Family[SpeakerReading] = Family(
    "metallb_speaker_announced",
    "1 for each address of a Service that this node announces.",
    _announced,
    ("service", "protocol", "node", "ip"),
)
_FAMILIES: tuple[Family[SpeakerReading], ...] = (
    Family(
        "metallb_layer2_requests_received",
        "ARP requests and neighbour solicitations for addresses of ours, by the interface they came in on.",
        _links(lambda counts: counts.requests),
        ("interface",),
        type=FamilyType.UNTYPED,
    ),
    Family(
        "metallb_layer2_responses_sent",
        "Answers to them, by interface.",
        _links(lambda counts: counts.answers),
        ("interface",),
        type=FamilyType.UNTYPED,
    ),
    Family(
        "metallb_layer2_gratuitous_sent",
        "ARP announcements and neighbour advertisements that nobody had asked for, by interface.",
        _links(lambda counts: counts.unasked),
        ("interface",),
        type=FamilyType.UNTYPED,
    ),
    Family(
        "metallb_k8s_client_config_stale_bool",
        "1 when the configuration in force is not what the files say: they are refused, held, or cannot be read.",
        one(_is_stale),
    ),
    Family(
        "lb_reconciler_revision_waiting",
        "1 while the revision that the files have waits for the verdict or for other members.",
        one(lambda at: at.reading.status.waits),
    ),
    Family(
        "lb_reconciler_ready",
        "1 while this node may be given addresses to announce.",
        one(lambda at: at.reading.status.not_ready is None),
    ),
    Family(
        "lb_reconciler_leaving",
        "1 while this node hands its addresses over: the process ends, or the node is drained.",
        one(lambda at: at.reading.status.leaving or at.reading.status.drained),
    ),
    Family(
        "lb_reconciler_members",
        "Speakers of the group, this one included, by how they are seen from here.",
        _members,
        ("state",),
    ),
    Family(
        "lb_reconciler_announced_services",
        "Services of which this node answers for an address by ARP or NDP.",
        one(lambda at: at.reading.status.counts.services),
    ),
    Family(
        "lb_reconciler_announced_addresses",
        "Addresses that this node answers for by ARP or NDP, by family.",
        _addresses,
        ("family",),
    ),
    Family(
        "lb_reconciler_handovers",
        "Addresses that are being handed over to another node now.",
        one(lambda at: at.reading.status.counts.handovers),
    ),
    Family(
        "lb_reconciler_conflicts",
        "Addresses of ours that another host uses or claims now.",
        one(lambda at: at.reading.status.counts.conflicts),
    ),
    Family(
        "lb_reconciler_link_carrier",
        "1 while an interface that addresses are announced on has a carrier.",
        _carriers,
        ("interface",),
    ),
    Family(
        "lb_reconciler_ignored_frames_total",
        "Frames that were received and not answered, by reason.",
        each(_ignored),
        ("reason",),
        type=FamilyType.COUNTER,
    ),
)
