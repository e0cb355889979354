"""
Control packets ↔ octets (RFC 5880 section 4.1), and the rules by which a packet alone is valid (section 6.8.6).

Which session a packet belongs to, and whether its authentication holds, is decided elsewhere.
"""

from enum import IntEnum
from struct import Struct as Layout

import msgspec

from reconciler.bfd.ignored import Ignored
from reconciler.errors import ReconcilerError

VERSION = 1
# The mandatory section: the same in every packet.
MANDATORY_LENGTH = 24
# An authentication section has a type and a length at least.
_AUTHENTICATED_LENGTH = 26
_LAYOUT = Layout("!BBBBIIIII")

_POLL, _FINAL, _INDEPENDENT, _AUTHENTICATED, _DEMAND, _MULTIPOINT = 0x20, 0x10, 0x08, 0x04, 0x02, 0x01


class State(IntEnum):
    """The state of a session, as its owner tells it."""

    ADMIN_DOWN = 0
    DOWN = 1
    INIT = 2
    UP = 3


# By number: much cheaper than a call of the class.
_STATES = tuple(State)


class Diagnostic(IntEnum):
    """Why a session left the state Up last. Peers may send other numbers, up to 31."""

    NONE = 0
    DETECTION_TIME_EXPIRED = 1
    ECHO_FAILED = 2
    NEIGHBOR_SIGNALED_DOWN = 3
    FORWARDING_PLANE_RESET = 4
    PATH_DOWN = 5
    CONCATENATED_PATH_DOWN = 6
    ADMINISTRATIVELY_DOWN = 7
    REVERSE_CONCATENATED_PATH_DOWN = 8


class PacketError(ReconcilerError):
    """The octets are no valid control packet; `reason` says by which rule."""

    def __init__(self, reason: Ignored) -> None:
        super().__init__(f"no valid BFD packet: {reason}")
        self.reason = reason


class ControlPacket(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    One control packet.

    Intervals are in microseconds, as on the wire; 0 in `required_min_rx_us` forbids periodic packets, 0 in
    `required_min_echo_rx_us` any echo. `authentication` is the section after the mandatory one, from its type on; None
    where the packet says that it has none.
    """

    state: State
    detect_multiplier: int
    my_discriminator: int
    your_discriminator: int = 0
    desired_min_tx_us: int
    required_min_rx_us: int
    required_min_echo_rx_us: int = 0
    diagnostic: int = Diagnostic.NONE
    is_poll: bool = False
    is_final: bool = False
    is_control_plane_independent: bool = False
    is_demand: bool = False
    authentication: bytes | None = None


def encode(packet: ControlPacket) -> bytes:
    """The octets of a packet, its authentication section as it stands."""
    section = packet.authentication
    flags = (
        (_POLL if packet.is_poll else 0)
        | (_FINAL if packet.is_final else 0)
        | (_INDEPENDENT if packet.is_control_plane_independent else 0)
        | (_DEMAND if packet.is_demand else 0)
        | (0 if section is None else _AUTHENTICATED)
    )
    section = section or b""
    mandatory = _LAYOUT.pack(
        VERSION << 5 | packet.diagnostic,
        packet.state << 6 | flags,
        packet.detect_multiplier,
        MANDATORY_LENGTH + len(section),
        packet.my_discriminator,
        packet.your_discriminator,
        packet.desired_min_tx_us,
        packet.required_min_rx_us,
        packet.required_min_echo_rx_us,
    )
    return mandatory + section


def decode(data: bytes) -> ControlPacket:
    """
    Read a UDP payload; what follows the length that the packet names is no part of it.

    Raises:
        PacketError: A rule that needs no session calls it invalid.
    """
    if len(data) < MANDATORY_LENGTH:
        raise PacketError(Ignored.TRUNCATED)
    first, second, multiplier, length, mine, yours, desired_min_tx, required_min_rx, echo = _LAYOUT.unpack_from(data)
    state = _STATES[second >> 6]
    refusal = _refusal(first >> 5, second, multiplier, length, mine) or _unaddressed(state, yours)
    if refusal is None and length > len(data):
        refusal = Ignored.TRUNCATED
    if refusal is not None:
        raise PacketError(refusal)
    return ControlPacket(
        state=state,
        detect_multiplier=multiplier,
        my_discriminator=mine,
        your_discriminator=yours,
        desired_min_tx_us=desired_min_tx,
        required_min_rx_us=required_min_rx,
        required_min_echo_rx_us=echo,
        diagnostic=first & 0x1F,
        is_poll=bool(second & _POLL),
        is_final=bool(second & _FINAL),
        is_control_plane_independent=bool(second & _INDEPENDENT),
        is_demand=bool(second & _DEMAND),
        authentication=bytes(data[MANDATORY_LENGTH:length]) if second & _AUTHENTICATED else None,
    )


def _refusal(version: int, flags: int, multiplier: int, length: int, my_discriminator: int) -> Ignored | None:
    if version != VERSION:
        return Ignored.VERSION
    if length < (_AUTHENTICATED_LENGTH if flags & _AUTHENTICATED else MANDATORY_LENGTH):
        return Ignored.LENGTH
    if multiplier == 0:
        return Ignored.MULTIPLIER
    if flags & _MULTIPOINT:
        return Ignored.MULTIPOINT
    return Ignored.DISCRIMINATOR if my_discriminator == 0 else None


def _unaddressed(state: State, your_discriminator: int) -> Ignored | None:
    """Who is in Init or Up has heard us, so he knows our discriminator."""
    return Ignored.DISCRIMINATOR if your_discriminator == 0 and state > State.DOWN else None
