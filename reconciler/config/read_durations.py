"""Durations out of documents: fields of Go's notation, and the limits of those that have some."""

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from reconciler.config.drafts import Manifest
from reconciler.config.durations import DurationError, parse_duration
from reconciler.config.fields import Field
from reconciler.config.problems import Problems
from reconciler.config.wording import quoted


@dataclass(frozen=True, slots=True)
class Span:
    """What a duration may be: from `low` to `high`, as people write them; also 0 where that means "never"."""

    low: str
    high: str
    or_zero: bool = False

    def __contains__(self, seconds: Fraction) -> bool:
        if self.or_zero and not seconds:
            return True
        return parse_duration(self.low) <= seconds <= parse_duration(self.high)

    def __str__(self) -> str:
        return f"{'0s, or ' if self.or_zero else ''}from {self.low} to {self.high}"


def read_duration(field: Field, name: str, example: str, problems: Problems) -> Fraction | None:
    """The duration of that name, in seconds; None when it is absent, or is none of Go's, which is reported."""
    if field.is_empty_text(name):
        # An empty string is none of Go's durations either.
        message = f'invalid {name} "": remove it, or write "{example}"'
        problems.error(field.origin_of(name), "invalid-duration", message)
        return None
    text = field.text(name)
    if text is None:
        return None
    try:
        return parse_duration(text.value)
    except DurationError as exc:
        problems.error(text.origin, "invalid-duration", f"invalid {name} {quoted(text.value)}: {exc}")
        return None


@dataclass(frozen=True, slots=True)
class Section:
    """One section of `spec`, `a.b` for one within another: what is read out of it, and what is said about it."""

    manifest: Manifest
    name: str

    @property
    def field(self) -> Field:
        """The mapping of that name; an empty one when there is none."""
        return reduce(Field.child, self.name.split("."), self.manifest.spec)

    def path(self, name: str) -> str:
        """A field of the section in words: `spec.membership.port of ReconcilerSettings "settings"`."""
        return f"spec.{self.name}.{name} of {self.manifest}"

    def seconds(self, name: str, default: float, span: Span, problems: Problems) -> float:
        """The duration of that name; the default when it is absent or of no use, which is reported."""
        found = read_duration(self.field, name, span.high, problems)
        if found is None:
            return default
        if found not in span:
            written = self.field.text(name)
            message = f"{self.path(name)} is {written.value if written else found}: must be {span}"
            problems.error(self.field.origin_of(name), "out-of-range", message)
            return default
        return float(found)

    def number(self, name: str, default: int) -> int:
        """The whole number of that name; the schema has checked its limits."""
        found = self.field.number(name)
        return default if found is None else found
