"""`reconciler status`: what the controllers and speakers of a cluster say of themselves, and what its Services have."""

import io
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from reconciler.allocation.reasons import Reason
from reconciler.cli.diagnostics import Diagnostics
from reconciler.cli.json_stream import encode
from reconciler.cli.options import ClusterChoice, Output, wants_color
from reconciler.cli.overview import (
    ASSIGNED,
    FOREIGN,
    PENDING,
    LeaseRow,
    Overview,
    PublishedRow,
    Shown,
    StandingCounts,
    StandingRow,
    is_heard,
    write_text,
)
from reconciler.cli.published import published_below
from reconciler.cli.report import Exit
from reconciler.cli.watching import View, watch
from reconciler.cluster.directory import read_snapshot
from reconciler.model.observed import ObservedState, Service
from reconciler.plan.conditions import assigned
from reconciler.telemetry.speaker_status import SpeakerStatus
from reconciler.telemetry.status import ControllerStatus

_CODES = {reason.value.replace("-", ""): reason.value for reason in Reason}
_UNSEEN = "no controller has looked at it yet"


_STATUSES: dict[str, type[ControllerStatus] | type[SpeakerStatus]] = {
    "controller": ControllerStatus,
    "speaker": SpeakerStatus,
}
_Status = TypeVar("_Status", ControllerStatus, SpeakerStatus)


class _Role(msgspec.Struct):
    role: str


def run(choice: ClusterChoice, *, output: Output, diagnostics: Diagnostics, watching: bool = False) -> int:
    """
    Print how things stand and return the exit status; `watching`: whenever it changes, until a signal ends it.

    Raises:
        ClusterError: The cluster cannot be read.
    """
    if watching:
        watch(lambda: _view(choice, output), sys.stdout, warn=diagnostics.warning, is_text=output is Output.TEXT)
    else:
        sys.stdout.write(_view(choice, output).text)
    return Exit.NOTHING


def _view(choice: ClusterChoice, output: Output) -> View:
    overview, now = _overview(choice), datetime.now(UTC)
    document = encode(overview)
    if output is Output.JSON:
        text = f"{document}\n"
    else:
        shown = io.StringIO()
        where = choice.directory or f'namespace "{choice.namespace}-status"'
        color = wants_color(sys.stdout)
        write_text(overview, _shown(overview, choice), shown, where=where, now=now, color=color)
        text = shown.getvalue()
    if overview.leases is None:
        return View(text, document)
    # A leader renews its Lease every few seconds, and that is no news; that it has stopped to is.
    heard = tuple(is_heard(lease, now) for lease in overview.leases)
    steady = replace(overview, leases=tuple(replace(lease, renewed_at=None) for lease in overview.leases))
    return View(text, f"{encode(steady)} {heard}")


def _overview(choice: ClusterChoice) -> Overview:
    observed, documents, leases = _look(choice)
    published = tuple(_published(name, document) for name, document in sorted(documents.items()))
    services = tuple(_standing(observed.services, _classes(choice, published)))
    return Overview(published=published, leases=leases, services=services, counts=_counts(services))


def _classes(choice: ClusterChoice, published: Sequence[PublishedRow]) -> Collection[str]:
    """The classes of Services that are asked for: that of the command line, or else those that somebody serves."""
    if choice.lb_class:
        return {choice.lb_class}
    of_controllers = {status.lb_class for _, status in _decoded(published, ControllerStatus)}
    return of_controllers or {status.lb_class for _, status in _decoded(published, SpeakerStatus)} or {""}


def _shown(overview: Overview, choice: ClusterChoice) -> Shown:
    published, classes = overview.published, _classes(choice, overview.published)
    controllers = tuple(_decoded(published, ControllerStatus))
    return Shown(
        [(name, status) for name, status in controllers if status.lb_class in classes],
        [status for _, status in _decoded(published, SpeakerStatus) if status.lb_class in classes],
        lacks_controller=not controllers and all(row.problem is None for row in published),
    )


def _look(choice: ClusterChoice) -> tuple[ObservedState, Mapping[str, bytes], tuple[LeaseRow, ...] | None]:
    """The cluster, what was published by name, and the Leases, None where there are none to be seen."""
    if choice.directory is not None:
        observed = read_snapshot(choice.directory, namespace=choice.namespace)
        return observed, published_below(choice.directory), None
    from reconciler.cluster.live import Target, look_live  # noqa: PLC0415 - heavy

    observed, roles = look_live(Target(choice.kubeconfig, choice.context), namespace=choice.namespace)
    if roles.leases is None:
        return observed, roles.documents, None
    rows = (
        LeaseRow(lease=found.name, holder=found.holder or None, renewed_at=found.renewed_at, duration=found.duration)
        for found in roles.leases
    )
    return observed, roles.documents, tuple(rows)


def _published(name: str, document: bytes) -> PublishedRow:
    try:
        role = msgspec.json.decode(document, type=_Role).role
        if role in _STATUSES:
            msgspec.json.decode(document, type=_STATUSES[role])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        return PublishedRow(name=name, problem=f"what it published cannot be read: {exc}")
    return PublishedRow(name=name, document=msgspec.Raw(document))


def _decoded(published: Iterable[PublishedRow], kind: type[_Status]) -> Iterator[tuple[str, _Status]]:
    """Those of that kind, with their names."""
    for row in published:
        if row.document is not None and _STATUSES.get(msgspec.json.decode(row.document, type=_Role).role) is kind:
            yield row.name, msgspec.json.decode(row.document, type=kind)


def _standing(services: tuple[Service, ...], classes: Collection[str]) -> Iterator[StandingRow]:
    for service in services:
        if service.is_load_balancer and (service.load_balancer_class or "") in classes:
            yield _row(service)


def _row(service: Service) -> StandingRow:
    state = FOREIGN
    if not service.ingress and not service.unreadable_ingress:
        state = PENDING
    elif service.is_ours:
        state = ASSIGNED
    reason, message = _unmet(service)
    return StandingRow(
        service=service.key,
        state=state,
        lb_class=service.load_balancer_class or "",
        addresses=(*map(str, service.ingress), *service.unreadable_ingress),
        pool=service.allocated_pool if state == ASSIGNED else None,
        reason=reason,
        message=_UNSEEN if state == PENDING and message is None else message,
    )


def _unmet(service: Service) -> tuple[str | None, str | None]:
    """The reason code and the message of a request that is not met, as far as our condition tells them."""
    condition = service.condition
    if condition is None:
        return None, None
    if condition.status != "True":
        return _code(condition.reason), condition.message
    # Who has an address, and asks for something else, is told that after the pool.
    served = f"{assigned(service.allocated_pool or '').message}; "
    wish = condition.message.removeprefix(served)
    return None, None if wish == condition.message else wish


def _code(reason: str) -> str:
    """The reason code behind the word in a condition, which may have no dashes; another one's word as it is."""
    return _CODES.get(reason.lower(), reason)


def _counts(services: tuple[StandingRow, ...]) -> StandingCounts:
    states = Counter(row.state for row in services)
    unmet = sum(1 for row in services if row.message and row.message != _UNSEEN)
    return StandingCounts(states[ASSIGNED], states[PENDING], states[FOREIGN], unmet)
