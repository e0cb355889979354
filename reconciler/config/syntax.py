"""Says what a person can do about text that is no YAML. The parser knows where it gave up; this says why."""

import re

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reconciler.config.findings import Finding

SYNTAX = "yaml-syntax"
ENCODING = "yaml-encoding"

# YAML 1.2.2 production [1] c-printable, and what the parser adds to it: DEL and most of C1 are out.
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONFLICT = re.compile(r"(?<![^\r\n])(?:<{7}|={7}|>{7})(?=[ \t\r\n]|\Z)")
_TEMPLATE = re.compile(r"\{\{[^\r\n]*\}\}|\{%[^\r\n]*%\}")
# How much of a line is searched for a hint.
_HINT_LENGTH = 400
_LINE = re.compile(r"[^\r\n]*")

# What the parser says, in a person's words. Where it names only what it hoped to see, say what usually went wrong.
_SENTENCES = {
    "mapping values are not allowed in this context": (
        "a ':' stands where no key can be; the indentation of this line is wrong, the line before has no space "
        "after its ':', or a text that contains ': ' has to be put in quotes"
    ),
    "did not find expected key": (
        "this does not line up with the keys before it; check its indentation, and that nothing follows a quoted value"
    ),
    "did not find expected '-' indicator": "this does not line up with the list before it; check its indentation",
    "could not find expected ':'": "this line has no ':' after its key (and a list entry needs a space after its '-')",
    "did not find expected ',' or ']'": "the list opened with '[' is not closed by ']', or a ',' is missing",
    "did not find expected ',' or '}'": "the mapping opened with '{' is not closed by '}', or a ',' is missing",
    "did not find expected node content": "a value is missing here, or a bracket is closed that was not opened",
    "did not find expected <document start>": (
        "the document has ended before this; begin another one with a line '---', or remove this"
    ),
    "found unknown escape character": "there is no such escape in double quotes; write '\\\\' for a backslash",
    "found invalid Unicode character escape code": "there is no character with this code; write the character itself",
    "found unexpected ':'": "put this text in quotes: in a document this large, reading a ':' inside brackets is slow",
    "found undefined tag handle": "this tag has a prefix that is not defined; remove the tag",
    "found incompatible YAML document": "this is not YAML 1.1 or 1.2; remove the %YAML line",
    "found unexpected document indicator": "a '---' or '...' stands inside a quoted text that is not closed",
    "did not find expected comment or line break": "only a comment may follow on this line; begin the text on the next",
    "found unknown directive name": "only the directives %YAML and %TAG exist; remove this line",
}
_TAB = "a tab is used to indent; use spaces"
_NO_START = {
    "*": "a plain value cannot begin with '*'; put it in quotes",
    "&": "a plain value cannot begin with '&'; put it in quotes",
    "@": "a plain value cannot begin with '@'; put it in quotes",
    "`": "a plain value cannot begin with '`'; put it in quotes",
    "%": "a plain value cannot begin with '%'; put it in quotes",
    "\t": _TAB,
}


def explain(error: YAMLError, text: str) -> Finding:
    """The finding for an error of the parser; its index counts from the start of `text`."""
    if not isinstance(error, MarkedYAMLError):
        return unprintable(text) or Finding(0, SYNTAX, f"cannot be read as YAML: {_one_line(str(error))}")
    if conflict := _CONFLICT.search(text):
        return Finding(conflict.start(), SYNTAX, "a merge conflict was left unresolved here")
    index = min(error.problem_mark.index if error.problem_mark else 0, len(text))
    start = error.context_mark.index if error.context_mark else index
    return _explained(str(error.problem or error), str(error.context or ""), start, index, text)


def unprintable(text: str) -> Finding | None:
    """The first character that no YAML text may contain as it is."""
    found = _NOT_PRINTABLE.search(text)
    if not found:
        return None
    code = ord(found[0])
    hint = " (is this UTF-16, or a binary file?)" if code == 0 else ""
    escape = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    message = f'the control character U+{code:04X} is not allowed in YAML{hint}; in double quotes write "{escape}"'
    return Finding(found.start(), ENCODING, message)


def _explained(problem: str, context: str, start: int, index: int, text: str) -> Finding:
    """`start` is where the parser began what it could not finish, `index` where it gave up."""
    byte_order_mark = text.find("\ufeff", max(index - 1, 0), index + 1)
    if byte_order_mark >= 0:
        message = "a byte order mark (U+FEFF) stands inside the file; remove it"
        return Finding(byte_order_mark, ENCODING, message)
    line_start, line = _line_at(text, index)
    indentation = line[: len(line) - len(line.lstrip())]
    if "tab character" in problem or (len(indentation) >= index - line_start and "\t" in indentation):
        tab = line.find("\t")
        return Finding(index if tab < 0 else line_start + tab, SYNTAX, _TAB)
    place, sentence = _diagnosed(problem, context, start, index, text)
    sentence += _template_hint(_line_at(text, place)[1])
    if "flow" in context and start != index:
        return Finding(place, SYNTAX, sentence, start, f"'{text[start : start + 1]}' opens it here")
    return Finding(place, SYNTAX, sentence)


def _diagnosed(problem: str, context: str, start: int, index: int, text: str) -> tuple[int, str]:
    """Where to point, and what to say."""
    place, character = index, text[index : index + 1]
    sentence = _SENTENCES.get(problem) or _one_line(f"{context}: {problem}" if context else problem)
    match problem:
        case "found unexpected end of stream" if "quoted" in context:
            place, sentence = (
                start,
                f"the text that begins with {text[start]} here is never closed by another {text[start]}",
            )
        case "found character that cannot start any token":
            sentence = _NO_START.get(character, f"{character!r} cannot begin a value")
        case "did not find expected alphabetic or numeric character" if text[start : start + 1] in _NO_START:
            place, sentence = start, _NO_START[text[start]]
        case "could not find expected ':'":
            place = start
        case "did not find expected key" if character == ":":
            sentence = "the key before this ':' is missing"
        case "did not find expected node content" if not text[index:].strip():
            sentence = "the document ends inside of a bracket that is not closed"
        case _:
            pass
    return place, sentence


def _template_hint(line: str) -> str:
    found = _TEMPLATE.search(line, 0, _HINT_LENGTH)
    return " (this looks like a template that was not rendered)" if found else ""


def _line_at(text: str, index: int) -> tuple[int, str]:
    start = max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1
    found = _LINE.match(text, start)
    return start, found[0] if found else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
