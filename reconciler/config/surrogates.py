r"""
JSON writes a character above U+FFFF as two escapes, `"\ud83d\ude00"`. YAML knows no such pairs and calls them an error.

So the two halves travel through the YAML parser as two characters for private use, which keeps the length of the text
and with it every place in it, and are joined afterwards.
"""

import re

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_PRIVATE = re.compile(r"[\ue000-\ue7ff]|\\u[eE][0-7]")
_ESCAPE = re.compile(r"\\(?:u[dD]([89a-fA-F])([0-9a-fA-F]{2})|.)", re.DOTALL)
_SHELTERED = re.compile(r"\\ue([0-7])")
_HALVES = {0xE000 + offset: 0xD800 + offset for offset in range(0x800)}


def shelter_surrogates(text: str) -> str | None:
    """The text to parse instead, when it looks like JSON and has such escapes; otherwise None."""
    if text.lstrip("- \t\r\n")[:1] not in {"{", "["} or not _ESCAPED_SURROGATE.search(text) or _PRIVATE.search(text):
        return None
    return _ESCAPE.sub(lambda escape: _sheltered(escape) if escape[1] else escape[0], text)


def _sheltered(escape: re.Match[str]) -> str:
    return f"\\ue{int(escape[1], 16) - 8}{escape[2]}"


def restore_surrogates(text: str, style: str) -> str:
    """A scalar as it was meant; half a pair becomes U+FFFD, as Kubernetes reads it."""
    if style != '"':
        return _SHELTERED.sub(lambda found: f"\\ud{int(found[1]) + 8:x}", text)
    if not _PRIVATE.search(text):
        return text
    return text.translate(_HALVES).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
