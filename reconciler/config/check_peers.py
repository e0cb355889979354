"""Peers against each other, and against the addresses that are announced to them."""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Family
from reconciler.config.drafts import BGPDraft, Drafts, PeerDraft
from reconciler.config.problems import Problems
from reconciler.config.shared_nodes import NodeKeys, certain_node_keys
from reconciler.model.origin import Origin, Related
from reconciler.model.peers import BGPPeer
from reconciler.model.pools import PoolEntry


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


def check_peers_in_pools(drafts: Drafts, problems: Problems) -> None:
    """Warn of pools that hold an end of a session: a Service that is given the address would cut the session off."""
    held = ((entry.addresses, draft.pool.name, entry) for draft in drafts.pools for entry in draft.pool.entries)
    entries = sorted(held, key=_first)
    for draft in drafts.peers:
        peer = draft.peer
        for field, address in (("peerAddress", peer.peer_address), ("sourceAddress", peer.source_address)):
            if address is None:
                continue
            # Entries that overlap are an error of their own, so the one that begins last below it is enough.
            at = bisect_right(entries, (address.family, address.value), key=_first) - 1
            if at >= 0 and address in entries[at][0]:
                _, pool, entry = entries[at]
                message = (
                    f'pool "{pool}" holds {address}, the {field} of peer "{peer.name}": a Service that is given it '
                    "takes the session away; keep it out of the pool"
                )
                note = Related(entry.origin, f'pool "{pool}" takes it here')
                problems.warning(draft.manifest.spec.origin_of(field), "peer-in-pool", message, note)


def _first(entry: tuple[AddressRange, str, PoolEntry]) -> tuple[Family, int]:
    return entry[0].family, entry[0].first


def check_gtsm(drafts: Drafts, problems: Problems) -> None:
    """Warn of routers that are said to be beyond the link, and whose packets from there are dropped."""
    far = {draft.peer.name: draft for draft in drafts.peers if draft.peer.ebgp_multi_hop}
    for draft in drafts.settings:
        for settings in draft.settings.bgp.peers:
            if settings.gtsm_hops == 1 and settings.name in far and settings.origin is not None:
                message = (
                    f'gtsmHops of peer "{settings.name}" is 1, which drops packets from beyond the link, and its '
                    "ebgpMultiHop says that it is there: write the number of hops, or remove ebgpMultiHop"
                )
                spec = far[settings.name].manifest.spec
                note = Related(spec.origin_of("ebgpMultiHop"), "ebgpMultiHop is set here")
                problems.warning(settings.origin, "gtsm-multihop", message, note)


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
