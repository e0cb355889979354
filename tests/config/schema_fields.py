"""The fields of a schema, for tests that compare them with what is read, shown and documented."""

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]


def spec_fields(schema: Mapping[str, Any]) -> set[Path]:
    """Every field below `spec`, as a path of names; entries of lists are transparent."""
    return set(_fields(schema["properties"]["spec"], ()))


def _fields(schema: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name)
        yield from _fields(inner, (*path, name))
    if "items" in schema:
        yield from _fields(schema["items"], path)


def all_schemas(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The schema of every named field, with a path for messages."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from all_schemas(inner, f"{path}.{name}")
    if "items" in schema:
        yield from all_schemas(schema["items"], f"{path}[]")
