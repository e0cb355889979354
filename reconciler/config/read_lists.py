"""Lists of names out of documents."""

from collections.abc import Iterable

from reconciler.config.fields import Text
from reconciler.config.problems import Problems
from reconciler.config.wording import quoted
from reconciler.model.origin import Related


def check_distinct(texts: Iterable[Text], what: str, problems: Problems) -> None:
    """Report each entry that repeats an earlier one; `what` continues "duplicate definition"."""
    first: dict[str, Text] = {}
    for text in texts:
        earlier = first.setdefault(text.value, text)
        if earlier is not text:
            message = f"duplicate definition {what} {quoted(text.value)}: remove one"
            problems.error(text.origin, "duplicate-entry", message, Related(earlier.origin, "first written here"))
