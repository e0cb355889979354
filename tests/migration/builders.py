"""A source text all the way to documents that our own loader has read."""

from dataclasses import dataclass
from typing import Any

from reconciler.config.documents import parse_documents
from reconciler.config.files import SourceFile, SourceSet
from reconciler.config.load import Loaded, load_sources
from reconciler.config.schema import load_schema
from reconciler.migration.convert import convert
from reconciler.migration.findings import Findings
from reconciler.migration.layout import write_files
from reconciler.migration.manifests import Manifest, Text
from reconciler.migration.nodes import plain
from reconciler.migration.objects import VERSIONS, Schema
from reconciler.migration.reading import Source, read_documents
from reconciler.model.origin import Problem, Severity


@dataclass(frozen=True)
class Imported:
    """What became of a text."""

    manifests: tuple[Manifest, ...]
    problems: tuple[Problem, ...]
    texts: dict[str, Text]
    loaded: Loaded
    foreign: int

    def specs(self, kind: str) -> dict[str, Any]:
        """The specs of a kind by name, as plain values."""
        return {found.name: plain(found.spec) for found in self.manifests if found.kind == kind}

    def spec(self, kind: str) -> Any:
        """The spec of the only one of its kind."""
        (found,) = self.specs(kind).values()
        return found

    @property
    def codes(self) -> list[str]:
        """`line:code` of each finding, an exclamation mark behind errors."""
        marks = {Severity.ERROR: "!", Severity.WARNING: ""}
        return [f"{found.origin.line}:{found.code}{marks[found.severity]}" for found in self.problems]


def schema_of(kind: str) -> Schema:
    return load_schema(f"{kind.lower()}_{VERSIONS[kind][0].partition('/')[2]}.json")


def imported(*texts: str, namespace: str = "metallb-system") -> Imported:
    """Import texts as files a.yaml, b.yaml and so on."""
    findings = Findings()
    documents = []
    for name, text in zip("abcdef", texts, strict=False):
        documents += read_documents(Source(f"{name}.yaml", text), findings)
    found = convert(documents, schemas=schema_of, namespace=namespace, findings=findings)
    written = write_files(found.manifests)
    files = tuple(SourceFile(name, text.text.encode()) for name, text in sorted(written.items()))
    return Imported(found.manifests, found.problems, written, load_sources(SourceSet(files, "r")), found.foreign)


def read_back(text: str) -> list[Any]:
    """The documents of a text as our strict loader takes them; it must have nothing to say."""
    parsed = parse_documents("x.yaml", text.encode())
    assert parsed.problems == ()
    assert [document.problems for document in parsed.documents] == [()] * len(parsed.documents)
    return [document.value for document in parsed.documents]
