"""`reconciler diff`: a configuration against a cluster, or against another one, to what would change."""

import sys
from collections.abc import Sequence
from difflib import get_close_matches

from reconciler.allocation.allocate import allocate
from reconciler.cli.announcing import Comparison, Side
from reconciler.cli.comparison import ServiceRows, event_rows, guard_row, pool_rows
from reconciler.cli.diagnostics import Diagnostics
from reconciler.cli.observing import observe
from reconciler.cli.options import ClusterChoice, Output, wants_color
from reconciler.cli.places import Places, code_root
from reconciler.cli.progress import Progress
from reconciler.cli.render import render_diff
from reconciler.cli.report import DiffReport, GuardRow
from reconciler.cli.validate import config_row
from reconciler.config.checks import check_cluster
from reconciler.config.load import Loaded, load
from reconciler.errors import ReconcilerError
from reconciler.model.desired import DesiredState
from reconciler.model.observed import NodeName, ObservedState
from reconciler.plan.actions import Plan
from reconciler.plan.guard import review
from reconciler.plan.services import applied, plan_services, writes


class UnknownNodeError(ReconcilerError):
    """`--node` names a node that the cluster does not have."""


def run(
    configs: Sequence[str],
    *,
    bases: Sequence[str],
    choice: ClusterChoice,
    nodes: Sequence[str],
    output: Output,
    diagnostics: Diagnostics,
) -> int:
    """
    Print what a configuration would change and return the exit status.

    Raises:
        FilesError: A configuration cannot be read.
        ClusterError: The cluster cannot be read.
        UnknownNodeError: `nodes` has a name that is not in the cluster.
    """
    with Progress() as progress:
        loaded = load(configs, follow=progress.follow)
        base = load(bases, follow=progress.follow) if bases else None
    if loaded.desired is None or (base is not None and base.desired is None):
        report = DiffReport(config_row(loaded), base=config_row(base) if base else None)
    else:
        observed = observe(choice)
        shown = _shown(observed, nodes, diagnostics)
        with Progress() as progress:
            progress.doing("comparing")
            report = compare(loaded, observed, base=base, lb_class=choice.lb_class, shown=shown)
    root = code_root(output)
    places, base_places = Places(configs, root=root), Places(bases, root=root)
    color = wants_color(sys.stdout)
    render_diff(report, output, sys.stdout, places=places, base_places=base_places, color=color)
    return report.exit_status()


def _shown(observed: ObservedState, names: Sequence[str], diagnostics: Diagnostics) -> frozenset[NodeName] | None:
    known = {node.name: node for node in observed.nodes}
    if not known:
        diagnostics.warning("the cluster has no Node, so nothing is announced")
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise UnknownNodeError(f'the cluster has no node "{name}"{hint}')
        if not known[NodeName(name)].ready:
            diagnostics.warning(f'node "{name}" is not ready, so it announces nothing')
    return frozenset(map(NodeName, names)) or None


def compare(
    loaded: Loaded,
    observed: ObservedState,
    *,
    base: Loaded | None = None,
    lb_class: str = "",
    shown: frozenset[NodeName] | None = None,
) -> DiffReport:
    """
    What a configuration would change in a cluster, or in one where a base configuration has been carried out.

    Both must have been accepted by `load`. `shown` limits the announcements that are reported, and nothing else.
    """
    desired = _accepted(loaded)
    config = config_row(loaded, check_cluster(desired, observed))
    before = desired
    if base is not None:
        before = _accepted(base)
        allocation = allocate(before, observed, lb_class=lb_class)
        observed = applied(observed, plan_services(allocation, observed, before))
    base_row = config_row(base) if base else None
    if not config.valid:
        return DiffReport(config, base=base_row)
    proposed = allocate(desired, observed, lb_class=lb_class)
    plan = plan_services(proposed, observed, desired)
    services = tuple(ServiceRows(proposed, plan, desired.pools).of(observed.services))
    comparison = Comparison(
        Side(before, observed),
        # Without the conditions, which nobody announces: where no address changes, it is the same cluster.
        Side(desired, applied(observed, Plan(tuple(writes(plan))))),
        lb_class=lb_class,
        shown=shown,
        watch=base is not None,
    )

    def judge() -> GuardRow:
        verdict = review(
            proposed,
            observed,
            desired.settings.guard,
            silenced=comparison.silenced,
            only_files_changed=base is not None,
        )
        return guard_row(verdict, desired)

    return DiffReport(
        config,
        base=base_row,
        services=services,
        announcements=comparison.rows(),
        pools=tuple(pool_rows(desired.pools, proposed.assignments)),
        events=event_rows(plan),
        judge=judge,
    )


def _accepted(loaded: Loaded) -> DesiredState:
    if loaded.desired is None:
        raise AssertionError("a configuration with errors has nothing to compare")
    return loaded.desired
