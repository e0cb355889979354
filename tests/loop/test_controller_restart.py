"""A controller that is killed while it writes: its successor finds everything in the Services, and moves nobody."""

import pytest

from tests.controlplane.api import wait_until
from tests.loop.corner import EVERYWHERE, Corner, pool
from tests.loop.running import RunningController

SERVICES = 200


class Witness:
    """What was ever seen of the addresses of all Services."""

    def __init__(self, corner: Corner) -> None:
        self._corner = corner
        self.seen: dict[str, str] = {}

    def look(self) -> int:
        """Compare everything with what was seen before; how many have an address."""
        taken = self._corner.taken()
        for name, addresses in taken.items():
            assert len(addresses) <= 1, (name, addresses)
            if name in self.seen:
                assert addresses == [self.seen[name]], name
            elif addresses:
                (self.seen[name],) = addresses
        assert len(set(self.seen.values())) == len(self.seen)
        return len(self.seen)


def writes_of(controller: RunningController) -> int:
    return len(controller.lines(": nothing -> "))


@pytest.mark.parametrize("keeps_state", [True, False])
def test_no_address_moves_and_none_is_given_twice_by_kills_in_mid_write(corner: Corner, keeps_state: bool) -> None:
    state = corner.state if keeps_state else None
    corner.write(pool("p", "10.9.0.0/24"), EVERYWHERE)
    for number in range(SERVICES):
        corner.create(f"s-{number:03}")
    witness = Witness(corner)
    served = []
    for wanted in (1, 25, 50):
        with corner.start(state=state) as controller:
            wait_until(lambda: writes_of(controller) >= wanted, "it is writing", patience=60)  # noqa: B023 - called here
            controller.kill()
        served.append(witness.look())
    assert 0 < min(served) < SERVICES, "none was killed in the middle"
    with corner.start(state=state):
        wait_until(lambda: witness.look() == SERVICES, "everybody has an address")
        corner.delete("s-000")
        freed = witness.seen.pop("s-000")
        corner.create("s-last")
        corner.wait_for_address("s-last", freed)
        witness.look()
