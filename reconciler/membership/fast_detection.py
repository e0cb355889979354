"""
Fast failure detection: sessions with the neighbours on the ring, and what they and other members say of a node.

Who watches whom is decided in `watchers`, who counts as dead in `silence`. Nothing is open while the setting is off.
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from math import inf

from reconciler.bfd.authentication import KEY_LENGTH, Meticulous
from reconciler.bfd.demultiplexing import Path, PathError
from reconciler.bfd.intervals import Parameters
from reconciler.bfd.packets import State
from reconciler.bfd.session import Event, Heard, StateChanged, Unheard
from reconciler.bfd.sockets import SocketError
from reconciler.bfd.transport import Counts, Endpoint, Neighbor
from reconciler.membership.facts import Peer
from reconciler.membership.messages import Silent, encode
from reconciler.membership.silence import REPEAT_SECONDS, Report, Silence
from reconciler.membership.watchers import peers_of, ring
from reconciler.model.observed import NodeName
from reconciler.model.settings import FastFailureDetectionSettings

_LOG = logging.getLogger(__name__)

# RFC 5880 wants a second between packets to somebody who is not heard. On a port of our own we find him sooner.
_SLOW = 0.2
# Several watchers hear us again at nearly the same time: that is one occasion.
_ACQUITTAL = 0.1
# A kernel keeps what it cannot deliver for three seconds, and lets it go when the way is free again: a report of a node
# that was cut off arrives when it is back, and it counts for two seconds more.
_HELD_BACK = 10.0
# Nodes may be in several subnets. Who cannot forge the digest gains nothing by being near (RFC 5881 section 5).
_ANY_TTL = 1
_LABEL = b"lb-reconciler fast failure detection"


@dataclass(frozen=True, slots=True)
class _Pairing:
    """What a session rests on: with another pairing it is another session."""

    address: str
    own_address: str
    epoch: int
    own_epoch: int


class FastDetection:
    """
    One node's part in fast failure detection. Used in the event loop; `close` it before the loop ends.

    `silent` says whom to treat as dead although gossip still has them.
    """

    def __init__(
        self,
        node: NodeName,
        *,
        key: bytes,
        send_all: Callable[[bytes], None],
        on_change: Callable[[str], None],
        on_acquitted: Callable[[], None],
    ) -> None:
        """
        Args:
            node: This one.
            key: The key of the group, from which those of the sessions are derived.
            send_all: Sends a message to all other members, at once; it may be lost.
            on_change: Called with a reason whenever `silent` is another.
            on_acquitted: Called when others that took this node for dead hear it again: they may have announced what it
                owns, so it has to announce that anew.
        """
        self._node = node
        self._key = key
        self._send_all = send_all
        self._on_change = on_change
        self._on_acquitted = on_acquitted
        self._silence = Silence(node)
        self._settings = FastFailureDetectionSettings()
        self._endpoint: Endpoint | None = None
        self._sessions: dict[NodeName, tuple[_Pairing, Neighbor]] = {}
        self._signed: dict[NodeName, tuple[_Pairing, Meticulous]] = {}
        self._problems: set[str] = set()
        self._own_epoch = 0
        self._silent: frozenset[NodeName] = frozenset()
        self._said: frozenset[Report] = frozenset()
        # What was said, stands no more and was not taken back, and until when it may still arrive somewhere.
        self._owed: dict[Report, float] = {}
        self._taken_back: frozenset[Report] = frozenset()
        self._timer: asyncio.TimerHandle | None = None
        self._repeat_at = inf
        self._acquittal: asyncio.TimerHandle | None = None

    def silent(self) -> frozenset[NodeName]:
        """Whom to treat as dead; this node itself, if the others do so and can still tell us."""
        return self._silent

    def neighbors(self) -> dict[NodeName, tuple[State, Counts]]:
        """The sessions, for people to look at."""
        return {node: (neighbor.state, neighbor.counts()) for node, (_, neighbor) in self._sessions.items()}

    def problems(self) -> tuple[str, ...]:
        """What keeps some or all sessions from being opened, for people to read."""
        return tuple(sorted(self._problems))

    def update(self, settings: FastFailureDetectionSettings, peers: Sequence[Peer]) -> None:
        """
        Make the sessions those of this group under these settings. Costs little where nothing is new.

        Call it after every change, and now and then: what could not be opened is tried again.

        Args:
            settings: May be others each time.
            peers: All live members, this node included.
        """
        present = {peer.node: peer for peer in peers if not (peer.facts and peer.facts.is_leaving)}
        own = present.get(self._node)
        if not settings.enabled or own is None:
            present, own = {}, None
        if settings.port != self._settings.port or own is None:
            self._shut()
        self._settings = settings
        self._own_epoch = own.epoch if own else 0
        self._silence.update({node: peer.epoch for node, peer in present.items()}, settings.watchers)
        around = ring(present)
        self._keep(own, {node: present[node] for node in peers_of(self._node, around, settings.watchers)})
        self._settle()

    def heard(self, sender: NodeName, message: Silent) -> None:
        """Another member reports what it hears of a node."""
        node = NodeName(message.node)
        now = self._now()
        self._silence.report(sender, Report(node, message.epoch), is_silent=message.is_silent, now=now)
        if node == self._node and message.epoch == self._own_epoch and not message.is_silent:
            self._acquit()
        self._settle()

    def close(self) -> None:
        """End all sessions; the neighbours learn that this is no failure."""
        self._shut()
        for timer in (self._timer, self._acquittal):
            if timer is not None:
                timer.cancel()
        self._timer = self._acquittal = None

    def _keep(self, own: Peer | None, wanted: dict[NodeName, Peer]) -> None:
        """Open, change and close sessions until they are those with `wanted`."""
        pairings = {
            node: _Pairing(peer.address, own.address, peer.epoch, own.epoch) for node, peer in wanted.items() if own
        }
        for node in [node for node, (pairing, _) in self._sessions.items() if pairings.get(node) != pairing]:
            self._sessions.pop(node)[1].close()
            self._silence.lose(node)
        problems: set[str] = set()
        for node, pairing in pairings.items():
            if node in self._sessions:
                self._sessions[node][1].change(self._parameters())
                continue
            try:
                self._endpoint = self._endpoint or Endpoint(self._settings.port)
                self._sessions[node] = pairing, self._open(self._endpoint, pairing, node)
            except (SocketError, PathError, ValueError) as exc:
                # PathError: another member has the same address. ValueError: it is none. The others are watched anyway.
                problems.add(f"{node} cannot be watched closely: {exc}")
        for problem in problems - self._problems:
            _LOG.warning("fast failure detection: %s", problem)
        self._problems = problems

    def _open(self, endpoint: Endpoint, pairing: _Pairing, node: NodeName) -> Neighbor:
        remote, local = ip_address(pairing.address).packed, ip_address(pairing.own_address).packed
        on_event = partial(self._happened, node)
        us, them = (self._node, pairing.own_epoch), (node, pairing.epoch)
        before = self._signed.get(node)
        # A neighbour that still has the session of before takes other numbers for a replay, for twice its patience.
        goes_on = before is not None and before[0] == pairing
        signed = Meticulous(
            send_key=session_key(self._key, us, them),
            receive_key=session_key(self._key, them, us),
            sequence=before[1].sequence if before and goes_on else secrets.randbits(32),
        )
        self._signed[node] = pairing, signed
        if len(local) == len(remote):
            # The peer knows us by this address. Where it is not one of this host (a NAT), the kernel's choice may do.
            with suppress(SocketError):
                path = Path(remote, local, minimum_ttl=_ANY_TTL)
                return endpoint.open(path, self._parameters(), on_event, authentication=signed)
        path = Path(remote, minimum_ttl=_ANY_TTL)
        return endpoint.open(path, self._parameters(), on_event, authentication=signed)

    def _parameters(self) -> Parameters:
        interval = self._settings.interval
        return Parameters(interval, interval, self._settings.multiplier, slow_min_tx=max(_SLOW, interval))

    def _happened(self, node: NodeName, event: Event) -> None:
        match event:
            case Heard():
                self._silence.hear(node)
            case Unheard(was_up=True):
                self._silence.miss(node, self._now())
            case Unheard():
                self._silence.lose(node)
            case StateChanged(remote_state=State.ADMIN_DOWN, after=State.DOWN):
                self._silence.lose(node)
            case StateChanged(after=State.UP):
                # After an AdminDown he was heard all the time, and counts only now.
                self._silence.hear(node)
            case StateChanged():
                pass
        self._settle()

    def _settle(self) -> None:
        """Say what changed, to the others and to our own process, and come back when time changes something."""
        now = self._now()
        self._report(now)
        silent = self._silence.silent(now)
        if silent != self._silent:
            reason = _reason(self._silent, silent)
            self._silent = silent
            _LOG.warning("fast failure detection: %s", reason)
            self._on_change(reason)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = min(self._silence.deadline(now), self._repeat_at)
        if due < inf:
            self._timer = asyncio.get_running_loop().call_at(due, self._settle)

    def _report(self, now: float) -> None:
        """Send what is new, and once in a while all of it, for messages may get lost."""
        reports = self._silence.reports(now)
        is_due = now >= self._repeat_at
        # Whoever left the group is heard again when it is back, and so is a report that waited for the way to be free.
        self._owed = {report: until for report, until in self._owed.items() if now < until and report not in reports}
        over = {report for report in self._said - reports if self._silence.hears(report.node)}
        over |= {report for report in self._owed if self._silence.hears(report.node)}
        self._owed = {report: until for report, until in self._owed.items() if report not in over}
        self._owed |= dict.fromkeys(self._said - reports - over, now + _HELD_BACK)
        self._send(reports if is_due else reports - self._said, is_silent=True)
        self._send(over | self._taken_back if is_due else over, is_silent=False)
        self._taken_back = frozenset(over if is_due else over | self._taken_back) - reports
        self._said = reports
        if not reports and not self._taken_back:
            self._repeat_at = inf
        elif is_due or self._repeat_at == inf:
            self._repeat_at = now + REPEAT_SECONDS

    def _send(self, reports: AbstractSet[Report], *, is_silent: bool) -> None:
        for report in sorted(reports, key=lambda report: report.node):
            self._send_all(encode(Silent(report.node, report.epoch, is_silent=is_silent)))

    def _acquit(self) -> None:
        if self._acquittal is None:
            self._acquittal = asyncio.get_running_loop().call_later(_ACQUITTAL, self._acquitted)

    def _acquitted(self) -> None:
        self._acquittal = None
        self._on_acquitted()

    def _shut(self) -> None:
        for node, (_, neighbor) in self._sessions.items():
            neighbor.close()
            self._silence.lose(node)
        self._sessions = {}
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def session_key(key: bytes, sender: tuple[NodeName, int], receiver: tuple[NodeName, int]) -> bytes:
    """
    What one run of a node signs its packets to one run of another with: 20 octets, by HKDF with SHA-256 (RFC 5869).

    So no packet of another pair, of the other direction or of an earlier run is ever believed.

    Args:
        key: That of the group.
        sender: Name and epoch.
        receiver: Name and epoch.
    """
    extracted = hmac.digest(bytes(sha256().digest_size), key, "sha256")
    named = [part for node, epoch in (sender, receiver) for part in (node.encode(), str(epoch).encode())]
    info = _LABEL + b"".join(len(part).to_bytes(2, "big") + part for part in named)
    return hmac.digest(extracted, info + b"\x01", "sha256")[:KEY_LENGTH]


def _reason(before: frozenset[NodeName], after: frozenset[NodeName]) -> str:
    gone = [f"{node} is silent" for node in sorted(after - before)]
    back = [f"{node} is not silent any more" for node in sorted(before - after)]
    return ", ".join(gone + back)
