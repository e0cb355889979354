"""The state of a controller and of a speaker for tests, as their loops would put it together."""

from datetime import UTC, datetime
from typing import Any

from reconciler.allocation.allocate import allocate
from reconciler.bgp.events import State
from reconciler.model.observed import ObservedState, ServiceKey
from reconciler.model.origin import Origin, Problem, Related, Severity
from reconciler.plan.guard import Verdict
from reconciler.telemetry.metrics import Reading
from reconciler.telemetry.sessions import SessionRow, SessionTally
from reconciler.telemetry.speaker_status import (
    AnnouncementRow,
    AnnouncementState,
    ConflictRow,
    DeclinedRow,
    HandoverRow,
    LinkRow,
    MemberRow,
    MemberState,
    SpeakerStatus,
    speaker_status,
)
from reconciler.telemetry.status import (
    HELD,
    ClusterState,
    ControllerStatus,
    LastPass,
    NewestRevision,
    controller_status,
)
from tests.builders import desired, observed, pool, service

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
POOLS = desired(
    pool("gold", "192.0.2.0/29", "2001:db8::/64"),
    pool("spare", "198.51.100.0/31"),
    pool("vast", "fd00::/48", auto_assign=False),
    revision="sha256:one",
)
SERVICES = observed(
    service("shop/api", ingress="192.0.2.1", sharing_key="k", ports="TCP/80", allocated_pool="gold"),
    service("shop/web", ingress="192.0.2.1", sharing_key="k", ports="TCP/443", allocated_pool="gold"),
    service("shop/new", families="46", policy="require"),
    service("shop/wish", ingress="192.0.2.3", requested_pool="silver", allocated_pool="gold"),
    service("shop/lost", requested_pool="silver"),
    service("shop/theirs", load_balancer_class="other"),
    service("shop/internal", type="ClusterIP"),
)
OVERLAP = Problem(
    Origin("pools/a.yaml", 14, 7),
    "pool-overlap",
    '192.0.2.64-192.0.2.127 is also in pool "rack-b"',
    Severity.ERROR,
    (Related(Origin("pools/b.yaml", 9, 7), 'pool "rack-b" takes it here'),),
)
HELD_VERDICT = Verdict(
    held=True,
    reason=f"would change too much; to approve, set approvedPlan to {DIGEST}",
    digest=DIGEST,
    affected=frozenset({ServiceKey("shop/web"), ServiceKey("shop/api")}),
)


def status(state: ObservedState | None = SERVICES, **facts: Any) -> ControllerStatus:
    """A controller that leads and has decided on `SERVICES` by `POOLS`; `facts` say what else is the case."""
    usual = {
        "version": "1.2.3",
        "identity": "controller-a",
        "leading": True,
        "leader": "controller-a",
        "lb_class": "",
        "in_force": POOLS,
        "newest": NewestRevision(revision="sha256:one", verdict="passed", since=NOON),
        "verdict": Verdict(),
        "problems": (),
        "last_pass": LastPass(finished_at=NOON, duration_seconds=0.25, reasons=("cluster: Service shop/new",)),
        "cluster": ClusterState(synced=True),
        "decided_on": POOLS,
        "allocation": allocate(POOLS, SERVICES),
        "observed": state,
    }
    return controller_status(**{**usual, **facts})


def held(**facts: Any) -> ControllerStatus:
    """The same while the guard holds the plan of a newer revision."""
    newest = NewestRevision(revision="sha256:two", verdict=HELD, since=NOON, message=HELD_VERDICT.reason)
    return status(**{"newest": newest, "verdict": HELD_VERDICT, **facts})


def reading(found: ControllerStatus, **facts: Any) -> Reading:
    """What a scrape finds."""
    return Reading(status=found, **facts)


def speaker(**facts: Any) -> SpeakerStatus:
    """A speaker that announces two addresses in a group of three; `facts` say what else is the case."""
    usual = {
        "version": "1.2.3",
        "node": "worker-1",
        "lb_class": "",
        "not_ready": None,
        "revision": "sha256:one",
        "newest": NewestRevision(revision="sha256:one", verdict="passed", since=NOON),
        "members": (
            MemberRow(node="worker-2", state=MemberState.SUSPECT, loaded="one", in_use="one", ready=True),
            MemberRow(node="worker-1", state=MemberState.ALIVE, loaded="one", in_use="one", ready=True),
            MemberRow(node="worker-3", state=MemberState.ABSENT),
        ),
        "links": (
            LinkRow(name="eth1", mac="02:00:00:00:00:0b", carrier=False),
            LinkRow(name="eth0", mac="02:00:00:00:00:0a"),
            LinkRow(name="veth1", mac="02:00:00:00:00:0c", used=False, reason="excluded by ^veth.*"),
        ),
        "last_pass": LastPass(finished_at=NOON, duration_seconds=0.001, reasons=("cluster: Service shop/web",)),
        "cluster": ClusterState(synced=True),
        "announcements": (
            AnnouncementRow(services=("shop/api", "shop/web"), address="192.0.2.1", since=NOON),
            AnnouncementRow(services=("shop/web",), address="2001:db8::1", interfaces=("eth0",), since=NOON),
            AnnouncementRow(services=("shop/new",), address="192.0.2.9", state=AnnouncementState.PROBING),
        ),
        "declined": (DeclinedRow(service="shop/far", protocol="l2", reason="notOwner", message="worker-2 is closer"),),
    }
    return speaker_status(**{**usual, **facts})


CONFLICT = ConflictRow(
    address="192.0.2.1",
    mac="02:00:00:00:00:ff",
    interface="eth0",
    since=NOON,
    message="02:00:00:00:00:ff answers for it on eth0",
)
SESSION = SessionRow(
    peer="tor-a",
    remote="192.0.2.254:179",
    state=State.ESTABLISHED,
    since=NOON,
    local_asn=64512,
    remote_asn=64500,
    remote_router_id="192.0.2.254",
    hold_time=90.0,
    families=("IPv4", "IPv6"),
    wanted=3,
    told=2,
    received=7,
    bfd="up",
    bfd_since=NOON,
)
REFUSING = SessionRow(
    peer="tor-b",
    remote="[2001:db8::254]:179",
    vrf="red",
    state=State.ACTIVE,
    since=NOON,
    down_since=NOON,
    local_asn=64512,
    wanted=3,
    received=0,
    last_error="tor-b refuses the connection",
    last_error_at=NOON,
    retry_at=NOON,
    bfd="down",
    bfd_since=NOON,
)
TALLIES = {
    "tor-a": SessionTally(
        opens_sent=1,
        opens_received=2,
        notifications_sent=3,
        notifications_received=4,
        updates_sent=5,
        updates_received=6,
        keepalives_sent=70,
        keepalives_received=80,
        route_refreshes_sent=900,
        route_refreshes_received=1000,
        established=11,
        bfd_packets_sent=12,
        bfd_packets_received=13,
        bfd_up_events=14,
        bfd_down_events=15,
    )
}
HANDOVER = HandoverRow(address="192.0.2.1", successor="worker-2")


def waiting(**facts: Any) -> SpeakerStatus:
    """The same while it waits for others before it takes a newer revision into use."""
    newest = NewestRevision(revision="sha256:two", verdict="passed", since=NOON, message="worker-2 has not got it yet")
    return speaker(**{"newest": newest, **facts})
