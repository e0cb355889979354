"""A problem before its place has a line and a column: what the YAML rooms hand to each other."""

from dataclasses import dataclass

from reconciler.config.positions import Positions
from reconciler.model.origin import Problem, Related

_QUOTED_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """`index` and `related` count characters of the text; `note` says what stands at `related`."""

    index: int
    code: str
    message: str
    related: int | None = None
    note: str = ""

    def problem(self, positions: Positions) -> Problem:
        """The finding at its line and column."""
        related = () if self.related is None else (Related(positions.origin(self.related), self.note),)
        return Problem(positions.origin(self.index), self.code, self.message, related=related)


def shortened(text: str) -> str:
    """A name from a file, short enough for a sentence."""
    return text if len(text) <= _QUOTED_LENGTH else f"{text[:_QUOTED_LENGTH]}…"


class BrokenDocumentError(Exception):
    """Nothing can be made of the rest of a document. Never leaves `parser`."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding
