"""A document that has to fit into a ConfigMap: cut evenly, and with a note that says so. No I/O."""

from collections import Counter
from typing import Any

import msgspec

# How many entries of a list, and characters of a text, are kept: the first pair that fits. A revision and a digest
# have 71 characters and are never cut.
_STEPS = ((1000, 2000), (300, 1000), (100, 500), (30, 300), (10, 200), (0, 100))
_ELLIPSIS = "..."


def fitted(document: dict[str, Any], limit: int) -> dict[str, Any]:
    """
    A document of builtin values, cut until its JSON has no more than `limit` octets; its key `cut` says what is gone.

    Lists lose their last entries and texts their ends, all by the same measure. What cannot be cut any more stays,
    however small the limit.
    """
    cut = document
    for entries, characters in _STEPS:
        if len(encoded(cut)) <= limit:
            break
        gone: Counter[str] = Counter()
        cut = {key: _cut(value, key, entries, characters, gone) for key, value in document.items()}
        cut["cut"] = _note(gone)
    return cut


def encoded(document: dict[str, Any]) -> bytes:
    """The JSON of a document, laid out for people; what is not Unicode, as in the name of a file, is escaped."""
    try:
        text = msgspec.json.encode(document)
    except UnicodeEncodeError:
        text = msgspec.json.encode(_unicode(document))
    return msgspec.json.format(text, indent=2) + b"\n"


def _unicode(value: Any) -> Any:
    match value:
        case str():
            # Python holds octets that are no UTF-8 as lone surrogates, which no reader of JSON accepts.
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {key: _unicode(inside) for key, inside in value.items()}
        case list() | tuple():
            return [_unicode(inside) for inside in value]
        case _:
            return value


def _cut(value: Any, where: str, entries: int, characters: int, gone: Counter[str]) -> Any:
    match value:
        case str() if len(value) > characters:
            gone["ends of long texts"] += 1
            return value[: characters - len(_ELLIPSIS)] + _ELLIPSIS
        case dict():
            return {key: _cut(inside, f"{where}.{key}", entries, characters, gone) for key, inside in value.items()}
        case list() | tuple():
            if len(value) > entries:
                gone[where] += len(value) - entries
            return [_cut(inside, where, entries, characters, gone) for inside in value[:entries]]
        case _:
            return value


def _note(gone: Counter[str]) -> str:
    lost = ", ".join(f"{number} of {what}" for what, number in sorted(gone.items()))
    return f"left out to keep this small: {lost or 'nothing'}"
