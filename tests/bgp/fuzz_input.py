"""
A fuzz target over all that a BGP peer may send us: octets in, messages or a NOTIFICATION out, and sessions that go on.

The test suite drives it with mutated messages; `python -m tests.bgp.fuzz_input CORPUS…` drives it with atheris.
"""

import sys
from itertools import count

from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.dialect import dialect_of
from reconciler.bgp.events import Established, State
from reconciler.bgp.families import Family, prefix_of, prefix_text
from reconciler.bgp.framing import MAX_EXTENDED_LENGTH, Framer, MessageType
from reconciler.bgp.messages import (
    KEEPALIVE,
    decode_notification,
    decode_open,
    decode_route_refresh,
    encode_notification,
    encode_open,
    encode_route_refresh,
)
from reconciler.bgp.negotiation import negotiate, open_of
from reconciler.bgp.notification import Code, ProtocolError
from reconciler.bgp.parameters import Agreement, LocalEnd, RemoteAS, SessionParameters
from reconciler.bgp.peer import Peer
from reconciler.bgp.received import Received, read_update
from reconciler.bgp.routes import RouteAttributes
from tests.l2.vectors import vector

_HEADER = 19
_BOTH = frozenset(Family)
_LOCAL = LocalEnd(address=bytes(15) + b"\1", router_id=b"\x0a\0\0\1", ipv4=b"\x0a\0\0\1")
_PARAMETERS = SessionParameters(local_asn=64512, remote_asn=64512, families=_BOTH, graceful_restart=True)
_ANY = SessionParameters(local_asn=4_200_000_000, remote_asn=RemoteAS.EXTERNAL, families=_BOTH)


def _agreement(*, families: frozenset[Family], is_ibgp: bool, four_octet_as: bool) -> Agreement:
    return Agreement(
        remote_asn=64512,
        remote_router_id=b"\x0a\0\0\2",
        is_ibgp=is_ibgp,
        hold_time=90.0,
        keepalive_time=30.0,
        families=families,
        four_octet_as=four_octet_as,
        max_length=MAX_EXTENDED_LENGTH,
        route_refresh=True,
        enhanced_refresh=True,
        extended_next_hop=False,
        graceful_restart=None,
    )


_AGREEMENTS = (
    _agreement(families=_BOTH, is_ibgp=True, four_octet_as=True),
    _agreement(families=frozenset({Family.IPV4}), is_ibgp=False, four_octet_as=False),
)


def fuzz_one(data: bytes) -> None:
    """Raises AssertionError, or anything else, when a promise is broken."""
    framer = Framer()
    framer.max_length = MAX_EXTENDED_LENGTH
    framer.feed(data)
    try:
        for kind, body in framer:
            _read(kind, body)
    except ProtocolError as error:
        _check_refusal(error, *Code)


def _read(kind: MessageType, body: bytes) -> None:
    match kind:
        case MessageType.OPEN:
            _read_open(body)
        case MessageType.UPDATE:
            for agreement in _AGREEMENTS:
                try:
                    _check_routes(read_update(body, agreement), body, agreement)
                except ProtocolError as error:
                    _check_refusal(error, Code.UPDATE)
        case MessageType.NOTIFICATION:
            notification = decode_notification(body)
            assert str(notification).isprintable()
            assert decode_notification(encode_notification(notification)[_HEADER:]).code == notification.code
        case MessageType.ROUTE_REFRESH:
            refresh = decode_route_refresh(body)
            assert refresh is None or encode_route_refresh(refresh)[_HEADER:] == body
        case MessageType.KEEPALIVE:
            assert not body


def _read_open(body: bytes) -> None:
    opening = decode_open(body)
    assert decode_open(encode_open(opening)[_HEADER:]) == opening
    for parameters in (_PARAMETERS, _ANY):
        ours = open_of(parameters, _LOCAL)
        try:
            agreement = negotiate(parameters, ours, opening)
        except ProtocolError as error:
            _check_refusal(error, Code.OPEN)
            continue
        assert agreement.families
        assert agreement.hold_time == 0 or 3 <= agreement.hold_time <= 90
        assert agreement.keepalive_time <= agreement.hold_time
        assert agreement.remote_asn != 0
        dialect = dialect_of(parameters.local_asn, agreement, _LOCAL)
        assert {*dialect.next_hops, *dialect.without_next_hop} == agreement.families


def _check_routes(received: Received, body: bytes, agreement: Agreement) -> None:
    count = 0
    for routes in (*received.announced, *received.withdrawn):
        prefixes = list(routes.prefixes())
        assert len(prefixes) == routes.count > 0
        assert routes.family in agreement.families
        assert all(prefix_text(routes.family, prefix) for prefix in prefixes)
        count += routes.count
    assert count <= len(body)
    assert not (received.fault and received.announced)
    assert received.end_of_rib is None or not count


def _check_refusal(error: ProtocolError, *codes: Code) -> None:
    notification = error.notification
    assert str(error).isprintable()
    assert str(notification).isprintable()
    assert notification.code in codes
    assert len(encode_notification(notification)) <= 4096
    assert len(notification.data) <= 4075


class Target:
    """One peer for all inputs, so that what an input leaves behind is there for the next one."""

    # What the peer says before the input: in OpenSent nothing, and so on.
    _OPENINGS = (b"", vector("bgp-open"), vector("bgp-open") + KEEPALIVE)

    def __init__(self) -> None:
        parameters = SessionParameters(
            local_asn=64512,
            remote_asn=RemoteAS.INTERNAL,
            families=_BOTH,
            is_passive=True,
            graceful_restart=True,
            maximum_prefixes=5,
        )
        rib = AdjRibOut()
        for last in range(3):
            rib.announce(Family.IPV4, prefix_of(bytes((198, 51, 100, last)), 32), RouteAttributes())
        rib.settled()
        self.peer = Peer(parameters, rib, jitter=lambda: 0.5)
        self.established = 0
        self._now = 0.0
        self._numbers = count(1)
        self.peer.start(self._now)

    def fuzz_one(self, data: bytes) -> None:
        """Raises AssertionError, or anything else, when a promise is broken."""
        fuzz_one(data)
        # By then no failure of before is a reason to wait any more.
        self._now += 100_000
        self._let_pass()
        number, peer = next(self._numbers), self.peer
        peer.accepted(number, _LOCAL, self._now)
        assert peer.state is State.OPEN_SENT
        peer.received(number, self._OPENINGS[number % 3], self._now)
        peer.received(number, data, self._now)
        self._check_answer(number)
        self._let_pass()
        peer.closed(number, "", self._now)
        assert peer.state in (State.IDLE, State.ACTIVE)
        assert not peer.data_to_send(number, 65536)
        self.established += sum(isinstance(event, Established) for event in peer.events())
        assert len(peer.commands()) <= 1

    def _let_pass(self) -> None:
        for _ in range(10):
            if self.peer.deadline() > self._now:
                return
            self.peer.handle_timer(self._now)
        raise AssertionError("a timer is always due")

    def _check_answer(self, number: int) -> None:
        """What we say is well-formed, and not more the more is sent to us."""
        octets = b""
        while part := self.peer.data_to_send(number, 65536):
            octets += part
            assert len(octets) < 4096
        framer = Framer()
        framer.feed(octets)
        kinds = [kind for kind, _ in framer]
        assert kinds[:1] == [MessageType.OPEN]
        assert MessageType.NOTIFICATION not in kinds[:-1]


if __name__ == "__main__":
    import atheris  # type: ignore[import-untyped]  # installed by whoever wants to fuzz

    atheris.Setup(sys.argv, Target().fuzz_one)
    atheris.Fuzz()
