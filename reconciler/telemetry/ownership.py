"""
Which nodes announce each Service, as far as a controller can tell from what the speakers have published. No I/O.

It is worked out as every speaker does for itself; what one really does at this moment is in its own `/status`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reconciler.addresses.family import Family
from reconciler.model.desired import DesiredState
from reconciler.model.observed import InterfaceName, Link, Member, Members, NodeName, ObservedState, ServiceKey
from reconciler.placement.decisions import DeclineReason, Protocol
from reconciler.placement.declining import decline_bgp, decline_layer2
from reconciler.placement.routes import BGPCoverage, NodeRoutes
from reconciler.placement.rules import Covered
from reconciler.placement.subjects import Unannounceable
from reconciler.placement.survey import Survey
from reconciler.telemetry.speaker_condition import SpeakerCondition, SpeakerState
from reconciler.telemetry.speaker_status import AnnouncementState, SpeakerStatus
from reconciler.telemetry.status import Fact

Nodes = tuple[NodeName, ...]
_ELECTABLE = frozenset({SpeakerState.READY, SpeakerState.DRAINED})


class ServiceAnnouncers(Fact, frozen=True, gc=False, kw_only=True):
    """
    Who announces one Service. `l2` is the node that answers ARP and NDP for it.

    `bgp` are the nodes that tell a peer of it, as a place in the list of such sets: there are few of them, and many
    Services. Where nobody announces it, `reason` is a word and `message` a sentence.
    """

    service: ServiceKey
    l2: NodeName | None = None
    bgp: int | None = None
    reason: str | None = None
    message: str | None = None


class Ownership(NamedTuple):
    """Every Service of ours with an address, by key, and the sets of nodes that their `bgp` means."""

    announcers: tuple[ServiceAnnouncers, ...] = ()
    node_sets: tuple[Nodes, ...] = ()


def ownership(
    desired: DesiredState, observed: ObservedState, speakers: Iterable[SpeakerCondition], *, lb_class: str
) -> Ownership:
    """
    Work out who announces what is in the status of the Services: a second for ten thousand of them on many nodes.

    Args:
        desired: The configuration in force.
        observed: The cluster, with endpoints.
        speakers: How they are, by what they have published.
        lb_class: The class of Services that is ours.
    """
    conditions = tuple(speakers)
    survey = Survey(desired, observed, members_of(conditions), lb_class=lb_class)
    telling = _Telling(survey, _established(conditions))
    rows = tuple(_announcers(service, survey, telling) for service in survey.services if _has_address(service))
    return Ownership(rows, telling.node_sets)


def members_of(speakers: Iterable[SpeakerCondition]) -> Members:
    """The speakers that may be elected."""
    return frozenset(_member(found.status) for found in speakers if found.state in _ELECTABLE)


def _member(status: SpeakerStatus) -> Member:
    node = NodeName(status.node)
    if status.cut:
        return Member(node)
    # Those that it does not use carry none of its announcements, whatever their state.
    return Member(
        node, frozenset(Link(InterfaceName(link.name), carrier=link.used and link.carrier) for link in status.links)
    )


def _established(speakers: Iterable[SpeakerCondition]) -> Mapping[NodeName, frozenset[str]]:
    return {
        NodeName(found.status.node): frozenset(row.peer for row in found.status.sessions if row.is_established)
        for found in speakers
    }


def _has_address(service: Covered | Unannounceable) -> bool:
    return isinstance(service, Covered) or service.reason is not DeclineReason.NO_ADDRESS


def _announcers(service: Covered | Unannounceable, survey: Survey, telling: "_Telling") -> ServiceAnnouncers:
    if isinstance(service, Unannounceable):
        return ServiceAnnouncers(service=service.service, reason=service.reason, message=service.message)
    key = service.subject.service.key
    owner = service.l2.owner(service.subject)
    nodes = telling.nodes(service)
    if owner is None and not nodes:
        reason, message = _why_nobody(service, survey, telling)
        return ServiceAnnouncers(service=key, reason=reason, message=message)
    return ServiceAnnouncers(service=key, l2=owner, bgp=telling.number(nodes) if nodes else None)


class _Telling:
    """Who tells peers: the same for all Services that the same advertisements cover, unless their endpoints matter."""

    def __init__(self, survey: Survey, established: Mapping[NodeName, frozenset[str]]) -> None:
        routes = map(survey.rulebook.routes_of, survey.candidates.speaking)
        self.routes = tuple(found for found in routes if found.peers) if survey.rulebook.tells_routes else ()
        self._established = established
        self._known: dict[tuple[BGPCoverage, frozenset[Family], frozenset[Family]], Nodes] = {}
        self._numbers: dict[Nodes, int] = {}

    @property
    def node_sets(self) -> tuple[Nodes, ...]:
        return tuple(self._numbers)

    def number(self, nodes: Nodes) -> int:
        return self._numbers.setdefault(nodes, len(self._numbers))

    def nodes(self, covered: Covered) -> Nodes:
        """The nodes that tell a peer of a Service, over a session that is established."""
        if not self.routes or not covered.subject.is_healthy:
            return ()
        families = frozenset(address.family for address in covered.subject.addresses)
        if covered.subject.service.is_local:
            return tuple(found.node for found in self.routes if self._tells(found, covered, families))
        key = (covered.bgp, covered.families, families)
        if key not in self._known:
            self._known[key] = tuple(found.node for found in self.routes if self._tells(found, covered, families))
        return self._known[key]

    def wants_to(self, covered: Covered) -> bool:
        """Whether some node would, if only it had a session."""
        families = {address.family for address in covered.subject.addresses}
        return any(any(self._offered(found, covered, families)) for found in self.routes)

    def _tells(self, routes: NodeRoutes, covered: Covered, families: Iterable[Family]) -> bool:
        established = self._established.get(routes.node, frozenset())
        return any(peer in established for peer in self._offered(routes, covered, families))

    def _offered(self, routes: NodeRoutes, covered: Covered, families: Iterable[Family]) -> Iterator[str]:
        offers = routes.offers(covered.bgp, covered.families)
        if routes.declined(covered.subject, offers) is None:
            for family in families:
                yield from (offer.peer for offer in offers.of(family))


def _why_nobody(covered: Covered, survey: Survey, telling: _Telling) -> tuple[str, str]:
    """A word and a sentence; where every node has a reason of its own, that of the first one that speaks."""
    protocols = survey.rulebook.behind(covered).protocols_of(covered.subject.pool)
    nodes = survey.candidates.speaking
    if not nodes:
        return DeclineReason.NO_SPEAKER, "no speaker that may announce has published that it is ready"
    if Protocol.BGP in protocols:
        if telling.wants_to(covered):
            return AnnouncementState.NO_SESSION, "none of the peers that are to hear of it has a session"
        told = (decline_bgp(covered, survey.rulebook.routes_of(node), survey) for node in nodes)
        if (declined := next(filter(None, told), None)) is not None:
            return declined.reason, declined.message
    declined = decline_layer2(covered, nodes[0], survey)
    # MetalLB's word is "not the owner" for all of these, which is no news here.
    if not covered.subject.can_serve:
        return DeclineReason.NO_ENDPOINTS, declined.message
    exclusion = covered.l2.exclusion(covered.subject, nodes[0])
    return exclusion or declined.reason, declined.message
