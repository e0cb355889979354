"""One Service on every node: who announces it, who would be next, and what keeps the others from it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from reconciler.addresses.address_range import AddressRange, prefix_of
from reconciler.addresses.family import Address, Family
from reconciler.model.observed import NodeName, Service, ServiceKey
from reconciler.placement.decisions import Declined, DeclineReason, Placed, Protocol
from reconciler.placement.declining import decline_bgp, decline_layer2, excluded
from reconciler.placement.election import rank
from reconciler.placement.layer2 import announce
from reconciler.placement.rules import Covered
from reconciler.placement.subjects import Unannounceable
from reconciler.placement.survey import Survey


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """
    What one node does for the Service by one protocol.

    Either it announces all of it (`placed`), or it does not (`declined`); both when it has a peer for one of the
    addresses only.
    """

    node: NodeName
    protocol: Protocol
    placed: tuple[Placed, ...] = ()
    declined: Declined | None = None


class Candidacy(msgspec.Struct, frozen=True, gc=False):
    """
    How a node stands in the Layer 2 election. `rank` counts from 1, the node that announces.

    A node that is no candidate has rank None, and `excluded` and `message` say why.
    """

    node: NodeName
    rank: int | None
    score: int = 0
    excluded: DeclineReason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class ServiceExplanation:
    """
    One Service on all nodes.

    `verdicts` are sorted by node, then Layer 2 before BGP, with an entry for every protocol in use. `candidacies` are
    in order of rank, then the excluded nodes by name; empty where Layer 2 is not in use or nobody may announce the
    Service. `election_key` is the text of the address that is drawn, None when there is none.
    """

    service: ServiceKey
    pool: str | None = None
    addresses: tuple[Address, ...] = ()
    election_key: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    candidacies: tuple[Candidacy, ...] = ()

    @property
    def owner(self) -> NodeName | None:
        """The node that answers ARP and NDP for the Service."""
        return self.candidacies[0].node if self.candidacies and self.candidacies[0].rank == 1 else None


def explain_on_every_node(survey: Survey, key: ServiceKey) -> ServiceExplanation:
    """
    Decide for one Service on every node, and say why.

    Raises:
        KeyError: The cluster has no such Service.
    """
    service = survey.find(key)
    if service is None:
        raise KeyError(key)
    found = survey.read(service) if survey.rulebook.is_ours(service) else _not_ours(service)
    if isinstance(found, Unannounceable):
        return ServiceExplanation(key, addresses=service.ingress, verdicts=tuple(_silent(found, survey)))
    subject = found.subject
    protocols = survey.rulebook.behind(found).protocols_of(subject.pool)
    verdicts = [*(_by_layer2(found, survey) if Protocol.L2 in protocols else ())]
    verdicts += _by_bgp(found, survey) if Protocol.BGP in protocols else ()
    return ServiceExplanation(
        key,
        pool=subject.pool,
        addresses=service.ingress,
        election_key=subject.election_key,
        verdicts=tuple(sorted(verdicts, key=lambda verdict: verdict.node)),
        candidacies=tuple(_candidacies(found, survey)) if Protocol.L2 in protocols else (),
    )


def _not_ours(service: Service) -> Unannounceable:
    if not service.is_load_balancer:
        text = f"its type is {service.type}, not LoadBalancer"
        return Unannounceable(service.key, DeclineReason.NOT_LOAD_BALANCER, text)
    asked = f'"{service.load_balancer_class}"' if service.load_balancer_class else "not set"
    text = f"its loadBalancerClass is {asked}, which is not the one served here"
    return Unannounceable(service.key, DeclineReason.NOT_OUR_CLASS, text)


def _silent(service: Unannounceable, survey: Survey) -> Iterator[Verdict]:
    for node in survey.candidates.names:
        for protocol in survey.rulebook.present.protocols_of(None):
            declined = Declined(service.service, protocol, service.reason, service.message)
            yield Verdict(node, protocol, declined=declined)


def _by_layer2(covered: Covered, survey: Survey) -> Iterator[Verdict]:
    owner = covered.l2.owner(covered.subject)
    for node in survey.candidates.names:
        if node == owner:
            yield Verdict(node, Protocol.L2, placed=tuple(announce(covered.subject, covered.l2, node)))
        else:
            yield Verdict(node, Protocol.L2, declined=decline_layer2(covered, node, survey))


def _candidacies(covered: Covered, survey: Survey) -> Iterator[Candidacy]:
    subject, coverage = covered.subject, covered.l2
    if not subject.can_serve or coverage.bars(subject):
        return
    scores = coverage.scores
    for place, node in enumerate(rank(coverage.standing(subject), subject.election_key, scores), start=1):
        yield Candidacy(node, place, scores.get(node, 0))
    for node in survey.candidates.names:
        reason = coverage.exclusion(subject, node)
        if reason is not None:
            message = excluded(reason, covered, node, survey)
            yield Candidacy(node, None, scores.get(node, 0), reason, message)


def _by_bgp(covered: Covered, survey: Survey) -> Iterator[Verdict]:
    # Routes are what all Services together make of them, so those that may share a prefix speak as well.
    sharing = _sharing_prefixes(covered, survey)
    for node in survey.candidates.names:
        if survey.candidates.bar(node) is DeclineReason.NO_SPEAKER:
            message = excluded(DeclineReason.NO_SPEAKER, covered, node, survey)
            declined = Declined(covered.subject.service.key, Protocol.BGP, DeclineReason.NO_SPEAKER, message)
            yield Verdict(node, Protocol.BGP, declined=declined)
            continue
        yield _on_node(covered, sharing, node, survey)


def _on_node(covered: Covered, sharing: Iterable[Covered], node: NodeName, survey: Survey) -> Verdict:
    key = covered.subject.service.key
    routes = survey.rulebook.routes_of(node)
    placed: list[Placed] = []
    for other in sharing:
        offers = routes.offers(other.bgp, other.families)
        if routes.declined(other.subject, offers) is None:
            placed.extend(routes.announce(other.subject, offers))
    mine = tuple(one for one in routes.settle(placed) if one.service == key)
    return Verdict(node, Protocol.BGP, placed=mine, declined=decline_bgp(covered, routes, survey))


def _sharing_prefixes(covered: Covered, survey: Survey) -> tuple[Covered, ...]:
    prefixes = set(_prefixes(covered))
    return tuple(
        other
        for other in survey.covered
        if any(address in prefix for address in other.subject.addresses for prefix in prefixes)
    )


def _prefixes(covered: Covered) -> Iterator[AddressRange]:
    for address in covered.subject.addresses:
        for a in covered.bgp.advertisements:
            is_ipv4 = address.family is Family.IPV4
            yield prefix_of(address, a.aggregation_length if is_ipv4 else a.aggregation_length_v6)
