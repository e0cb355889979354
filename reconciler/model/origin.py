"""Where a fact was written, and a problem found there."""

from enum import StrEnum

import msgspec


class Origin(msgspec.Struct, frozen=True, order=True, gc=False):
    """
    A place in a configuration file.

    `path` is relative to the configuration directory it came from. Lines and columns count from 1; columns count
    characters, not octets.
    """

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Severity(StrEnum):
    """How much a problem matters: an error refuses the whole revision, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Related(msgspec.Struct, frozen=True, order=True, gc=False):
    """The other place a problem is about, and what stands there."""

    origin: Origin
    note: str


class Problem(msgspec.Struct, frozen=True, order=True, gc=False):
    """One finding in the configuration. Sorts by place, then code. `code` is a stable word, listed in the docs."""

    origin: Origin
    code: str
    message: str
    severity: Severity = Severity.ERROR
    related: tuple[Related, ...] = ()
