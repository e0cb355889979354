"""Text to documents: the YAML parser on one side, our builder on the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reconciler.config.builder import Builder, Built
from reconciler.config.document import Document, Parsed
from reconciler.config.findings import BrokenDocumentError, Finding
from reconciler.config.limits import Limits
from reconciler.config.positions import Positions
from reconciler.config.stream import line_end_of_yaml_11, pieces, too_many_directives
from reconciler.config.surrogates import shelter_surrogates
from reconciler.config.syntax import explain
from reconciler.errors import ReconcilerError

try:
    from _ruamel_yaml import CParser  # type: ignore[import-not-found]  # the C extension has no stubs
except ImportError:
    CParser = None


# The C parser stops at `fd00::1` or `65000:100` without quotes inside brackets: YAML 1.1 as it once was. Every other
# reader takes them, kubectl among them, so what it says there is not a finding.
_COLON_IN_FLOW = "found unexpected ':'"

# What the Python parser raises where it ought to say what is wrong, at an escape beyond Unicode or a stray directive.
_STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class ParserMissingError(ReconcilerError):
    """ruamel.yaml was installed without its C extension; its Python parser is slower and words its errors otherwise."""


def parse_text(positions: Positions, spoiled: Sequence[Finding] = (), *, strict: bool, limits: Limits) -> Parsed:
    """Read every document of a text. A document with one of the findings `spoiled` in it is not read."""
    text = positions.text
    hostile = too_many_directives(text)
    if hostile or (spoiled and not text):
        return Parsed((), tuple(finding.problem(positions) for finding in (hostile or spoiled[0],)))
    documents: list[Document] = []
    findings: list[Finding] = []
    nodes = 0
    reader = _Reader(limits, strict=strict, json=positions.path.endswith(".json"), slowly=limits.slowly)
    for count, (start, end) in enumerate(pieces(text)):
        excess = _excess(limits, documents=count, broken=len(findings), nodes=nodes)
        if excess:
            findings.append(Finding(start, "yaml-too-large", f"{excess}; split it, or look at what made it"))
            break
        bad = next((finding for finding in spoiled if start <= finding.index < end), None)
        if bad:
            findings.append(bad)
            continue
        try:
            built = reader.read(text[start:end], start)
        except BrokenDocumentError as error:
            findings.append(error.finding)
        else:
            nodes += sum(found.nodes for found in built)
            odd = line_end_of_yaml_11(text, start, end) if strict else None
            documents.extend(_document(found, positions, odd) for found in built if found.value is not None)
    return Parsed(tuple(documents), tuple(finding.problem(positions) for finding in findings))


def _excess(limits: Limits, *, documents: int, broken: int, nodes: int) -> str:
    """Why nothing more is read of a file; empty while it may go on."""
    if documents >= limits.documents:
        return f"there are more than {limits.documents} documents in this file"
    if broken >= limits.broken:
        return f"more than {limits.broken} documents in this file cannot be read"
    if nodes >= limits.nodes:
        return f"there are more than {limits.nodes} values in this file"
    return ""


@dataclass(slots=True)
class _Reader:
    """Builds the documents of one file, piece by piece. `slowly` is how many characters the slow parser may read."""

    limits: Limits
    strict: bool
    json: bool
    slowly: int

    def read(self, piece: str, start: int) -> list[Built]:
        """
        The documents of a piece that begins at the index `start`.

        Raises:
            BrokenDocumentError: One of them cannot be built.
        """
        if CParser is None:
            raise ParserMissingError("the YAML parser is missing: pip install 'ruamel.yaml[oldlibyaml]'")
        try:
            try:
                return self._build(piece, start, lambda text: CParser(text).get_event)
            except MarkedYAMLError as error:
                if error.problem != _COLON_IN_FLOW or len(piece) > self.slowly:
                    raise
            self.slowly -= len(piece)
            return self._build(piece, start, _slow_events)
        except YAMLError as error:
            found = explain(error, piece)
            related = None if found.related is None else found.related + start
            raise BrokenDocumentError(replace(found, index=found.index + start, related=related)) from error

    def _build(self, piece: str, start: int, events: Callable[[str], Callable[[], Any]]) -> list[Built]:
        sheltered = shelter_surrogates(piece)
        builder = Builder(start, self.limits, strict=self.strict, json=self.json, sheltered=sheltered is not None)
        return list(builder.documents(events(sheltered or piece)))


def _slow_events(text: str) -> Callable[[], Any]:
    _, parser = YAML(typ="safe", pure=True).get_constructor_parser(text)

    def next_event() -> Any:
        try:
            return parser.get_event()
        except _STUMBLES as error:
            raise YAMLError(f"the parser gave up: {error}") from error

    return next_event


def _document(built: Built, positions: Positions, odd: Finding | None) -> Document:
    findings = (*built.findings, odd) if odd else built.findings
    problems = tuple(finding.problem(positions) for finding in findings)
    return Document(positions.path, built.value, problems, positions, built.mark)
