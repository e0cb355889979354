"""Everything that one node should announce, and why it is silent about the rest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reconciler.model.desired import DesiredState
from reconciler.model.observed import Member, Members, NodeName, ObservedState, ServiceKey
from reconciler.placement.decisions import Declined, Placed, Placement, Protocol
from reconciler.placement.declining import decline_bgp, decline_everywhere, decline_layer2
from reconciler.placement.election import Elections
from reconciler.placement.explain import ServiceExplanation, explain_on_every_node
from reconciler.placement.layer2 import announce
from reconciler.placement.rules import Covered
from reconciler.placement.subjects import Unannounceable
from reconciler.placement.survey import Survey


def speakers(observed: ObservedState) -> Members:
    """Who speaks where nobody can be asked: every node that is ready, its links unknown."""
    return frozenset(Member(node.name) for node in observed.nodes if node.ready)


def place(
    desired: DesiredState,
    observed: ObservedState,
    members: Members,
    node: NodeName,
    *,
    lb_class: str = "",
    ignore_exclude_label: bool = False,
    explain: bool = True,
    elections: Elections | None = None,
    former: tuple[DesiredState, ...] = (),
) -> Placement:
    """
    Decide what one node announces for the addresses in the status of the Services.

    Without `explain` nothing is declined, and without `elections` a node stops counting at the first one that beats
    it: about 1 + ln N hashes an address. Explanations name the winner, which takes N, each address once.

    Args:
        desired: The configuration.
        observed: The cluster; only Services of type LoadBalancer and of our class are looked at.
        members: The speakers alive, this node among them.
        node: The node to decide for.
        lb_class: The `loadBalancerClass` we serve; empty for Services without one.
        ignore_exclude_label: Let nodes labelled for exclusion from load balancers announce all the same.
        explain: Fill `declined`, with messages.
        elections: Winners to reuse and to add to, for several nodes or snapshots in one command.
        former: Configurations that were in force before, the latest first: an address that still stands in a status
            but is in no pool any more is announced as the first of them says that has it. All nodes need the same.
    """
    survey = Survey(
        desired,
        observed,
        members,
        former=former,
        lb_class=lb_class,
        ignore_exclude_label=ignore_exclude_label,
        elections=elections,
    )
    if explain:
        return _explained(survey, node)
    has_won = wins if elections is None else _owns
    return _assemble(survey, node, (covered for covered in survey.covered if has_won(covered, node)))


def place_nodes(
    desired: DesiredState,
    observed: ObservedState,
    members: Members,
    nodes: Iterable[NodeName] | None = None,
    *,
    lb_class: str = "",
    ignore_exclude_label: bool = False,
    explain: bool = False,
    elections: Elections | None = None,
) -> Iterator[Placement]:
    """
    Decide for several nodes, by default all members, in order of name, reading the cluster once for all of them.

    The same placements as from `place`, one at a time: nothing is kept of a node once the next is asked for.
    """
    survey = Survey(
        desired,
        observed,
        members,
        lb_class=lb_class,
        ignore_exclude_label=ignore_exclude_label,
        elections=elections,
    )
    names = sorted({member.node for member in members} if nodes is None else set(nodes))
    if explain:
        yield from (_explained(survey, name) for name in names)
        return
    owned = _by_owner(survey)
    for name in names:
        yield _assemble(survey, name, owned.get(name, []))


def explain_service(
    desired: DesiredState,
    observed: ObservedState,
    members: Members,
    service: ServiceKey,
    *,
    lb_class: str = "",
    ignore_exclude_label: bool = False,
    elections: Elections | None = None,
) -> ServiceExplanation:
    """
    Decide for one Service on every node, and say why.

    The nodes are those the cluster knows and those a speaker is alive on.

    Raises:
        KeyError: The cluster has no such Service.
    """
    survey = Survey(
        desired,
        observed,
        members,
        lb_class=lb_class,
        ignore_exclude_label=ignore_exclude_label,
        elections=elections,
    )
    return explain_on_every_node(survey, service)


def wins(covered: Covered, node: NodeName) -> bool:
    """Whether a node announces a Service by Layer 2: it stops counting at the first one that beats it."""
    electorate = covered.l2.electorate(covered.subject)
    if electorate is None or node not in electorate:
        return False
    return electorate.rival(node, covered.subject.election_key) is None


def _owns(covered: Covered, node: NodeName) -> bool:
    """The same, with every winner named and remembered on the way."""
    electorate = covered.l2.electorate(covered.subject)
    return electorate is not None and electorate.winner(covered.subject.election_key) == node


def _by_owner(survey: Survey) -> dict[NodeName, list[Covered]]:
    owned: dict[NodeName, list[Covered]] = {}
    for covered in survey.covered:
        electorate = covered.l2.electorate(covered.subject)
        if electorate is not None:
            owned.setdefault(electorate.winner(covered.subject.election_key), []).append(covered)
    return owned


def _assemble(survey: Survey, node: NodeName, won: Iterable[Covered]) -> Placement:
    """What a node says by Layer 2, and to it what it tells its peers; everything in order of Services."""
    by_l2 = [placed for covered in won for placed in announce(covered.subject, covered.l2, node)]
    routes = survey.rulebook.routes_of(node)
    by_bgp: list[Placed] = []
    for one in survey.covered if survey.rulebook.tells_routes and routes.peers else ():
        offers = routes.offers(one.bgp, one.families)
        if routes.declined(one.subject, offers) is None:
            by_bgp.extend(routes.announce(one.subject, offers))
    placed = in_order(by_l2, routes.settle(by_bgp))
    return Placement(node, placed, frozenset(routes.peers), former=survey.former)


def _explained(survey: Survey, node: NodeName) -> Placement:
    won: list[Covered] = []
    declined: list[Declined] = []
    routes = survey.rulebook.routes_of(node)
    for service in survey.services:
        if isinstance(service, Unannounceable):
            declined.extend(decline_everywhere(service, survey))
            continue
        protocols = survey.rulebook.behind(service).protocols_of(service.subject.pool)
        if service.l2.owner(service.subject) == node:
            won.append(service)
        elif Protocol.L2 in protocols:
            declined.append(decline_layer2(service, node, survey))
        if Protocol.BGP in protocols:
            reason = decline_bgp(service, routes, survey)
            declined.extend((reason,) if reason else ())
    return replace(_assemble(survey, node, won), declined=tuple(declined))


def in_order(by_l2: Sequence[Placed], by_bgp: Sequence[Placed]) -> tuple[Placed, ...]:
    """What is announced by either protocol, by Service, then address; both are in that order."""
    if not by_l2 or not by_bgp:
        return (*by_l2, *by_bgp)
    return tuple(sorted((*by_l2, *by_bgp), key=lambda placed: (placed.service, placed.address)))
