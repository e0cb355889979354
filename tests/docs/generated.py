"""
The tables of the pages that are generated: the fields of each kind from its schema, the reason codes from the code.

`python -m tests.docs.generated`, from the top of a checkout, writes them anew. What stands around a table is written by
hand and stays.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.allocation import reasons
from reconciler.config.kinds import KINDS
from reconciler.config.schema import load_schema
from reconciler.plan.conditions import reason_word

DOCS = Path(__file__).resolve().parents[2] / "docs"
_KINDS, _REASONS = DOCS / "kinds.md", DOCS / "reason-codes.md"
# Of a table all lines but the head and the line below it.
_ROWS = r"(^\| {head}.*\n\|[-|]+\n)((?:\|.*\n)+)"
# Stands once above the tables.
_DURATION = ' A duration as Go writes it: "90s", "1m30s", "500ms".'

Schema = Mapping[str, Any]


def pages() -> dict[Path, str]:
    """What each of these pages has to hold."""
    return {_KINDS: _kinds(_KINDS.read_text("utf-8")), _REASONS: _reasons(_REASONS.read_text("utf-8"))}


def _kinds(page: str) -> str:
    for kind in KINDS.values():
        before, head, rest = page.partition(f"\n## {kind.name} ({kind.api_version})\n")
        section, next_head, after = rest.partition("\n## ")
        rows = "".join(_field_rows(load_schema(kind.schema)["properties"]["spec"], ()))
        page = before + head + _with_rows(section, "field of `spec`", rows) + next_head + after
    return page


def _field_rows(schema: Schema, path: tuple[str, ...]) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        where = (*path, name)
        default = "required" if name in schema.get("required", ()) else _default(field)
        description = field["description"].removesuffix(_DURATION)
        yield f"| `{'.'.join(where)}` | {_type(field)} | {default} | {description} |\n"
        if not _is_selector(field):
            yield from _field_rows(field.get("items", field) if not _is_selector(field.get("items", {})) else {}, where)


def _default(field: Schema) -> str:
    match field.get("default"):
        case None | []:
            return ""
        case [*_]:
            # Too long for a table: it stands below.
            return "see below"
        case str(text):
            return f"`{text}`"
        case value:
            return f"`{json.dumps(value)}`"


def _type(field: Schema) -> str:
    match field:
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"type": "integer", "minimum": lowest, "maximum": highest} if highest < 2**32:
            return f"{lowest} to {highest}"
        case {"type": "array", "items": {"type": "string"}}:
            return "list of strings"
        case {"type": "array", "items": entry}:
            return "list of selectors" if _is_selector(entry) else "list of mappings"
        case {"type": "object"} | {"type": ["object", "null"]}:
            return "selector" if _is_selector(field) else "mapping"
        case {"type": "string", "pattern": pattern} if "ms|s|m|h" in pattern:
            return "duration"
        case {"type": kind}:
            return str(kind)
        case _:
            raise AssertionError(field)


def _is_selector(field: Schema) -> bool:
    return "matchLabels" in field.get("properties", {})


def _reasons(page: str) -> str:
    rows = (f"| `{code}` | `{reason_word(code)}` | {meaning} | {fix} |\n" for code, meaning, fix in explained())
    return _with_rows(page, "code | in a condition", "".join(rows))


def explained() -> Iterator[tuple[str, str, str]]:
    """Each reason with its meaning and its fix: what stands below it in the code."""
    (found,) = (node for node in ast.parse(inspect.getsource(reasons)).body if isinstance(node, ast.ClassDef))
    for member, below in zip(found.body, found.body[1:], strict=False):
        match member, below:
            case ast.Assign(value=ast.Constant(value=str(code))), ast.Expr(value=ast.Constant(value=str(text))):
                meaning, _, fix = " ".join(text.split()).partition(". Fix: ")
                yield code, meaning, fix.removesuffix(".")
            case _:
                continue


def _with_rows(text: str, head: str, rows: str) -> str:
    replaced, count = re.subn(
        _ROWS.format(head=re.escape(head)), lambda found: found[1] + rows, text, count=1, flags=re.MULTILINE
    )
    assert count == 1, head
    return replaced


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
