"""
What a plain scalar means, by the core schema of YAML 1.2.2 (section 10.3.2), and who would read it differently.

Three readers matter: YAML 1.2, which is ours; YAML 1.1, which PyYAML and many other tools still speak; and kubectl,
whose reader mixes both. Where they differ, no reading is right, and the person who wrote it is asked.

Base 60 (`12:30`) and timestamps are text here without a word: kubectl reads them so, and `65000:100` is a community.
"""

import math
import re
from typing import Final, TypeAlias

Plain: TypeAlias = str | int | float | bool | None

_AGREED: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_BOOLEANS_OF_YAML_11: Final[dict[str, bool]] = {
    form: truth
    for truth, words in ((True, ("y", "yes", "on")), (False, ("n", "no", "off")))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
# A plain scalar that is none of these words and begins with none of these characters is text to every reader.
SPECIAL_WORDS: Final = frozenset(_AGREED) | frozenset(_BOOLEANS_OF_YAML_11)
NUMBER_STARTS: Final = frozenset("+-.0123456789")

# Read alike by all; eighteen digits fit into 64 bits.
_PLAIN_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_NUMBER_TO_SOMEBODY = re.compile(
    r"[-+]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+"
    r"|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)
# The longest 64-bit number in base 2, its sign and prefix, and some air for separators.
_LONGEST_NUMBER = 100

_CORE_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_CORE_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGER_OF_YAML_11 = re.compile(r"[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_FLOAT_OF_YAML_11 = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?")
_INTEGER_OF_KUBECTL = re.compile(r"[-+]?(?:0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)")


def read_plain(text: str) -> tuple[Plain, str]:
    """The value of a plain scalar, and what is ambiguous about it; the empty string where nothing is."""
    if text in _AGREED:
        return _AGREED[text], ""
    if text in _BOOLEANS_OF_YAML_11:
        word = str(_BOOLEANS_OF_YAML_11[text]).lower()
        return text, (
            f'{text} is {word} to kubectl and YAML 1.1, but text to YAML 1.2; write {word}, or "{text}" in quotes'
        )
    if _PLAIN_INTEGER.fullmatch(text):
        return int(text), ""
    if len(text) > _LONGEST_NUMBER:
        return _read_long(text)
    if not _NUMBER_TO_SOMEBODY.fullmatch(text):
        return text, ""
    return _read_number(text)


def _read_long(text: str) -> tuple[Plain, str]:
    if not _NUMBER_TO_SOMEBODY.fullmatch(text):
        return text, ""
    return text, f"a number of {len(text)} characters is too large for any field; quote it if it is meant as text"


def _read_number(text: str) -> tuple[Plain, str]:
    core, yaml_11, kubectl = _by_yaml_12(text), _by_yaml_11(text), _by_kubectl(text)
    if not _is_finite(core) or not _is_finite(kubectl):
        return text, f'{text} is a number that JSON, and so Kubernetes, cannot write; quote it ("{text}") if it is text'
    if _beyond_64_bits(core):
        return text, f'{text} does not fit into 64 bits; quote it ("{text}") if it is meant as text'
    if _same(core, yaml_11) and _same(core, kubectl):
        return core, ""
    readings: dict[str, list[str]] = {}
    for reader, value in (("kubectl", kubectl), ("YAML 1.1", yaml_11), ("YAML 1.2", core)):
        readings.setdefault(_shown(value), []).append(reader)
    told = ", but ".join(f"{value} to {' and '.join(readers)}" for value, readers in readings.items())
    numbers = " or ".join(value for value in readings if value != "text")
    return core, f'{text} is {told}; write {numbers} for a number, or "{text}" in quotes for text'


def _by_yaml_12(text: str) -> str | int | float:
    if _CORE_INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text) if _CORE_FLOAT.fullmatch(text) else _special_float(text)


def _by_yaml_11(text: str) -> str | int | float:
    plain = text.replace("_", "")
    if _INTEGER_OF_YAML_11.fullmatch(text):
        return _integer_with_prefix(plain)
    return float(plain) if _FLOAT_OF_YAML_11.fullmatch(text) else _special_float(text)


def _by_kubectl(text: str) -> str | int | float:
    # A number that starts with a point may not contain separators there; any other may.
    plain = text if text.startswith(".") else text.replace("_", "")
    if _INTEGER_OF_KUBECTL.fullmatch(plain):
        return _integer_with_prefix(plain)
    return float(plain) if _CORE_FLOAT.fullmatch(plain) else _special_float(text)


def _integer_with_prefix(text: str) -> str | int:
    digits = text.lstrip("+-").lower()
    if digits.startswith("0") and digits[1:].isdecimal():
        digits = "0o" + digits[1:]
    try:
        number = int(digits, 0)
    except ValueError:
        # `0x_`: a prefix and nothing else.
        return text
    return -number if text.startswith("-") else number


def _special_float(text: str) -> str | float:
    match text.lower():
        case ".inf" | "+.inf" | "-.inf" | ".nan":
            return float(text.replace(".", ""))
        case _:
            return text


def _is_finite(value: str | float) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _beyond_64_bits(value: str | float) -> bool:
    return isinstance(value, int) and not -(1 << 63) <= value < 1 << 64


def _same(ours: str | float, theirs: str | float) -> bool:
    return type(ours) is type(theirs) and ours == theirs


def _shown(value: str | float) -> str:
    if isinstance(value, str):
        return "text"
    return str(int(value)) if float(value).is_integer() else str(value)
