"""
Everything that the page of a controller shows, as one value and as the JSON of `/view`. No I/O.

Described in docs/status.md. Keys may be added; `FORMAT_VERSION` rises when anything else changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from reconciler.allocation.allocate import allocate
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Node, ObservedState, Service, ServiceKey
from reconciler.model.origin import Origin
from reconciler.plan.actions import AssignAddresses
from reconciler.plan.services import Write, plan_services, writes
from reconciler.telemetry.cutting import encoded
from reconciler.telemetry.ownership import Ownership, ServiceAnnouncers
from reconciler.telemetry.sessions import SessionRow
from reconciler.telemetry.speaker_condition import SpeakerCondition
from reconciler.telemetry.speaker_status import ConflictRow, LinkRow
from reconciler.telemetry.status import FORMAT_VERSION, ControllerStatus, Fact


class Line(Fact, frozen=True, gc=False, kw_only=True):
    """A place in the configuration."""

    path: str
    line: int
    column: int


class HeldChange(Fact, frozen=True, gc=False, kw_only=True):
    """
    What a held plan would do to one Service: its addresses now and then, why, and the line behind it.

    `silenced`: it would keep its addresses, and nobody would announce them.
    """

    service: ServiceKey
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    silenced: bool = False
    message: str | None = None
    cause: Line | None = None


class NodeRow(
    Fact, frozen=True, kw_only=True, rename={"addresses_ipv4": "addressesIPv4", "addresses_ipv6": "addressesIPv6"}
):
    """
    A node and its speaker. `state` is a word, None where no speaker has published anything; `troubles` are sentences.

    `revision` is the configuration that it announces by; `services` and addresses are what it answers ARP and NDP for.
    """

    node: str
    state: str | None = None
    troubles: tuple[str, ...] = ()
    revision: str | None = None
    version: str | None = None
    members: int = 0
    services: int = 0
    addresses_ipv4: int = 0
    addresses_ipv6: int = 0
    links: tuple[LinkRow, ...] = ()
    conflicts: tuple[ConflictRow, ...] = ()
    sessions: tuple[SessionRow, ...] = ()


class ControllerView(Fact, frozen=True, kw_only=True):
    """
    A controller and what it knows of the speakers.

    `leader` is what the leader has published where that is another process. `held_plan` is None where no plan is held,
    or another process has held it. `announcers` are None where nobody can tell. `notes` say what could not be read.
    """

    format_version: int = FORMAT_VERSION
    controller: ControllerStatus
    leader: Mapping[str, Any] | None = None
    held_plan: tuple[HeldChange, ...] | None = None
    nodes: tuple[NodeRow, ...] = ()
    announcers: tuple[ServiceAnnouncers, ...] | None = None
    announcing_node_sets: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


def controller_view(
    status: ControllerStatus,
    *,
    leader: Mapping[str, Any] | None,
    held_plan: tuple[HeldChange, ...] | None,
    nodes: Iterable[Node],
    speakers: Iterable[SpeakerCondition],
    owned: Ownership | None,
    notes: Iterable[str],
) -> ControllerView:
    """Put a view together; `nodes` are those the cluster knows, and `owned` is None where that cannot be told."""
    return ControllerView(
        controller=status,
        leader=leader,
        held_plan=held_plan,
        nodes=tuple(_node_rows(nodes, speakers)),
        announcers=owned.announcers if owned else None,
        announcing_node_sets=owned.node_sets if owned else (),
        notes=tuple(notes),
    )


def view_json(view: ControllerView) -> bytes:
    """The JSON of `/view`, as small as it can be: it is asked for every few seconds."""
    try:
        return msgspec.json.encode(view)
    except UnicodeEncodeError:
        return encoded(msgspec.to_builtins(view))


def held_changes(
    desired: DesiredState, observed: ObservedState, lb_class: str, affected: Iterable[ServiceKey]
) -> tuple[HeldChange, ...]:
    """
    What a revision would do to the Services for whose sake it is held, by key.

    Args:
        desired: The revision.
        observed: What it would be carried out on.
        lb_class: The class of Services that is ours.
        affected: The Services.
    """
    plan = plan_services(allocate(desired, observed, lb_class=lb_class), observed, desired)
    # Of several writes to one Service the last one says where it ends.
    written = {write.service: write for write in writes(plan)}
    holders = {service.key: service for service in observed.services}
    return tuple(_change(key, holders.get(key), written.get(key)) for key in sorted(affected))


def _change(key: ServiceKey, service: Service | None, write: Write | None) -> HeldChange:
    before = tuple(map(str, service.ingress)) if service else ()
    if write is None:
        return HeldChange(service=key, before=before, after=before, silenced=bool(before))
    after = tuple(map(str, write.addresses)) if isinstance(write, AssignAddresses) else ()
    return HeldChange(service=key, before=before, after=after, message=write.message or None, cause=_line(write.cause))


def _line(origin: Origin | None) -> Line | None:
    return Line(path=origin.path, line=origin.line, column=origin.column) if origin else None


def _node_rows(nodes: Iterable[Node], speakers: Iterable[SpeakerCondition]) -> Iterator[NodeRow]:
    known: dict[str, SpeakerCondition | None] = {node.name: None for node in nodes}
    known |= {found.status.node: found for found in speakers}
    return (_node_row(name, found) for name, found in sorted(known.items()))


def _node_row(name: str, found: SpeakerCondition | None) -> NodeRow:
    if found is None:
        return NodeRow(node=name)
    status, counts = found.status, found.status.counts
    return NodeRow(
        node=name,
        state=found.state,
        troubles=found.troubles,
        revision=status.revision,
        version=status.version,
        members=counts.members,
        services=counts.services,
        addresses_ipv4=counts.addresses_ipv4,
        addresses_ipv6=counts.addresses_ipv6,
        links=status.links,
        conflicts=status.conflicts,
        sessions=status.sessions,
    )
