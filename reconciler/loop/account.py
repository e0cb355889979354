"""What a controller can say about itself at any moment: for `/status`, for the metrics, and for the status object."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from msgspec.structs import replace

from reconciler import __version__
from reconciler.loop.configuration import Configuration
from reconciler.loop.controller import Controller
from reconciler.loop.leadership import Leadership
from reconciler.loop.pacing import Occasion
from reconciler.loop.rounds import Failed
from reconciler.plan.guard import Verdict
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.role_metrics import PassResult
from reconciler.telemetry.status import (
    HELD,
    ClusterState,
    ControllerStatus,
    LastPass,
    NewestRevision,
    PublishedVerdict,
    controller_status,
    document,
    newest_revision,
)


class Account:
    """Gathers what the parts of one process know. It also counts the passes: the port `PassObserver` of `rounds`."""

    def __init__(
        self,
        *,
        controller: Controller,
        configuration: Configuration,
        leadership: Leadership,
        leader: Callable[[], str | None],
        cluster_state: Callable[[], ClusterState],
        metrics: Metrics,
        identity: str,
        lb_class: str,
    ) -> None:
        self._controller = controller
        self._configuration = configuration
        self._leadership = leadership
        self._leader = leader
        self._cluster_state = cluster_state
        self._metrics = metrics
        self._identity = identity
        self._lb_class = lb_class
        self._newest: NewestRevision | PublishedVerdict = NewestRevision()
        self._inherited: PublishedVerdict | None = None
        self._last_pass = LastPass()
        self._lasting_error: str | None = None

    def passed(self, occasion: Occasion, *, seconds: float, failed: Failed | None) -> None:
        """A pass has ended."""
        self._last_pass = LastPass(
            finished_at=datetime.now(UTC),
            duration_seconds=round(seconds, 6),
            reasons=occasion.reasons,
            error=failed.why if failed else None,
        )
        # What is only a conflict is written anew in a moment, and no news for anybody.
        self._lasting_error = failed.why if failed and not failed.is_partial else None
        self._metrics.pass_ended(self._result(failed), seconds)

    def _result(self, failed: Failed | None) -> PassResult:
        if failed is not None:
            return PassResult.FAILED
        if self._controller.unsynced is not None:
            return PassResult.NOT_SYNCED
        return PassResult.DONE if self._leadership.leads() else PassResult.NOT_LEADING

    def not_ready(self) -> str | None:
        """Why `/readyz` answers 503: only for want of any valid configuration, or of a cluster that was read."""
        configuration = self._configuration
        if configuration.in_force is None and configuration.newest.desired is None:
            return f"no valid configuration: {configuration.newest.why_refused}"
        if self._controller.unsynced is not None:
            return f"the cluster is not synced: {self._controller.unsynced}"
        return None

    def describe(self) -> Callable[[], bytes]:
        """Take in how things stand; what is returned writes the document, and may do so in another thread."""
        gathered = self._gather(replace(self._last_pass, error=self._lasting_error))
        return lambda: document(gathered())

    def status(self, *, services: bool = False) -> ControllerStatus:
        """How things stand; `services` lists every one of them."""
        return self._gather(self._last_pass, services=services)()

    def _gather(self, last_pass: LastPass, *, services: bool = False) -> Callable[[], ControllerStatus]:
        decided, hold = self._controller.decided, self._controller.hold
        return partial(
            controller_status,
            version=__version__,
            identity=self._identity,
            leading=self._leadership.leads(),
            leader=self._leader(),
            lb_class=self._lb_class,
            in_force=self._configuration.in_force,
            newest=self._newest_revision(),
            verdict=hold.verdict if hold else Verdict(),
            held_revision=hold.revision if hold else None,
            problems=self._configuration.newest.problems,
            last_pass=last_pass,
            cluster=self._cluster_state(),
            decided_on=decided.desired if decided else None,
            allocation=decided.allocation if decided else None,
            observed=decided.observed if decided and services else None,
            state_dir_problem=self._configuration.last_good_problem,
        )

    def _newest_revision(self) -> NewestRevision:
        newest, controller = self._configuration.newest, self._controller
        if controller.inherited is not None and controller.inherited is not self._inherited:
            # A restart or another leader does not make a verdict younger.
            self._newest = self._inherited = controller.inherited
        held = controller.hold if controller.verdict == HELD else None
        why = newest.why_refused or (held.verdict.reason if held else None)
        found = newest_revision(newest.revision, controller.verdict, why, before=self._newest, now=datetime.now(UTC))
        if found.verdict is not None:
            # One that is still to be judged, right after a start, does not make the verdict before it a new one.
            self._newest = found
        return found
