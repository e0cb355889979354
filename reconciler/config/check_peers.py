"""Peers against each other, and against the addresses that are announced to them."""

from collections.abc import Hashable, Iterable, Iterator

from reconciler.addresses.family import Family
from reconciler.config.drafts import BGPDraft, Drafts, PeerDraft
from reconciler.config.problems import Problems
from reconciler.config.shared_nodes import NodeKeys, certain_node_keys
from reconciler.model.origin import Origin, Related
from reconciler.model.peers import BGPPeer


def equal_sessions(peers: Iterable[BGPPeer], node_keys: NodeKeys) -> Iterator[tuple[BGPPeer, BGPPeer]]:
    """Pairs of peers, earlier by name first, for which one node would open the same session twice."""
    first: dict[Hashable, BGPPeer] = {}
    for peer in sorted(peers, key=lambda p: p.name):
        remote = peer.peer_address or peer.interface
        if remote is None:
            continue
        places = [(remote, peer.peer_port, peer.vrf, node) for node in node_keys(peer.node_selectors)]
        earlier = [first[place] for place in places if place in first]
        if earlier:
            yield min(earlier, key=lambda p: p.name), peer
        for place in places:
            first.setdefault(place, peer)


def session_message(earlier: BGPPeer, later: BGPPeer, where: str) -> str:
    """What is wrong with two peers of one session."""
    remote = later.peer_address or f"interface {later.interface}"
    vrf = f"VRF {later.vrf}" if later.vrf else "the default VRF"
    return (
        f'duplicate BGPPeers selecting the same node: peers "{earlier.name}" and "{later.name}" both mean {remote}, '
        f"port {later.peer_port}, in {vrf}, {where}; remove one, or give them different nodeSelectors"
    )


def check_sessions(drafts: Drafts, problems: Problems) -> None:
    """Report peers that are the same session on the same nodes for certain."""
    by_name = {draft.peer.name: draft for draft in drafts.peers}
    for earlier, later in equal_sessions((draft.peer for draft in by_name.values()), certain_node_keys):
        where = "on the same nodes" if later.node_selectors else "on every node"
        note = Related(_remote(by_name[earlier.name]), f'peer "{earlier.name}" opens it here')
        message = session_message(earlier, later, where)
        problems.error(_remote(by_name[later.name]), "duplicate-session", message, note)


def _remote(draft: PeerDraft) -> Origin:
    return draft.manifest.spec.origin_of("peerAddress", "interface")


def check_bfd_echo(drafts: Drafts, problems: Problems) -> None:
    """
    Report peers whose BFD profile uses echo packets and to which IPv6 addresses are announced.

    One finding a peer, on the first advertisement and pool by name.
    """
    echoing = {draft.peer.name: draft for draft in drafts.peers if draft.peer.bfd and draft.peer.bfd.echo_mode}
    if not echoing:
        return
    ipv6 = {d.pool.name for d in drafts.pools if any(e.addresses.family is Family.IPV6 for e in d.pool.entries)}
    reported: set[str] = set()
    for draft in drafts.bgp_advertisements:
        pool = next((name for name in draft.advertisement.pools if name in ipv6), None)
        if pool is None:
            continue
        for name in sorted(echoing.keys() & draft.advertisement.peers if draft.advertisement.peers else echoing.keys()):
            if name not in reported:
                reported.add(name)
                _report_echo(echoing[name], draft, pool, problems)
        if len(reported) == len(echoing):
            return


def _report_echo(peer: PeerDraft, advertisement: BGPDraft, pool: str, problems: Problems) -> None:
    message = (
        f"pool {pool} has bgpadvertisement {advertisement.manifest.name} which references peer {peer.manifest.name} "
        "which has bfd echo enabled, which is not possible with IPv6 addresses: choose a profile without echoMode"
    )
    note = advertisement.manifest.here("the advertisement that brings IPv6 addresses to this peer")
    problems.error(peer.manifest.spec.origin_of("bfdProfile"), "bfd-echo-ipv6", message, note)
