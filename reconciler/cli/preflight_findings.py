"""One thing that `reconciler preflight` has to say, how bad it is, and in which order they are told. Pure."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How bad it is: something will not work, may not, or is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Finding(msgspec.Struct, frozen=True, gc=False):
    """`code` is a stable word, `subject` what it is about (may be empty), `fix` what to do about it."""

    level: Level
    code: str
    subject: str
    message: str
    fix: str


_ORDER = list(Level)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, then by code and subject."""
    return tuple(sorted(findings, key=lambda found: (_ORDER.index(found.level), found.code, found.subject)))
