"""
The BGP sessions of a speaker as rows of its status, and their numbers for its metrics. No I/O.

Described in docs/status.md and docs/metrics.md.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from reconciler.bgp.events import State
from reconciler.telemetry.status import Fact


class SessionRow(
    Fact,
    frozen=True,
    gc=False,
    kw_only=True,
    rename={
        "down_since": "downSince",
        "local_asn": "localASN",
        "remote_asn": "remoteASN",
        "remote_router_id": "remoteRouterID",
        "hold_time": "holdTime",
        "graceful_restart": "gracefulRestart",
        "last_error": "lastError",
        "last_error_at": "lastErrorAt",
        "retry_at": "retryAt",
        "bfd_since": "bfdSince",
        "bfd_problem": "bfdProblem",
    },
):
    """
    One BGPPeer of this node, and the session with it.

    `remote` is its address with the port, or an interface; `vrf` None is the default one. `since` is when `state`
    became this, and `down_since` when there was a session last, or since when one is tried for; None while there is
    one. What the peer said of itself is None, and `families` empty, without a session; `hold_time` is in seconds.
    `wanted` routes the peer should hear of, and of those it has heard of `told`; `received` are prefixes that it told
    us of. `last_error` is one sentence; `problem` what keeps us from even trying. `bfd` is the state of the BFD
    session, None where none is asked for.
    """

    peer: str
    remote: str
    vrf: str | None = None
    state: State
    since: datetime | None = None
    down_since: datetime | None = None
    local_asn: int
    remote_asn: int | None = None
    remote_router_id: str | None = None
    hold_time: float | None = None
    graceful_restart: bool = False
    families: tuple[str, ...] = ()
    wanted: int = 0
    told: int = 0
    received: int | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    retry_at: datetime | None = None
    problem: str | None = None
    bfd: str | None = None
    bfd_since: datetime | None = None
    bfd_problem: str | None = None

    @property
    def is_established(self) -> bool:
        """Whether there is a session."""
        return self.state is State.ESTABLISHED

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, in one sentence; None where nothing is known to be."""
        if not self.is_established:
            return self.problem or self.last_error
        return self.problem or self.bfd_problem


def settled(row: SessionRow) -> SessionRow:
    """
    A row without what moves on while nothing happens, for a document that is written on change.

    Attempts come and go, so a session that is not established is idle there. What a peer tells us of is his affair.
    """
    if row.is_established:
        return msgspec.structs.replace(row, received=None, last_error_at=None)
    return msgspec.structs.replace(row, state=State.IDLE, since=None, received=None, last_error_at=None, retry_at=None)


class SessionTally(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was counted for one peer since it was opened: BGP messages, and packets and turns of its BFD session."""

    opens_sent: int = 0
    opens_received: int = 0
    notifications_sent: int = 0
    notifications_received: int = 0
    updates_sent: int = 0
    updates_received: int = 0
    keepalives_sent: int = 0
    keepalives_received: int = 0
    route_refreshes_sent: int = 0
    route_refreshes_received: int = 0
    established: int = 0
    updates_refused: int = 0
    bfd_packets_sent: int = 0
    bfd_packets_received: int = 0
    bfd_up_events: int = 0
    bfd_down_events: int = 0

    @property
    def sent(self) -> int:
        """BGP messages of every type."""
        return (
            self.opens_sent
            + self.notifications_sent
            + self.updates_sent
            + self.keepalives_sent
            + self.route_refreshes_sent
        )

    @property
    def received(self) -> int:
        """BGP messages of every type."""
        return (
            self.opens_received
            + self.notifications_received
            + self.updates_received
            + self.keepalives_received
            + self.route_refreshes_received
        )


def distinct(rows: Iterable[SessionRow]) -> tuple[SessionRow, ...]:
    """
    One row for each remote end and VRF, the first by name of the peer.

    Two BGPPeers that mean the same router are a mistake, and a series that is there twice spoils a whole scrape.
    """
    found: dict[tuple[str, str | None], SessionRow] = {}
    for row in rows:
        found.setdefault((row.remote, row.vrf), row)
    return tuple(found.values())


def remote_host(remote: str) -> str:
    """The remote end without its port: `192.0.2.14` of `192.0.2.14:179`, `2001:db8::e` of `[2001:db8::e]:179`."""
    if remote.startswith("["):
        return remote[1:].partition("]")[0]
    host, colon, port = remote.rpartition(":")
    return host if colon and port.isdigit() else remote


def states_of(rows: Iterable[SessionRow]) -> Mapping[str, int]:
    """How many sessions are in each state, also in those that none is in."""
    found = Counter(row.state for row in rows)
    return {state.value: found[state] for state in State}
