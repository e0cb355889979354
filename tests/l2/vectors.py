"""Captured frames beside their meaning, from `tests/vectors`."""

from pathlib import Path

_DIRECTORY = Path(__file__).parent.parent / "vectors"


def vector(name: str) -> bytes:
    """The octets of one file; its comments say what they mean."""
    lines = (_DIRECTORY / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))
