"""Controllers that are killed, paused and cut off in the middle of their work, audited from outside."""

import secrets
from pathlib import Path

from tests.controlplane.harness import ControlPlane
from tests.loop.corner import Corner
from tests.loop.kill_rounds import rounds

ROUNDS = 20


def test_no_address_moves_or_is_given_twice_whatever_happens_to_the_leader(
    control_plane: ControlPlane, corner: Corner, tmp_path: Path
) -> None:
    seed = secrets.randbelow(10**6)
    with rounds(control_plane, corner, tmp_path) as running:
        shared = 0
        for number in range(ROUNDS):
            running.round(number, seed)
            shared += running.findings.shared
        # There was something to audit.
        assert running.findings.given > 2 * ROUNDS
        assert running.findings.taken > 0
        # At the end of some round, whichever: what is asked for is left to chance.
        assert shared > 0
        assert running.landed > ROUNDS // 3
        assert running.done.total() == ROUNDS
