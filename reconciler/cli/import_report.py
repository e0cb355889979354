"""What an import says: what was found on the way, what was written, whether it is valid, and what to do next."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import TextIO

from reconciler.cli.escape import visible
from reconciler.cli.text import Paint, count
from reconciler.config.load import Loaded
from reconciler.migration.manifests import Text
from reconciler.model.origin import Origin, Problem, Related, Severity

_STANDARD_STREAM = "-"


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    An import that has been written.

    `found` are the findings in the source, `loaded` is the result as our roles would read it. `texts` are the files by
    name, `files` how many objects each has. `clear_passwords` are the places in the source of those that were kept,
    `secrets` the names of the Secrets that peers refer to.
    """

    found: tuple[Problem, ...]
    loaded: Loaded
    texts: Mapping[str, Text]
    files: Mapping[str, int]
    foreign: int
    to: str
    clear_passwords: tuple[Origin, ...]
    secrets_file: str | None
    secrets: tuple[str, ...]
    namespace: str
    metallb_namespace: str
    cluster_options: str

    @property
    def is_complete(self) -> bool:
        """Whether everything was carried over, and the result is valid."""
        return self.loaded.desired is not None and all(p.severity is not Severity.ERROR for p in self.found)

    def problems(self) -> Iterator[Problem]:
        """Everything to be said with a place: in the source first, then in the result, with where that came from."""
        yield from self.found
        for origin in self.clear_passwords:
            message = (
                "the password is carried over in clear text: import with --secrets FILE to have it in a Secret, before "
                "the directory goes anywhere"
            )
            yield Problem(origin, "clear-password", message, Severity.WARNING)
        yield from map(self._in_result, self.loaded.problems)

    def _in_result(self, problem: Problem) -> Problem:
        related = tuple(Related(self._path(found.origin), found.note) for found in problem.related)
        text = self.texts.get(problem.origin.path)
        source = None if text is None else text.origin(problem.origin.line)
        if source is not None:
            related = (Related(source, "imported from here"), *related)
        return Problem(self._path(problem.origin), problem.code, problem.message, problem.severity, related)

    def _path(self, origin: Origin) -> Origin:
        if self.to == _STANDARD_STREAM:
            return origin
        return Origin(f"{self.to.rstrip('/')}/{origin.path}", origin.line, origin.column)


def write_outcome(outcome: Outcome, out: TextIO, *, color: bool) -> None:
    """One line a problem, one a file, the verdict, and what to do next."""
    paint = Paint(color=color)
    problems = tuple(outcome.problems())
    write_problems(problems, out, color=color)
    if outcome.to != _STANDARD_STREAM:
        for name, number in outcome.files.items():
            out.write(f"{visible(outcome.to.rstrip('/'))}/{name}: {count(number, 'object')}\n")
    if outcome.foreign:
        out.write(f"{count(outcome.foreign, 'document')} of other kinds skipped\n")
    out.write(_verdict(outcome, problems, paint) + "\n")
    out.writelines(f"{line}\n" for line in _next(outcome))


def write_problems(problems: Iterable[Problem], out: TextIO, *, color: bool) -> None:
    """One line a problem, its other places below it."""
    paint = Paint(color=color)
    for problem in problems:
        colour = "red" if problem.severity is Severity.ERROR else "yellow"
        label = paint(f"{problem.severity.value}[{problem.code}]", colour)
        out.write(f"{paint(_place(problem.origin), 'bold')}: {label}: {visible(problem.message)}\n")
        for related in problem.related:
            out.write(f"  {_place(related.origin)}: note: {visible(related.note)}\n")


def _place(origin: Origin) -> str:
    """An object of a live cluster has no lines."""
    path = visible(origin.path)
    return f"{path}:{origin.line}:{origin.column}" if origin.line else path


def _verdict(outcome: Outcome, problems: Iterable[Problem], paint: Paint) -> str:
    numbers = {severity: sum(p.severity is severity for p in problems) for severity in Severity}
    found = "".join(f", {count(number, severity.value)}" for severity, number in numbers.items() if number)
    read = count(outcome.loaded.documents, "document")
    if outcome.loaded.desired is None:
        return f"{paint('invalid', 'red')}: {read}{found}"
    if not outcome.is_complete:
        return f"{paint('valid, but not everything was carried over', 'red')}: {read}{found}"
    return f"{paint('valid', 'green')}: {read}{found}"


def _next(outcome: Outcome) -> Iterator[str]:
    if outcome.secrets_file is not None:
        file = visible(quote(outcome.secrets_file))
        yield f"passwords: {file}; keep it out of the repository, and: kubectl apply -f {file}"
    if outcome.secrets:
        names = ", ".join(map(visible, outcome.secrets))
        yield f"Secrets that peers name, to be copied from {outcome.metallb_namespace} to {outcome.namespace}: {names}"
    if outcome.to == _STANDARD_STREAM:
        return
    if outcome.loaded.desired is None:
        yield f"next: mend the files, then: reconciler validate {visible(quote(outcome.to))}"
    else:
        yield f"next: reconciler diff --config {visible(quote(outcome.to))}{outcome.cluster_options}"
