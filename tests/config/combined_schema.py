"""
The one schema for editors, made of those of every kind. `python -m tests.config.combined_schema` writes it anew.

It dispatches by apiVersion and kind with if/then, so that an editor explains the kind that is meant; with oneOf it
would list what is wrong under every kind.
"""

import json
from pathlib import Path
from typing import Any

from reconciler.config.kinds import KINDS, Kind
from reconciler.config.schema import load_schema

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
_GROUPS = "^(metallb\\.io|lb-reconciler\\.io)/"
_STATUS_KINDS = ["ConfigurationState", "ServiceBGPStatus", "ServiceL2Status"]


def combined() -> dict[str, Any]:
    """The schema as it should stand in `schemas/all.json`."""
    kinds = list(KINDS.values())
    names = list(dict.fromkeys(kind.name for kind in kinds))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://lb-reconciler.io/schemas/all.json",
        "title": "Configuration of LB Reconciler",
        "description": "Every kind of document that LB Reconciler reads. Documents of other groups are left alone.",
        "type": "object",
        "properties": {
            "apiVersion": {
                "description": "Group and version of the kind.",
                "anyOf": [{"enum": list(dict.fromkeys(kind.api_version for kind in kinds))}, {"type": "string"}],
            },
            "kind": {"description": "Kind of the object.", "anyOf": [{"enum": names}, {"type": "string"}]},
        },
        "allOf": [
            {
                "if": _of_an_object({"apiVersion": {"pattern": _GROUPS}}),
                "then": {"properties": {"kind": {"enum": [*names, *_STATUS_KINDS]}}, "required": ["kind"]},
            },
            *(_versions(name, [kind.api_version for kind in kinds if kind.name == name]) for name in names),
            *(_dispatch(kind) for kind in kinds),
        ],
        "$defs": {_key(kind): _embedded(kind) for kind in kinds},
    }


def text() -> str:
    """The file."""
    return json.dumps(combined(), indent=2, ensure_ascii=False) + "\n"


def _versions(name: str, known: list[str]) -> dict[str, Any]:
    """The versions there are of a kind of our groups."""
    return {
        "if": _of_an_object({"apiVersion": {"pattern": _GROUPS}, "kind": {"const": name}}),
        "then": {"properties": {"apiVersion": {"enum": known}}},
    }


def _dispatch(kind: Kind) -> dict[str, Any]:
    return {
        "if": _of_an_object({"apiVersion": {"const": kind.api_version}, "kind": {"const": kind.name}}),
        "then": {"$ref": f"#/$defs/{_key(kind)}"},
    }


def _of_an_object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _key(kind: Kind) -> str:
    return kind.schema.removesuffix(".json")


def _embedded(kind: Kind) -> dict[str, Any]:
    return {key: value for key, value in load_schema(kind.schema).items() if key not in {"$id", "$schema"}}


if __name__ == "__main__":
    (SCHEMAS / "all.json").write_text(text(), encoding="utf-8")
