"""
Plain scalars: what one meant to MetalLB, and how a value is written so that every reader takes it for the same.

The source was read by kubectl or by Go's YAML reader, which mix YAML 1.1 and 1.2: `yes` is true there and `010` is 8.
"""

import json
import re

from reconciler.migration.nodes import Plain

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS = {
    form: truth
    for truth, words in ((True, ("true", "yes", "on", "y")), (False, ("false", "no", "off", "n")))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
_INTEGER = re.compile(r"[-+]?(?:0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 100

_WORD = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./-]*[A-Za-z0-9_/])?")
_DURATION = re.compile(r"(?:[0-9]+(?:h|m|s|ms|us|ns))+")
_IPV6 = r"[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?"
# Two dots, or two colons in a row, are part of no number to anybody, nor of base 60.
_ADDRESSES = re.compile(
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,3}| ?- ?[0-9]{1,3}(?:\.[0-9]{1,3}){3})?"
    rf"|{_IPV6}(?:/[0-9]{{1,3}}| ?- ?{_IPV6})?"
)
_YAML_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def read_plain(text: str) -> Plain:
    """The value of a scalar without quotes, as kubectl takes it."""
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lower()
    if len(digits) > 1 and digits[0] == "0" and digits[1] not in "box":
        digits = f"0o{digits[1:]}"
    return sign * int(digits, 0)


def written(value: Plain) -> str:
    """The value as a scalar of one line."""
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    if text in _NULLS or text in _TRUTHS or text.endswith(":") or ": " in text:
        return False
    return any(form.fullmatch(text) for form in (_WORD, _DURATION, _ADDRESSES))


def _quoted(text: str) -> str:
    return f'"{"".join(_YAML_ESCAPES.get(character) or _escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x1_0000 else f"\\U{code:08x}"
