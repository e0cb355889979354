"""A document against the JSON Schema of its kind: every finding, with a code and a place."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from reconciler.config.documents import Document
from reconciler.config.fields import Pointer
from reconciler.config.problems import Problems
from reconciler.config.schema_words import Place, Wording, reword
from reconciler.model.origin import Origin

_PACKAGE = Path(__file__).resolve().parent.parent
# Inside the package once installed, beside it in a checkout.
_FOLDERS = (_PACKAGE / "schemas", _PACKAGE.parent / "schemas")


def schema_text(name: str) -> str:
    """
    The text of a schema file, by file name.

    Raises:
        FileNotFoundError: There is no such schema.
    """
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise FileNotFoundError(name)


@cache
def load_schema(name: str) -> Mapping[str, Any]:
    """The schema of that file name; not to be changed."""
    schema: Mapping[str, Any] = json.loads(schema_text(name))
    return schema


def check_schema(document: Document, schema: str, problems: Problems) -> None:
    """Report everything in the document that its schema does not allow; null properties count as absent."""
    subject = _subject(document)
    # Of what type a value is cannot be told where readers of YAML disagree about it, and that is reported already.
    ambiguous = {problem.origin for problem in document.problems}
    seen: set[tuple[Pointer, str]] = set()
    for error in _validator(schema).iter_errors(_without_nulls(document.value)):
        place = Place(tuple(error.absolute_path), error.instance, subject)
        # One `required` error names one of the missing fields; the first of a mapping speaks for all.
        if (place.pointer, error.validator) in seen:
            continue
        seen.add((place.pointer, error.validator))
        for wording in reword(place, error.validator, error.validator_value, error.schema):
            origin = _origin(document, place.pointer, wording)
            if origin not in ambiguous:
                problems.error(origin, wording.code, wording.message)


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(load_schema(schema))


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(found) for key, found in value.items() if found is not None}
    if isinstance(value, list):
        return [_without_nulls(found) for found in value]
    return value


def _subject(document: Document) -> str:
    """`IPAddressPool "gold"`, as far as the document says."""
    root = document.value if isinstance(document.value, dict) else {}
    metadata = root.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f'{root.get("kind")} "{name}"' if isinstance(name, str) else str(root.get("kind"))


def _origin(document: Document, pointer: Pointer, wording: Wording) -> Origin:
    if wording.key is not None:
        return document.key_origin(*pointer, wording.key)
    return document.origin(*pointer)
