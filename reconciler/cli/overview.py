"""How things stand, as facts that a script can read and a person sees at a glance: what `status` shows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from reconciler.cli.escape import visible
from reconciler.cli.places import Places
from reconciler.cli.report import FORMAT_VERSION, GuardRow, ProblemRow
from reconciler.cli.sessions import write_sessions
from reconciler.cli.speakers import write_speakers
from reconciler.cli.text import Paint, approval, count, held_because, size, write_problems
from reconciler.telemetry.occupancy import PoolFill
from reconciler.telemetry.speaker_condition import missed_nodes
from reconciler.telemetry.speaker_status import SpeakerStatus
from reconciler.telemetry.status import HELD, PASSED, REFUSED, ControllerStatus, GuardState

_BAR = 10
_MOST_SERVICES = 20
_WIDEST_COLUMN = 44
# Percent; as MetalLB's alerts on the usage of a pool.
_FILLING, _ALMOST_FULL = 75, 95
_VERDICT_COLOURS = {PASSED: "green", HELD: "yellow", REFUSED: "red"}

ASSIGNED, PENDING, FOREIGN = "assigned", "pending", "foreign"


class PublishedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one role says of itself: `document` as it was published, or `problem`, why that cannot be read."""

    name: str
    problem: str | None = None
    document: msgspec.Raw | None = None


class LeaseRow(msgspec.Struct, frozen=True, kw_only=True, rename={"renewed_at": "renewedAt"}):
    """Who leads by a Lease: nobody where `holder` is None. It counts for `duration` seconds after `renewed_at`."""

    lease: str
    holder: str | None = None
    renewed_at: datetime | None = None
    duration: int = 0


class StandingRow(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename={"lb_class": "lbClass"}):
    """
    One Service of type LoadBalancer: `state` is assigned, pending, or foreign where its addresses are not ours.

    `reason` (a stable code) and `message` are from its condition, where its request is not met; there is a message
    alone where it keeps an address meanwhile.
    """

    service: str
    state: str
    lb_class: str = ""
    addresses: tuple[str, ...] = ()
    pool: str | None = None
    reason: str | None = None
    message: str | None = None


class StandingCounts(msgspec.Struct, frozen=True):
    """Services by state, and how many have a request that is not met, whatever they hold."""

    assigned: int = 0
    pending: int = 0
    foreign: int = 0
    unmet: int = 0


class Overview(msgspec.Struct, frozen=True, kw_only=True, rename={"format_version": "formatVersion"}):
    """
    Everything that `status` shows; Services are sorted by key, what was published by name.

    `leases` is None where there are none to be seen: for a directory, or without the right to list them.
    """

    format_version: int = FORMAT_VERSION
    published: tuple[PublishedRow, ...] = ()
    leases: tuple[LeaseRow, ...] | None = None
    services: tuple[StandingRow, ...] = ()
    counts: StandingCounts = StandingCounts()


@dataclass(frozen=True, slots=True)
class Shown:
    """
    The documents among what was published that people are shown, decoded; of controllers with their names.

    `lacks_controller`: there is none of any class.
    """

    controllers: Sequence[tuple[str, ControllerStatus]] = ()
    speakers: Sequence[SpeakerStatus] = ()
    lacks_controller: bool = False


def write_text(
    overview: Overview,
    shown: Shown,
    out: TextIO,
    *,
    where: str,
    now: datetime,
    color: bool,
) -> None:
    """
    Controllers one by one, then the speakers, their sessions and the Services.

    Args:
        overview: What was found.
        shown: Of that, the roles to show.
        out: Where to write.
        where: The place in which documents were looked for, for the case that there is none.
        now: The time of day, by which a leader counts as heard of or not.
        color: Whether to colour words.
    """
    paint = Paint(color=color)
    for name, status in shown.controllers:
        life = _sign_of_life(status, overview.leases, now, paint)
        _write_controller(name, status, life, out, paint)
    for row in overview.published:
        if row.problem:
            out.write(f"{paint(visible(row.name), 'bold')}  {paint(visible(row.problem), 'red')}\n\n")
    if shown.lacks_controller:
        out.write(paint(f"No controller has published its status in {visible(where)}.", "yellow") + "\n\n")
    write_speakers(shown.speakers, out, paint=paint)
    write_sessions(shown.speakers, out, missed=missed_nodes(shown.speakers).keys(), paint=paint)
    _write_services(overview, out, paint)


def _sign_of_life(
    status: ControllerStatus, leases: tuple[LeaseRow, ...] | None, now: datetime, paint: Paint
) -> str | None:
    """Whether whoever published this is still there, by its Lease; None where that cannot be told."""
    if leases is None:
        return None
    held = next((lease for lease in leases if lease.holder == status.identity), None)
    if held is None or held.renewed_at is None:
        return paint("it does not lead any more, and nobody has published since", "red")
    if not is_heard(held, now):
        return paint(f"not heard of since {_time(held.renewed_at)}", "red")
    return paint("leads", "green") + f", last heard of at {_time(held.renewed_at)}"


def is_heard(lease: LeaseRow, now: datetime) -> bool:
    """Whether whoever holds it is still there, as far as its last renewal tells."""
    # Twice: the clocks of two machines differ, and a leader that is replaced is gone by then.
    return lease.renewed_at is not None and (now - lease.renewed_at).total_seconds() <= 2 * lease.duration


def _write_controller(name: str, status: ControllerStatus, life: str | None, out: TextIO, paint: Paint) -> None:
    serves = f', class "{visible(status.lb_class)}"' if status.lb_class else ""
    title = paint(f"Controller {visible(status.identity)}", "bold")
    out.write(f"{title}  {visible(name)}, version {visible(status.version)}{serves}\n")
    for label, text in (*((("lease", life),) if life else ()), *_facts(status, paint)):
        out.write(f"  {label:9}  {text}\n")
    if status.guard.held:
        _write_held(status.guard, out, paint)
    rows = tuple(msgspec.convert(msgspec.to_builtins(problem), ProblemRow) for problem in status.problems)
    write_problems(rows, out, places=Places(()), paint=paint)
    if status.cut:
        out.write(f"  {visible(status.cut)}\n")
    out.write("\n")
    _write_pools(status.pools, out, paint)


def _facts(status: ControllerStatus, paint: Paint) -> Iterator[tuple[str, str]]:
    newest = status.newest
    in_force = visible(status.revision) if status.revision else paint("no configuration is in force", "red")
    verdict = _verdict(status, paint)
    if newest.revision == status.revision:
        yield "revision", f"{in_force}, {verdict}"
    else:
        yield "revision", f"{in_force} in force"
        yield "newest", f"{visible(newest.revision or 'the files cannot be read')}, {verdict}"
    if newest.verdict == REFUSED and newest.message:
        yield "because", visible(newest.message)
    if status.last_pass.error:
        yield "last pass", paint(visible(status.last_pass.error), "red")
    if status.cluster.away_since:
        yield "cluster", paint(f"away since {_time(status.cluster.away_since)}", "red")
    if status.state_dir_problem:
        yield "state dir", paint(visible(status.state_dir_problem), "yellow")


def _verdict(status: ControllerStatus, paint: Paint) -> str:
    verdict = status.newest.verdict
    since = f" since {_time(status.newest.since)}" if status.newest.since else ""
    return f"{paint(verdict, _VERDICT_COLOURS.get(verdict, 'red'))}{since}" if verdict else "no verdict yet"


def _time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_held(guard: GuardState, out: TextIO, paint: Paint) -> None:
    why = held_because(GuardRow(held=True, reason=guard.reason))
    out.write("  " + paint(f"HELD: the plan of the newest revision {visible(why)}.", "yellow") + "\n")
    if guard.affected:
        named = ", ".join(visible(key) for key in guard.affected[:_MOST_SERVICES])
        more = len(guard.affected) - _MOST_SERVICES
        out.write(f"    It is about {named}{f' and {more} more' if more > 0 else ''}.\n")
    if guard.digest:
        out.write("    To let exactly this plan through, commit this beside the configuration:\n\n")
        out.writelines(f"      {line}\n" for line in approval(visible(guard.digest)))


def _write_pools(pools: Iterable[PoolFill], out: TextIO, paint: Paint) -> None:
    table = [
        (visible(p.pool), _fill(p.assigned_ipv4, p.available_ipv4), _fill(p.assigned_ipv6, p.available_ipv6), _share(p))
        for p in pools
    ]
    if not table:
        return
    name_width = max(len("Pools"), *(len(name) for name, _, _, _ in table))
    fill_width = max(len("IPv4"), *(len(fill) for _, fill, _, _ in table))
    out.write(paint(f"{'Pools':{name_width + _BAR + 6}}  {'IPv4':{fill_width}}  IPv6", "bold") + "\n")
    for name, ipv4, ipv6, share in table:
        colour = "red" if share >= _ALMOST_FULL else "yellow" if share >= _FILLING else "green"
        out.write(f"  {name:{name_width}}  {paint(_bar(share), colour)}  {ipv4:{fill_width}}  {ipv6}".rstrip() + "\n")
    out.write("\n")


def _fill(assigned: int, available: int) -> str:
    return f"{assigned} of {size(assigned + available)} in use" if assigned + available else "-"


def _share(pool: PoolFill) -> int:
    """How full the fuller half of a pool is, in percent."""
    halves = ((pool.assigned_ipv4, pool.available_ipv4), (pool.assigned_ipv6, pool.available_ipv6))
    return max((100 * used // (used + free) for used, free in halves if used + free), default=0)


def _bar(percent: int) -> str:
    # Anything in use shows, and only a full pool looks full.
    filled = min(-(-percent * _BAR // 100), _BAR if percent >= 100 else _BAR - 1)
    return f"[{'#' * filled}{'.' * (_BAR - filled)}]"


def _write_services(overview: Overview, out: TextIO, paint: Paint) -> None:
    counts = overview.counts
    facts = [f"{counts.assigned} assigned", f"{counts.pending} pending"]
    facts += [f"{counts.foreign} served by somebody else"] if counts.foreign else []
    colour = "yellow" if counts.pending or counts.unmet else "green"
    out.write(f"{paint('Services', 'bold')}  {paint(', '.join(facts), colour)}\n")
    unwell = [row for row in overview.services if row.state == PENDING or row.message]
    unwell.sort(key=lambda row: row.state != PENDING)
    width = min(max((len(row.service) for row in unwell[:_MOST_SERVICES]), default=0), _WIDEST_COLUMN)
    for row in unwell[:_MOST_SERVICES]:
        held = f"keeps {', '.join(row.addresses)}" if row.addresses else "no address"
        reason = visible(row.reason or "")
        symbol = "!" if row.state == PENDING else "="
        line = f"  {symbol} {visible(row.service):{width}}  {held}  {reason}"
        out.write(paint(line.rstrip(), "red" if row.state == PENDING else "yellow") + "\n")
        if row.message:
            out.write(f"      {visible(row.message)}\n")
    if len(unwell) > _MOST_SERVICES:
        out.write(f"  and {count(len(unwell) - _MOST_SERVICES, 'more Service')}: --output json lists all of them\n")
