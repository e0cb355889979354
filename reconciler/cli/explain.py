"""`reconciler explain`: one Service, its addresses and announcers, or what keeps it pending."""

import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from msgspec.structs import asdict, replace

from reconciler.allocation.allocate import allocate
from reconciler.allocation.reasons import Reason
from reconciler.cli.comparison import ServiceRows, announcement_rows, event_rows
from reconciler.cli.explanation import CandidateRow, DeclineRow, Explanation, PoolCauseRow
from reconciler.cli.observing import observe
from reconciler.cli.options import ClusterChoice, Output, wants_color
from reconciler.cli.places import Places, code_root
from reconciler.cli.progress import Progress
from reconciler.cli.published import speakers_of
from reconciler.cli.render import render_explain
from reconciler.cli.report import Action, AnnouncementRow, Exit, ServiceRow
from reconciler.cli.sessions import standings
from reconciler.cli.text import Paint, write_problems
from reconciler.cli.validate import config_row
from reconciler.config.checks import check_cluster
from reconciler.config.load import load
from reconciler.errors import ReconcilerError
from reconciler.model.desired import DesiredState
from reconciler.model.observed import NodeName, ObservedState, Service
from reconciler.placement.decisions import Placed, Placement
from reconciler.placement.explain import ServiceExplanation
from reconciler.placement.place import explain_service, speakers
from reconciler.plan.announcements import Change, diff_placements
from reconciler.plan.guard import review
from reconciler.plan.services import applied, plan_services
from reconciler.telemetry.speaker_condition import missed_nodes

_SUGGESTIONS = 3


class UnknownServiceError(ReconcilerError):
    """The cluster has no Service of that name; the message names the nearest."""


def run(name: str, configs: Sequence[str], *, choice: ClusterChoice, output: Output) -> int:
    """
    Print why one Service has its addresses and who announces them, or why it has none, and return the exit status.

    Raises:
        FilesError: A configuration cannot be read.
        ClusterError: The cluster cannot be read.
        UnknownServiceError: The cluster has no such Service.
    """
    with Progress() as progress:
        loaded = load(configs, follow=progress.follow)
    places = Places(configs, root=code_root(output))
    config, observed = config_row(loaded), None
    if loaded.desired is not None:
        observed = observe(choice)
        config = config_row(loaded, check_cluster(loaded.desired, observed))
    if loaded.desired is None or observed is None or not config.valid:
        write_problems(config.problems, sys.stderr, places=places, paint=Paint(color=wants_color(sys.stderr)))
        return Exit.FAILED
    service = _find(observed, name)
    found = with_sessions(explain(loaded.desired, observed, service, lb_class=choice.lb_class), choice)
    render_explain(found, output, sys.stdout, places=places, color=wants_color(sys.stdout))
    return Exit.NOTHING


def _find(observed: ObservedState, name: str) -> Service:
    by_key: dict[str, Service] = {service.key: service for service in observed.services}
    if name in by_key:
        return by_key[name]
    own = name.rpartition("/")[2]
    namesakes = [key for key in by_key if key.rpartition("/")[2] == own]
    near = list(dict.fromkeys([*namesakes, *get_close_matches(name, by_key)]))[:_SUGGESTIONS]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownServiceError(f'the cluster has no Service "{name}"{hint}')


def explain(desired: DesiredState, observed: ObservedState, service: Service, *, lb_class: str) -> Explanation:
    """Everything there is to say about one Service."""
    proposed = allocate(desired, observed, lb_class=lb_class)
    plan = plan_services(proposed, observed, desired)
    rows = ServiceRows(proposed, plan, desired.pools)
    row = rows.row(service) or _no_load_balancer(service)
    if row.cause is None:
        row = replace(row, cause=rows.line_of(row))
    before, after = (
        explain_service(desired, state, speakers(state), service.key, lb_class=lb_class)
        for state in (observed, applied(observed, plan))
    )
    refusal = next((refusal for refusal in proposed.refusals if refusal.service == service.key), None)
    verdict = review(proposed, observed, desired.settings.guard)
    return Explanation(
        **asdict(row),
        type=service.type,
        held=verdict.held and service.key in verdict.affected,
        causes=tuple(PoolCauseRow(c.pool, c.rule, c.detail, c.origin) for c in refusal.causes) if refusal else (),
        further_pools=refusal.further_pools if refusal else 0,
        announcements=tuple(_announcements(before, after)),
        declined=tuple(_declined(after)),
        candidates=tuple(
            CandidateRow(c.node, c.rank, c.score, c.excluded, c.message or None) for c in after.candidacies
        ),
        events=tuple(event for event in event_rows(plan) if event.service == service.key),
    )


def with_sessions(found: Explanation, choice: ClusterChoice) -> Explanation:
    """
    The same with the sessions that its routes are told by, where any speaker has published its own.

    Raises:
        ClusterError: The cluster cannot be read.
    """
    asked = {(r.node, r.peer) for r in found.announcements if r.peer is not None and r.change is not Change.REMOVE}
    published = speakers_of(choice) if asked else ()
    if not published:
        return found
    return replace(found, sessions=standings(asked, published, missed=missed_nodes(published).keys()))


def _no_load_balancer(service: Service) -> ServiceRow:
    message = f"the type is {service.type}"
    return ServiceRow(service=service.key, action=Action.IGNORE, reason=Reason.NOT_LOAD_BALANCER, message=message)


def _announcements(before: ServiceExplanation, after: ServiceExplanation) -> Iterator[AnnouncementRow]:
    old, new = _placed(before), _placed(after)
    for node in sorted({*old, *new}):
        changes = diff_placements(Placement(node, old.get(node, ())), Placement(node, new.get(node, ())))
        yield from announcement_rows(node, changes)


def _placed(explanation: ServiceExplanation) -> dict[NodeName, tuple[Placed, ...]]:
    placed: dict[NodeName, tuple[Placed, ...]] = {}
    for verdict in explanation.verdicts:
        placed[verdict.node] = placed.get(verdict.node, ()) + verdict.placed
    return placed


def _declined(explanation: ServiceExplanation) -> Iterator[DeclineRow]:
    for verdict in explanation.verdicts:
        if verdict.declined is not None:
            declined = verdict.declined
            yield DeclineRow(verdict.node, declined.protocol, declined.reason, declined.message)
