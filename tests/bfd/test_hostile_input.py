"""Whatever a neighbour sends: it is read or refused for a reason, and sessions go on."""

import secrets
from random import Random

import pytest

from tests.bfd.fuzz_input import Target, valid_packets
from tests.mutation import mutated


@pytest.mark.parametrize(
    "count", [pytest.param(10_000, id="some"), pytest.param(1_000_000, id="a million", marks=pytest.mark.soak)]
)
def test_hostile_packets(count: int) -> None:
    seed = secrets.randbelow(1 << 32)
    random = Random(seed)  # noqa: S311 - the same octets for the same seed
    target, valid = Target(), valid_packets()
    for number in range(count):
        octets = mutated(valid, random)
        try:
            target.fuzz_one(octets)
        except Exception as error:
            error.add_note(f"input {number} of the seed {seed}: {octets.hex()}")
            raise
