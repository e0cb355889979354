"""Whatever a peer sends: it is read or refused with a NOTIFICATION, and nothing crashes."""

import secrets
from random import Random

import pytest
from hypothesis import given

from tests.bgp.fuzz_input import Target, fuzz_one
from tests.bgp.hostile_messages import VALID, hostile_message, streams


@given(stream=streams)
def test_any_stream_is_read_or_refused(stream: bytes) -> None:
    fuzz_one(stream)


def test_what_the_attacker_starts_from_is_valid() -> None:
    for each in VALID:
        fuzz_one(each)


@pytest.mark.parametrize(
    "count", [pytest.param(5_000, id="some"), pytest.param(1_000_000, id="a million", marks=pytest.mark.soak)]
)
def test_hostile_messages(count: int) -> None:
    seed = secrets.randbelow(1 << 32)
    random = Random(seed)  # noqa: S311 - the same octets for the same seed
    target = Target()
    for number in range(count):
        octets = hostile_message(random)
        try:
            target.fuzz_one(octets)
        except Exception as error:
            error.add_note(f"input {number} of the seed {seed}: {octets.hex()}")
            raise
    # The attacker got somewhere at all.
    assert target.established > count / 4
