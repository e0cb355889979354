"""What is said about a migration: everything that is not carried over as it stood, and where it stands."""

from collections.abc import Iterable

from reconciler.model.origin import Origin, Problem, Related, Severity


class Findings:
    """
    Collects problems of the source.

    An error says that something which had an effect is missing from the result; a warning, that it was changed, or
    left out because it has no effect here.
    """

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def error(self, origin: Origin, code: str, message: str, *related: Related) -> None:
        """Something that had an effect is not carried over."""
        self._found.append(Problem(origin, code, message, Severity.ERROR, related))

    def warning(self, origin: Origin, code: str, message: str, *related: Related) -> None:
        """Something reads differently now, or is left out and need not be missed."""
        self._found.append(Problem(origin, code, message, Severity.WARNING, related))

    def add(self, problems: Iterable[Problem]) -> None:
        """Take over what somebody else has found."""
        self._found += problems

    def sorted(self) -> tuple[Problem, ...]:
        """All of them by place."""
        return tuple(sorted(set(self._found)))
