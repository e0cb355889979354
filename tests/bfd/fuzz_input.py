"""
A fuzz target over all that a BFD neighbour may send us: octets in, a packet or a reason out, and a session that holds.

The test suite drives it with mutated packets; `python -m tests.bfd.fuzz_input CORPUS…` drives it with atheris.
"""

import sys
from itertools import count

from reconciler.bfd.authentication import Meticulous
from reconciler.bfd.intervals import Parameters
from reconciler.bfd.packets import ControlPacket, PacketError, State, decode, encode
from reconciler.bfd.session import Session

OURS, THEIRS = 1, 2
_KEY = b"a key of twenty byte"
_DOWN = ControlPacket(
    state=State.DOWN,
    detect_multiplier=3,
    my_discriminator=THEIRS,
    desired_min_tx_us=1_000_000,
    required_min_rx_us=300_000,
)


class Target:
    """Two sessions, one of them authenticated, which hear everything that is a packet."""

    def __init__(self) -> None:
        self._numbers = count(1)
        parameters = Parameters(0.05, 0.05, 3)
        keys = Meticulous(send_key=_KEY, receive_key=_KEY, sequence=1)
        self._sessions = (
            Session(parameters, OURS, 0.0, jitter=lambda: 0.5),
            Session(parameters, OURS, 0.0, jitter=lambda: 0.5, authentication=keys),
        )

    def fuzz_one(self, data: bytes) -> None:
        """Raises AssertionError, or anything else, when a promise is broken."""
        try:
            packet = decode(data)
        except PacketError:
            return
        assert decode(encode(packet)) == packet
        now = next(self._numbers) * 0.01
        plain, authenticated = self._sessions
        plain.receive(packet, data, now)
        # Nobody knows the key.
        assert authenticated.receive(packet, data, now) is not None
        assert authenticated.state is State.DOWN
        for session in self._sessions:
            if session.deadline() <= now:
                session.handle_timer(now)
            assert session.deadline() > now
            # An answer to a Poll, and what was due.
            assert len(session.data_to_send()) <= 2
            assert len(session.events()) <= 4


def valid_packets() -> list[bytes]:
    """What a neighbour says on his way up, polling, answering and authenticated."""
    up = ControlPacket(
        state=State.UP,
        detect_multiplier=3,
        my_discriminator=THEIRS,
        your_discriminator=OURS,
        desired_min_tx_us=50_000,
        required_min_rx_us=50_000,
    )
    polling = ControlPacket(
        state=State.INIT,
        is_poll=True,
        detect_multiplier=3,
        my_discriminator=THEIRS,
        your_discriminator=OURS,
        desired_min_tx_us=50_000,
        required_min_rx_us=50_000,
    )
    stranger = Meticulous(send_key=b"another key, 20 long", receive_key=_KEY, sequence=1)
    return [encode(_DOWN), encode(up), encode(polling), stranger.sign(up), stranger.sign(_DOWN)]


if __name__ == "__main__":
    import atheris  # type: ignore[import-untyped]  # installed by whoever wants to fuzz

    atheris.Setup(sys.argv, Target().fuzz_one)
    atheris.Fuzz()
