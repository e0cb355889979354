"""Where readers and checks put what they find."""

from collections.abc import Iterable

from reconciler.model.origin import Origin, Problem, Related, Severity


class Problems:
    """Collects problems; each is kept once."""

    def __init__(self) -> None:
        self._found: set[Problem] = set()

    def error(self, origin: Origin, code: str, message: str, *related: Related) -> None:
        """Note something that refuses the whole revision."""
        self._found.add(Problem(origin, code, message, Severity.ERROR, related))

    def warning(self, origin: Origin, code: str, message: str, *related: Related) -> None:
        """Note something that is most likely not meant."""
        self._found.add(Problem(origin, code, message, Severity.WARNING, related))

    def add(self, problems: Iterable[Problem]) -> None:
        """Note what others found."""
        self._found.update(problems)

    @property
    def has_error(self) -> bool:
        """Whether anything refuses the revision."""
        return any(problem.severity is Severity.ERROR for problem in self._found)

    def sorted(self) -> tuple[Problem, ...]:
        """Everything found, by place, then code."""
        return tuple(sorted(self._found))
