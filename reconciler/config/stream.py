"""Octets to text, and text to the pieces that hold one document each, so that a broken one does not hide the others."""

import codecs
import re
from collections.abc import Iterator

from reconciler.config.findings import Finding
from reconciler.config.syntax import ENCODING

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# More than this many places with bad octets: not a text with an accident, but no text.
_BAD_PLACES = 20
_MARKER = re.compile(r"(?<![^\r\n])(?:---|\.\.\.)(?=[ \t\r\n]|\Z)")
_LINE_END = re.compile(r"\r\n?|\n|\Z")
# Comments, blank lines and directives: what may stand before the `---` of the document they belong to.
# Possessive throughout, so that no text makes it try twice.
_PROLOGUE = re.compile(r"(?:(?:[ \t]*+(?:#[^\r\n]*+)?+|%[^\r\n]*+)(?>\r\n|\r|\n))*+")
# YAML 1.2.2 section 5.4: NEL, LS and PS used to be line ends.
_LINE_ENDS_OF_YAML_11 = ("\x85", "\u2028", "\u2029")
_TAG_DIRECTIVE = re.compile("(?<![^\r\n\x85\u2028\u2029])%TAG")
_TAG_DIRECTIVES = 32


def decode(data: bytes) -> tuple[str, list[Finding]]:
    """
    The text of a file, without a byte order mark, and each place (up to a few) with octets that are not UTF-8.

    One replacement character stands for each run of bad octets, so that every place after it is still right. A text
    that is empty beside findings is not worth reading.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return "", [Finding(0, ENCODING, f"this file is {name}; save it as UTF-8")]
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(), []
    except UnicodeDecodeError:
        return _decode_around(data)


def _decode_around(data: bytes) -> tuple[str, list[Finding]]:
    text, rest, findings = "", data, list[Finding]()
    while len(findings) < _BAD_PLACES:
        try:
            return text + rest.decode(), findings
        except UnicodeDecodeError as error:
            text += rest[: error.start].decode()
            octets = rest[error.start : error.end].hex(" ")
            message = f"the octets {octets} are not UTF-8; save the file as UTF-8"
            findings.append(Finding(len(text), ENCODING, message))
            text += "\N{REPLACEMENT CHARACTER}"
            rest = rest[error.end :]
    return "", findings[:1]


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """
    Where each document of a text begins and ends.

    `---` and `...` at the start of a line end a document wherever they stand, even in a block scalar (YAML 1.2.2
    section 9.1.1), so nothing has to be understood to find them.
    """
    start = 0
    for marker in _MARKER.finditer(text):
        if marker[0] == "...":
            end = _LINE_END.search(text, marker.end())
            cut = end.end() if end else len(text)
            if _PROLOGUE.fullmatch(text, start, marker.start()):
                start = cut
                continue
        elif _PROLOGUE.fullmatch(text, start, marker.start()):
            continue
        else:
            cut = marker.start()
        yield start, cut
        start = cut
    if not _PROLOGUE.fullmatch(text, start):
        yield start, len(text)


def line_end_of_yaml_11(text: str, start: int, end: int) -> Finding | None:
    """The first character in a piece that ends a line for our parser and for kubectl, but for nobody else."""
    found = [place for mark in _LINE_ENDS_OF_YAML_11 if (place := text.find(mark, start, end)) >= 0]
    if not found:
        return None
    code = f"U+{ord(text[min(found)]):04X}"
    message = f"the invisible character {code} ends a line in YAML 1.1, but not in YAML 1.2; remove it"
    return Finding(min(found), "yaml-ambiguous-scalar", message)


def too_many_directives(text: str) -> Finding | None:
    """The parser compares each `%TAG` with all before it: a file full of them would keep it busy for hours."""
    if text.count("%TAG") <= _TAG_DIRECTIVES:
        return None
    for count, directive in enumerate(_TAG_DIRECTIVE.finditer(text), 1):
        if count > _TAG_DIRECTIVES:
            message = f"there are more than {_TAG_DIRECTIVES} %TAG lines in this file; remove them"
            return Finding(directive.start(), "yaml-too-large", message)
    return None
