"""The fields of the schemas are those that are read, and those that docs/kinds.md explains."""

import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.config.documents import Document, parse_documents
from reconciler.config.kinds import KINDS, Kind
from reconciler.config.manifests import read_manifest
from reconciler.config.problems import Problems
from reconciler.config.schema import load_schema
from tests.config.schema_fields import spec_fields

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "kinds.md"
_ROW = re.compile(r"^\| `([A-Za-z0-9.]+)` \|", re.MULTILINE)
# Accepted because MetalLB's API has it: the Secret is looked up in our own namespace.
_NOT_READ = {("passwordSecret", "namespace")}
_ALL_KINDS = [pytest.param(kind, id=f"{kind.name}-{kind.version}") for kind in KINDS.values()]


class _Watched(dict[str, Any]):
    """A mapping that notes which of its keys are read."""

    def __init__(self, value: dict[str, Any], path: tuple[str, ...], read: set[tuple[str, ...]]) -> None:
        super().__init__({key: _watched(inner, (*path, key), read) for key, inner in value.items()})
        self._path = path
        self._read = read

    def get(self, key: str, default: Any = None) -> Any:
        self._read.add((*self._path, key))
        return super().get(key, default)


def _watched(value: Any, path: tuple[str, ...], read: set[tuple[str, ...]]) -> Any:
    if isinstance(value, dict):
        return _Watched(value, path, read)
    return [_watched(inner, path, read) for inner in value] if isinstance(value, list) else value


def _full(schema: Any) -> Any:
    """A value in which every field of the schema is there."""
    match schema.get("type"):
        case "object" | ["object", "null"]:
            return {name: _full(inner) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [_full(schema["items"])]
        case "boolean":
            return True
        case "integer":
            return schema["maximum"]
        case _:
            return schema.get("enum", schema.get("examples", ["x"]))[0]


@pytest.mark.parametrize("kind", _ALL_KINDS)
def test_a_reader_reads_every_field_of_its_schema_and_no_other(kind: Kind) -> None:
    (parsed,) = parse_documents("a.yaml", b"metadata: {name: a}").documents
    schema, read = load_schema(kind.schema), set[tuple[str, ...]]()
    value = {"metadata": {"name": "a"}, "spec": _Watched(_full(schema["properties"]["spec"]), (), read)}
    document = Document(parsed.path, value, (), parsed.positions, parsed.mark)
    problems = Problems()
    kind.read(read_manifest(document, kind, problems), problems)
    fields = spec_fields(schema)
    assert fields - read <= _NOT_READ
    assert {path for path in read - fields if kind.instead is None} == set()


@pytest.mark.parametrize("kind", _ALL_KINDS)
def test_the_page_explains_every_field_of_a_kind_and_no_other(kind: Kind) -> None:
    text = _DOCS.read_text(encoding="utf-8")
    section = text.partition(f"## {kind.name} ({kind.api_version})\n")[2].partition("\n## ")[0]
    documented = {tuple(path.split(".")) for path in _ROW.findall(section)}
    fields = {path for path in spec_fields(load_schema(kind.schema)) if not _is_inside_selector(path)}
    assert documented == fields


def _is_inside_selector(path: tuple[str, ...]) -> bool:
    return not {"matchLabels", "matchExpressions"}.isdisjoint(path)
