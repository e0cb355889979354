"""Which session a packet is for: by our discriminator, and by its way where the peer does not know it yet."""

import pytest

from reconciler.bfd.demultiplexing import Arrival, Path, PathError, Sessions
from reconciler.bfd.ignored import Ignored
from reconciler.bfd.packets import ControlPacket, State

PEER, OTHER = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
US, US_TOO = bytes([192, 0, 2, 10]), bytes([192, 0, 2, 11])
FROM_PEER = Arrival(PEER, US, 2, 255)


def packet(your_discriminator: int) -> ControlPacket:
    return ControlPacket(
        state=State.DOWN,
        detect_multiplier=3,
        my_discriminator=9,
        your_discriminator=your_discriminator,
        desired_min_tx_us=1_000_000,
        required_min_rx_us=1_000_000,
    )


def sessions(*paths: Path) -> Sessions[int]:
    """Numbered from 1 in the order given; the number is the discriminator too."""
    made: Sessions[int] = Sessions()
    for number, path in enumerate(paths, 1):
        made.add(number, path, number)
    return made


@pytest.mark.parametrize(
    ("paths", "named", "arrival", "expected"),
    [
        pytest.param([Path(PEER)], 1, FROM_PEER, 1, id="by the discriminator"),
        pytest.param([Path(OTHER)], 1, FROM_PEER, 1, id="by the discriminator, whatever the address"),
        pytest.param([Path(PEER)], 7, FROM_PEER, Ignored.NO_SESSION, id="an unknown discriminator, a known address"),
        pytest.param([Path(PEER)], 0, FROM_PEER, 1, id="by the source"),
        pytest.param([Path(OTHER)], 0, FROM_PEER, Ignored.NO_SESSION, id="an unknown source"),
        pytest.param([Path(PEER), Path(PEER, US)], 0, FROM_PEER, 2, id="by source and destination"),
        pytest.param([Path(PEER, US_TOO)], 0, FROM_PEER, Ignored.NO_SESSION, id="to another address of ours"),
        pytest.param([Path(PEER), Path(PEER, None, 2)], 0, FROM_PEER, 2, id="by source and interface"),
        pytest.param([Path(PEER, None, 3)], 0, FROM_PEER, Ignored.NO_SESSION, id="on another interface"),
        pytest.param([Path(PEER, US), Path(PEER, US, 2)], 0, FROM_PEER, 2, id="the narrowest way"),
        pytest.param([Path(PEER)], 1, FROM_PEER._replace(ttl=254), Ignored.TIME_TO_LIVE, id="from beyond the link"),
        pytest.param([Path(PEER)], 0, FROM_PEER._replace(ttl=254), Ignored.TIME_TO_LIVE, id="the same, not known yet"),
        pytest.param([Path(PEER, minimum_ttl=250)], 1, FROM_PEER._replace(ttl=250), 1, id="as far as is allowed"),
    ],
)
def test_whose_packet_it_is(paths: list[Path], named: int, arrival: Arrival, expected: int | Ignored) -> None:
    assert sessions(*paths).find(packet(named), arrival) == expected


def test_two_sessions_cannot_have_one_way() -> None:
    made = sessions(Path(PEER, US))
    with pytest.raises(PathError):
        made.add(2, Path(PEER, US, minimum_ttl=1), 2)
    assert list(made) == [1]


def test_a_session_that_is_over_leaves_its_way_to_another() -> None:
    made = sessions(Path(PEER))
    made.remove(1)
    made.remove(1)
    assert made.find(packet(1), FROM_PEER) is Ignored.NO_SESSION
    made.add(2, Path(PEER), 2)
    assert made.find(packet(0), FROM_PEER) == 2
