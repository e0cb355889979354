"""Octets of an attacker: valid ones with a few changed, cut out, repeated or put in. The same for the same seed."""

from collections.abc import Sequence
from random import Random

# Values at which a length, a type or a flag begins to mean something else.
_TELLING = bytes((0, 1, 2, 3, 4, 5, 16, 32, 33, 127, 128, 129, 254, 255))


def mutated(valid: Sequence[bytes], random: Random) -> bytes:
    """One of them, changed in up to six places; sometimes in none."""
    octets = bytearray(random.choice(valid))
    for _ in range(random.randrange(7)):
        _mutate(octets, random)
    return bytes(octets)


def _mutate(octets: bytearray, random: Random) -> None:
    at = random.randrange(len(octets) + 1)
    width = random.randrange(1, 9)
    match random.randrange(8):
        case 0:
            del octets[at : at + width]
        case 1:
            octets[at:at] = octets[at : at + width]
        case 2:
            octets[at:at] = random.randbytes(width)
        case 3:
            del octets[at:]
        case _ if at < len(octets):
            octets[at] = random.choice(_TELLING) if random.random() < 0.5 else random.randrange(256)
        case _:
            octets.append(random.choice(_TELLING))
