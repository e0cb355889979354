"""Reports made by hand, for tests of how they are printed."""

from datetime import UTC, datetime

from msgspec.structs import asdict, replace

from reconciler.cli.explanation import CandidateRow, DeclineRow, Explanation, PoolCauseRow
from reconciler.cli.report import (
    Action,
    AnnouncementRow,
    ConfigRow,
    DiffReport,
    EventRow,
    GuardRow,
    PoolRow,
    ProblemRow,
    RelatedRow,
    ServiceRow,
    ValidateReport,
)
from reconciler.cli.sessions import SessionStanding
from reconciler.model.origin import Origin, Severity
from reconciler.plan.announcements import Change

DIGEST = "sha256:" + "ab" * 32
HOSTILE = 'x\x1b[31m|`<b>"&@team\n::error::%0A\u202e]]>\x00'

OVERLAP = ProblemRow(
    "pools/a.yaml",
    14,
    7,
    Severity.ERROR,
    "pool-overlap",
    '192.0.2.64-192.0.2.127 is also in pool "rack-b"',
    (RelatedRow("pools/b.yaml", 9, 7, 'pool "rack-b" takes it here'),),
)
DEPRECATED = ProblemRow("peers.yaml", 3, 1, Severity.WARNING, "deprecated-version", "BGPPeer v1beta1 is deprecated")


def validated(*problems: ProblemRow, strict: bool = False) -> ValidateReport:
    valid = not any(problem.severity is Severity.ERROR for problem in problems)
    return ValidateReport(ConfigRow("sha256:5f0c", valid, problems), documents=12, foreign=2, strict=strict)


def service(name: str, action: Action, before: str = "", after: str = "", **more: object) -> ServiceRow:
    """Addresses are separated by blanks."""
    row = {"service": name, "action": action, "before": tuple(before.split()), "after": tuple(after.split()), **more}
    return ServiceRow(**row)  # type: ignore[arg-type]  # keywords of a table row


SERVICES = (
    service("a/gone", Action.CLEAR, "192.0.2.7", reason="not-in-any-pool", message="192.0.2.7 is in no pool any more"),
    service("a/ours", Action.KEEP, "192.0.2.1", "192.0.2.1", pool="gold"),
    service(
        "a/wish",
        Action.KEEP,
        "192.0.2.2",
        "192.0.2.2",
        pool="gold",
        reason="unknown-pool",
        message='unknown pool "silver"',
        advice="ask for one of gold",
    ),
    service("b/theirs", Action.IGNORE, "192.0.2.200", "192.0.2.200", reason="not-our-class"),
    service(
        "shop/api",
        Action.CHANGE,
        "192.0.2.70",
        "192.0.2.9",
        pool="gold",
        message="moved",
        cause=Origin("pools/a.yaml", 6, 5),
    ),
    service(
        "shop/big",
        Action.REFUSE,
        reason="pool-exhausted",
        message="no available IPs in pool tiny",
        cause=Origin("pools/b.yaml", 9, 7),
        advice="add addresses to tiny",
    ),
    service(
        "shop/web",
        Action.ASSIGN,
        "",
        "192.0.2.10 2001:db8::a",
        pool="gold",
        message="assigned",
        cause=Origin("pools/a.yaml", 6, 5),
    ),
)
ANNOUNCEMENTS = (
    AnnouncementRow(change=Change.KEEP, protocol="l2", node="worker-1", service="a/ours", address="192.0.2.1"),
    AnnouncementRow(
        change=Change.ADD,
        protocol="l2",
        node="worker-1",
        service="shop/web",
        address="192.0.2.10",
        interfaces=("eth0", "eth1"),
        cause=Origin("l2.yaml", 2, 1),
    ),
    AnnouncementRow(
        change=Change.REMOVE,
        protocol="bgp",
        node="worker-2",
        service="a/gone",
        address="192.0.2.7",
        prefix="192.0.2.7/32",
        peer="tor-a",
        local_pref=100,
        communities=("64512:1", "large:64512:1:2"),
    ),
)
POOLS = (PoolRow("gold", 4, 60, 1, (1 << 64) - 1), PoolRow("tiny", 1, 0, 0, 0))
EVENTS = (EventRow("shop/big", "Warning", "AllocationFailed", 'Failed to allocate IP for "shop/big": exhausted'),)
HELD = GuardRow(
    held=True,
    reason=f"would change too much; to approve, set approvedPlan to {DIGEST}",
    digest=DIGEST,
    affected=("a/gone", "shop/api"),
)


def changed(*, guard: GuardRow | None = None, warnings: tuple[ProblemRow, ...] = ()) -> DiffReport:
    return DiffReport(
        ConfigRow("sha256:5f0c", valid=True, problems=warnings),
        services=SERVICES,
        announcements=iter(ANNOUNCEMENTS),
        pools=POOLS,
        events=EVENTS,
        judge=lambda: guard or GuardRow(digest=DIGEST),
    )


def unchanged() -> DiffReport:
    return DiffReport(
        ConfigRow("sha256:5f0c", valid=True),
        base=ConfigRow("sha256:77aa", valid=True),
        services=(SERVICES[1], SERVICES[3]),
        announcements=iter(ANNOUNCEMENTS[:1]),
        pools=POOLS,
    )


def invalid() -> DiffReport:
    return DiffReport(ConfigRow("sha256:5f0c", valid=False, problems=(DEPRECATED, OVERLAP)))


def hostile() -> DiffReport:
    """Every text that somebody else wrote tries to break out."""
    origin = Origin(HOSTILE, 1, 1)
    row = service(
        HOSTILE, Action.REFUSE, pool=HOSTILE, reason="unknown-pool", message=HOSTILE, cause=origin, advice=HOSTILE
    )
    announced = AnnouncementRow(
        change=Change.ADD,
        protocol="bgp",
        node=HOSTILE,
        service=HOSTILE,
        address="192.0.2.1",
        prefix="192.0.2.1/32",
        peer=HOSTILE,
    )
    problem = ProblemRow(HOSTILE, 1, 1, Severity.WARNING, "field-type", HOSTILE, (RelatedRow(HOSTILE, 1, 1, HOSTILE),))
    return DiffReport(
        ConfigRow(HOSTILE, valid=True, problems=(problem,)),
        services=(row,),
        announcements=iter((announced,)),
        pools=(PoolRow(HOSTILE, 1, 1, 0, 0),),
        events=(EventRow(HOSTILE, "Warning", "x", HOSTILE),),
        judge=lambda: GuardRow(held=True, reason=HOSTILE, digest=DIGEST, settings=origin),
    )


def explained(row: ServiceRow, **more: object) -> Explanation:
    """What `explain` says of the Service of a row of `diff`."""
    return Explanation(**asdict(row), **{"type": "LoadBalancer", **more})  # type: ignore[arg-type]  # keywords of a table row


def explained_kept() -> Explanation:
    of_tor_a = AnnouncementRow(
        change=Change.KEEP,
        protocol="bgp",
        node="worker-2",
        service="a/ours",
        address="192.0.2.1",
        prefix="192.0.2.1/32",
        peer="tor-a",
        local_pref=100,
        communities=("64512:1",),
    )
    return explained(
        service("a/ours", Action.KEEP, "192.0.2.1", "192.0.2.1", pool="gold", cause=Origin("pools/a.yaml", 6, 5)),
        announcements=(ANNOUNCEMENTS[0], of_tor_a, replace(of_tor_a, peer="tor-b")),
        declined=(
            DeclineRow("worker-2", "l2", "notOwner", '"worker-1" wins the election'),
            DeclineRow("worker-3", "l2", "notOwner", '"worker-1" wins the election'),
            DeclineRow("worker-1", "bgp", "noBGPPeers", "no peer of that node"),
        ),
        candidates=(
            CandidateRow("worker-1", 1, 9),
            CandidateRow("worker-2", 2, 5),
            CandidateRow("worker-3", 3, 4),
        ),
        sessions=(
            SessionStanding(
                node="worker-2",
                peer="tor-a",
                state="established",
                remote="192.0.2.254:179",
                since=datetime(2026, 1, 1, 12, tzinfo=UTC),
                wanted=12,
                told=12,
                bfd="up",
            ),
            SessionStanding(
                node="worker-2",
                peer="tor-b",
                state="down",
                remote="[2001:db8::254]:179",
                down_since=datetime(2026, 1, 1, 12, tzinfo=UTC),
                wanted=12,
                told=0,
                bfd="down",
                trouble="it refuses the connection",
            ),
            SessionStanding(node="worker-3", peer="tor-a"),
        ),
    )


def explained_refused() -> Explanation:
    causes = (
        PoolCauseRow("tiny", "pool-exhausted", "no free address", Origin("pools/b.yaml", 9, 7)),
        PoolCauseRow("gold", "pool-not-compatible", "it serves namespace a only", Origin("pools/a.yaml", 12, 5)),
    )
    return explained(SERVICES[5], causes=causes, events=EVENTS)


def explained_held() -> Explanation:
    return explained(SERVICES[4], held=True, announcements=(replace(ANNOUNCEMENTS[1], service="shop/api"),))


def explained_hostile() -> Explanation:
    report = hostile()
    (announced,) = report.announcements
    origin = Origin(HOSTILE, 1, 1)
    cause = PoolCauseRow(HOSTILE, "x", HOSTILE, origin)
    return explained(
        service(HOSTILE, Action.REFUSE, after="192.0.2.1", reason="x", message=HOSTILE, advice=HOSTILE, cause=origin),
        causes=(cause, cause),
        announcements=(announced,),
        declined=(DeclineRow(HOSTILE, "l2", "notOwner", HOSTILE),),
        candidates=(CandidateRow(HOSTILE, 2, 1, "x", HOSTILE),),
        events=report.events,
        sessions=(
            SessionStanding(node=HOSTILE, peer=HOSTILE, state="down", remote=HOSTILE, bfd=HOSTILE, trouble=HOSTILE),
        ),
    )
