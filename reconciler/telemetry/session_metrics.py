"""
The metrics of BGP and BFD sessions, under the names that MetalLB and its exporter for FRR have for them.

A series is there as long as its peer is. A peer without a VRF has an empty label `vrf`, which is the same as none.
"""

from collections.abc import Callable, Iterator, Mapping

from reconciler.telemetry.role_metrics import At, Family, FamilyType, RoleReading, Samples
from reconciler.telemetry.sessions import SessionRow, SessionTally, distinct, remote_host, states_of
from reconciler.telemetry.speaker_status import SpeakerStatus

BFD_UP = "up"
_NOTHING = SessionTally()


class SessionReading(RoleReading, frozen=True, kw_only=True):
    """What a scrape finds of sessions; `tallies` are those of each BGPPeer by its name."""

    status: SpeakerStatus
    tallies: Mapping[str, SessionTally] = {}


def _sessions(at: At[SessionReading]) -> Iterator[tuple[SessionRow, SessionTally]]:
    tallies = at.reading.tallies
    return ((row, tallies.get(row.peer, _NOTHING)) for row in distinct(at.reading.status.sessions))


def _bgp(
    name: str,
    help: str,  # noqa: A002 - the word of the format
    value: Callable[[SessionRow, SessionTally], float],
    type: FamilyType = FamilyType.GAUGE,  # noqa: A002 - as well
) -> Family[SessionReading]:
    """A family with a series for each peer, which is named by its address and port."""

    def samples(at: At[SessionReading]) -> Samples:
        return (((row.remote, row.vrf or ""), float(value(row, tally))) for row, tally in _sessions(at))

    return Family(name, help, samples, ("peer", "vrf"), type)


def _bfd(
    name: str,
    help: str,  # noqa: A002 - the word of the format
    value: Callable[[SessionRow, SessionTally], float],
    type: FamilyType = FamilyType.UNTYPED,  # noqa: A002 - as well
) -> Family[SessionReading]:
    """A family with a series for each peer that BFD is asked for, which is named by its address alone."""

    def samples(at: At[SessionReading]) -> Samples:
        # Several BGP sessions with one router have one BFD session.
        found: dict[tuple[str, ...], float] = {}
        for row, tally in _sessions(at):
            if row.bfd is not None:
                found.setdefault((remote_host(row.remote), row.vrf or ""), float(value(row, tally)))
        return found.items()

    return Family(name, help, samples, ("peer", "vrf"), type)


SESSION_FAMILIES: tuple[Family[SessionReading], ...] = (
    _bgp(
        "metallb_bgp_session_up",
        "1 while there is a BGP session with that peer.",
        lambda row, _: row.is_established,
    ),
    _bgp(
        "metallb_bgp_updates_total",
        "UPDATE messages that were sent to that peer.",
        lambda _, tally: tally.updates_sent,
        FamilyType.COUNTER,
    ),
    _bgp(
        "metallb_bgp_announced_prefixes_total",
        "Prefixes that the peer has been told of in this session; 0 without one.",
        lambda row, _: row.told,
    ),
    _bgp(
        "metallb_bgp_pending_prefixes_total",
        "Prefixes that the peer should hear of.",
        lambda row, _: row.wanted,
    ),
    _bgp(
        "metallb_bgp_received_prefixes_total",
        "Announcements of prefixes that the peer has made in this session, repeated ones included. None is kept.",
        lambda row, _: row.received or 0,
    ),
    _bgp(
        "metallb_bgp_opens_sent",
        "OPEN messages that were sent to that peer.",
        lambda _, tally: tally.opens_sent,
        FamilyType.UNTYPED,
    ),
    _bgp(
        "metallb_bgp_opens_received",
        "OPEN messages of that peer.",
        lambda _, tally: tally.opens_received,
        FamilyType.UNTYPED,
    ),
    _bgp(
        "metallb_bgp_notifications_sent",
        "NOTIFICATION messages that were sent to that peer; each ends a connection.",
        lambda _, tally: tally.notifications_sent,
        FamilyType.UNTYPED,
    ),
    _bgp(
        "metallb_bgp_updates_total_received",
        "UPDATE messages of that peer.",
        lambda _, tally: tally.updates_received,
        FamilyType.UNTYPED,
    ),
    _bgp(
        "metallb_bgp_keepalives_sent",
        "KEEPALIVE messages that were sent to that peer.",
        lambda _, tally: tally.keepalives_sent,
        FamilyType.UNTYPED,
    ),
    _bgp(
        "metallb_bgp_keepalives_received",
        "KEEPALIVE messages of that peer.",
        lambda _, tally: tally.keepalives_received,
        FamilyType.UNTYPED,
    ),
    _bgp(
        "metallb_bgp_route_refresh_sent",
        "ROUTE-REFRESH messages that were sent to that peer: marks around what it asked for again.",
        lambda _, tally: tally.route_refreshes_sent,
        FamilyType.UNTYPED,
    ),
    _bgp(
        "metallb_bgp_total_sent",
        "Messages of every type that were sent to that peer.",
        lambda _, tally: tally.sent,
        FamilyType.UNTYPED,
    ),
    _bgp(
        "metallb_bgp_total_received",
        "Messages of every type of that peer.",
        lambda _, tally: tally.received,
        FamilyType.UNTYPED,
    ),
    _bfd(
        "metallb_bfd_session_up",
        "1 while the BFD session with that peer is up.",
        lambda row, _: row.bfd == BFD_UP,
        FamilyType.GAUGE,
    ),
    _bfd(
        "metallb_bfd_control_packet_input",
        "BFD packets of that peer that were accepted.",
        lambda _, tally: tally.bfd_packets_received,
    ),
    _bfd(
        "metallb_bfd_control_packet_output",
        "BFD packets that were sent to that peer.",
        lambda _, tally: tally.bfd_packets_sent,
    ),
    _bfd(
        "metallb_bfd_session_up_events",
        "How often the BFD session with that peer came up.",
        lambda _, tally: tally.bfd_up_events,
    ),
    _bfd(
        "metallb_bfd_session_down_events",
        "How often the BFD session with that peer went down.",
        lambda _, tally: tally.bfd_down_events,
    ),
    _bfd(
        "metallb_bfd_echo_packet_input",
        "BFD echo packets of that peer. None are used, so none are counted.",
        lambda *_: 0,
    ),
    _bfd(
        "metallb_bfd_echo_packet_output",
        "BFD echo packets that were sent to that peer: none.",
        lambda *_: 0,
    ),
    _bfd(
        "metallb_bfd_zebra_notifications",
        "How often BGP was told that the BFD session with that peer came up or went down.",
        lambda _, tally: tally.bfd_up_events + tally.bfd_down_events,
    ),
    _bgp(
        "lb_reconciler_bgp_notifications_received_total",
        "NOTIFICATION messages of that peer: it ended a connection, and said why.",
        lambda _, tally: tally.notifications_received,
        FamilyType.COUNTER,
    ),
    _bgp(
        "lb_reconciler_bgp_sessions_established_total",
        "Sessions with that peer so far: one that grows belongs to a peer that comes and goes.",
        lambda _, tally: tally.established,
        FamilyType.COUNTER,
    ),
    _bgp(
        "lb_reconciler_bgp_updates_refused_total",
        "UPDATE messages of that peer of which routes were malformed and passed over (RFC 7606).",
        lambda _, tally: tally.updates_refused,
        FamilyType.COUNTER,
    ),
    _bgp(
        "lb_reconciler_bgp_session_problem",
        "1 while something on this node is in the way of a session with that peer, or of a route.",
        lambda row, _: row.problem is not None,
    ),
    Family(
        "lb_reconciler_bgp_sessions",
        "BGPPeers of this node by the state of their sessions.",
        lambda at: (((state,), float(number)) for state, number in states_of(at.reading.status.sessions).items()),
        ("state",),
    ),
)
