"""Why a node does not announce a Service, as the word MetalLB logs and a sentence that says what to change."""

from collections.abc import Iterable, Iterator

from reconciler.addresses.family import Family
from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.observed import NodeName
from reconciler.placement.decisions import Declined, DeclineReason, Protocol
from reconciler.placement.layer2 import decline_reason
from reconciler.placement.routes import NodeRoutes, conflict_among, families_of
from reconciler.placement.rules import Covered
from reconciler.placement.subjects import Subject, Unannounceable
from reconciler.placement.survey import Survey

_EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


def decline_everywhere(service: Unannounceable, survey: Survey) -> Iterator[Declined]:
    """The same answer for every protocol in use, whatever the node."""
    for protocol in survey.rulebook.present.protocols_of(None):
        yield Declined(service.service, protocol, service.reason, service.message)


def decline_layer2(covered: Covered, node: NodeName, survey: Survey) -> Declined:
    """Why a node that does not win stays silent; names the node that announces instead."""
    subject, coverage = covered.subject, covered.l2
    reason = decline_reason(subject, coverage, node)
    match reason:
        case DeclineReason.SHARED_ADDRESS_WITH_SELECTOR:
            selective = quoted(a for a in coverage.advertisements if a.service_selectors)
            message = (
                f"the annotation metallb.io/allow-shared-ip does not go with serviceSelectors, which L2Advertisement "
                f"{selective} has; take one of them away"
            )
        case DeclineReason.NO_MATCHING_ADVERTISEMENT:
            message = _no_match(covered, node, survey, Protocol.L2)
        case _ if not subject.can_serve:
            message = cannot_serve(subject)
        case _:
            message = _not_elected(covered, node, survey)
    return Declined(subject.service.key, Protocol.L2, reason, message)


def _not_elected(covered: Covered, node: NodeName, survey: Survey) -> str:
    subject, coverage = covered.subject, covered.l2
    winner = coverage.owner(subject)
    exclusion = coverage.exclusion(subject, node)
    if exclusion is not None:
        instead = f'"{winner}" announces {subject.election_key}' if winner else "no other node can announce"
        return f"{excluded(exclusion, covered, node, survey)}; {instead}"
    mine, best = coverage.scores.get(node, 0), coverage.scores.get(winner, 0) if winner else 0
    by_score = f", preferred with a score of {best} against {mine}" if best > mine else ""
    return f'"{winner}" wins the election for {subject.election_key}{by_score}'


def excluded(reason: DeclineReason, covered: Covered, node: NodeName, survey: Survey) -> str:
    """Why a node is no candidate for a Service, as a clause."""
    match reason:
        case DeclineReason.NO_SPEAKER:
            return f'no speaker is alive on "{node}"'
        case DeclineReason.NO_LINK_UP:
            names = covered.l2.interfaces(node)
            return f'"{node}" has no interface {", ".join(sorted(names)) + " " if names else ""}that is up'
        case DeclineReason.NO_LOCAL_ENDPOINTS:
            return f'externalTrafficPolicy is Local and no endpoint on "{node}" can serve'
        case DeclineReason.NO_MATCHING_ADVERTISEMENT:
            return _no_match(covered, node, survey, Protocol.L2)
        case _:
            return _unfit(reason, node, survey)


def _unfit(reason: DeclineReason, node: NodeName, survey: Survey) -> str:
    if reason is DeclineReason.NODE_DRAINED:
        taint = survey.candidates.draining_taints(node)[0]
        return f'"{node}" has the taint {taint}, which drains it; remove it to let the node announce'
    if reason is DeclineReason.NODE_NETWORK_UNAVAILABLE:
        return f'"{node}" has the condition NetworkUnavailable'
    return f'"{node}" carries the label {_EXCLUDE_LABEL}; remove it to let the node announce'


def decline_bgp(covered: Covered, routes: NodeRoutes, survey: Survey) -> Declined | None:
    """Why a node tells nobody of a Service, or leaves one of its addresses out; None when all of it is told."""
    subject, node = covered.subject, routes.node
    families = covered.families
    offers = routes.offers(covered.bgp, families)
    reason = routes.declined(subject, offers)
    match reason:
        case None:
            return _without_peer(covered, routes)
        case DeclineReason.NO_MATCHING_ADVERTISEMENT:
            # MetalLB's word is another when it is the nodes, not the Service, that no advertisement of the pool lists.
            of_pool = survey.rulebook.behind(covered).bgp.of_pool(subject.pool)
            listing = (a for a in of_pool if node in survey.candidates.listed(a.node_selectors))
            reason = reason if any(listing) else DeclineReason.NOT_OWNER
            message = _no_match(covered, node, survey, Protocol.BGP)
        case DeclineReason.CONFLICTING_ADVERTISEMENTS:
            message = _conflict(covered, routes, families)
        case DeclineReason.NO_LOCAL_ENDPOINTS:
            message = f'externalTrafficPolicy is Local and no endpoint on "{node}" can serve'
        case DeclineReason.NO_ENDPOINTS:
            message = cannot_serve(subject)
        case _:
            message = _unfit(reason, node, survey)
    return Declined(subject.service.key, Protocol.BGP, reason, message)


def _conflict(covered: Covered, routes: NodeRoutes, families: frozenset[Family]) -> str:
    pair = conflict_among(covered.bgp.advertisements_on(routes.node), families)
    parts = " and ".join(f'"{a.name}" (localPref {a.local_pref})' for a in pair or ())
    return (
        f"BGPAdvertisement {parts} would give one route to one peer two local preferences; "
        "make them equal, or give them other aggregation lengths or other peers"
    )


def _without_peer(covered: Covered, routes: NodeRoutes) -> Declined | None:
    subject = covered.subject
    offers = routes.offers(covered.bgp, covered.families)
    untold = [address for address in subject.addresses if not offers.of(address.family)]
    if not untold:
        return None
    here = covered.bgp.advertisements_on(routes.node)
    names = None if any(not a.peers for a in here) else {name for a in here for name in a.peers}
    peers = [peer for peer in routes.peers if names is None or peer.name in names]
    if not peers:
        wanted = "no BGPPeer" if names is None else f"none of the BGPPeers {', '.join(sorted(names))}"
        message = f'{wanted} has a session on "{routes.node}"; look at the names and at their nodeSelectors'
        return Declined(subject.service.key, Protocol.BGP, DeclineReason.NO_PEER, message)
    carried = ", ".join(f'"{peer.name}" ({" and ".join(map(str, families_of(peer)))})' for peer in peers)
    message = (
        f"no session carries {', '.join(map(str, untold))}: the peers are {carried}; add one of that family, "
        "or set dualStackAddressFamily"
    )
    return Declined(subject.service.key, Protocol.BGP, DeclineReason.PEER_FAMILY_MISMATCH, message)


def cannot_serve(subject: Subject) -> str:
    """Why no endpoint of a Service counts."""
    if not subject.endpoints:
        return "the Service has no endpoint; its selector must match a pod that is ready"
    if subject.can_serve:
        return "none of its serving endpoints has an address"
    count = len(subject.endpoints)
    return f"none of its {count} endpoints is ready or serving" if count > 1 else "its endpoint is not ready"


def quoted(advertisements: Iterable[L2Advertisement | BGPAdvertisement]) -> str:
    """Names of advertisements for a sentence."""
    return ", ".join(f'"{advertisement.name}"' for advertisement in advertisements)


def _no_match(covered: Covered, node: NodeName, survey: Survey, protocol: Protocol) -> str:
    pool, rules = covered.subject.pool, survey.rulebook.behind(covered)
    matching, coverage = (rules.l2, covered.l2) if protocol is Protocol.L2 else (rules.bgp, covered.bgp)
    kind = "L2Advertisement" if protocol is Protocol.L2 else "BGPAdvertisement"
    of_pool = matching.of_pool(pool)
    if not of_pool:
        kinds = kind if len(rules.protocols_of(pool)) == 1 else "L2Advertisement or BGPAdvertisement"
        return f'no {kinds} covers IPAddressPool "{pool}"; add one, or name the pool in one that exists'
    if not coverage.advertisements:
        return f"the serviceSelectors of {kind} {quoted(of_pool)} do not match the labels of the Service"
    if not survey.candidates.is_known(node):
        return f'the cluster has no Node "{node}"'
    return f'the nodeSelectors of {kind} {quoted(coverage.advertisements)} do not match the labels of Node "{node}"'
