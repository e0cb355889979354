"""What the default run does in a few rounds, in many."""

import secrets
from pathlib import Path

import pytest

from tests.controlplane.harness import ControlPlane
from tests.loop.corner import Corner
from tests.loop.kill_rounds import rounds

ROUNDS = 200


@pytest.mark.soak
def test_no_address_moves_or_is_given_twice_in_many_rounds(
    control_plane: ControlPlane, corner: Corner, tmp_path: Path
) -> None:
    seed = secrets.randbelow(10**6)
    with rounds(control_plane, corner, tmp_path) as running:
        for number in range(ROUNDS):
            running.round(number, seed)
        found = running.findings
        print(  # noqa: T201 - what there was, where tests show it
            f"{running.done.total()} rounds, {running.landed} kills with a write, {found.given} addresses given, "
            f"{found.taken} taken, {len(found.late)} late duplicates repaired: {dict(running.done)}"
        )
