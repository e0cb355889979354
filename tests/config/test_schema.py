import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.config.documents import parse_documents
from reconciler.config.kinds import KINDS, Kind
from reconciler.config.problems import Problems
from reconciler.config.schema import check_schema, load_schema, schema_text
from tests.config import combined_schema
from tests.config.damage import example, value_of
from tests.config.schema_fields import all_schemas, spec_fields

_ROOT = Path(__file__).resolve().parents[2]
_EXAMPLES = _ROOT / "config-examples"
_ALL_KINDS = [pytest.param(kind, id=f"{kind.name}-{kind.version}") for kind in KINDS.values()]
_SCHEMA_FILES = sorted(path.name for path in (_ROOT / "schemas").glob("*.json"))


@pytest.mark.parametrize("name", _SCHEMA_FILES)
def test_a_schema_meets_the_meta_schema(name: str) -> None:
    schema = json.loads(schema_text(name))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].endswith(f"/{name}")
    Draft202012Validator.check_schema(schema)


def test_every_kind_has_a_schema_and_every_schema_a_kind() -> None:
    assert {kind.schema for kind in KINDS.values()} | {"all.json"} == set(_SCHEMA_FILES)


def test_a_schema_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        schema_text("gold.json")


def test_the_combined_schema_is_made_of_the_others() -> None:
    assert schema_text("all.json") == combined_schema.text(), "run python -m tests.config.combined_schema"


@pytest.mark.parametrize("kind", _ALL_KINDS)
def test_a_schema_explains_every_field(kind: Kind) -> None:
    schema = load_schema(kind.schema)
    assert schema["title"]
    assert schema["description"]
    for path, field in all_schemas(schema):
        assert field.get("description", "").endswith("."), path
        if field.get("type") == "object" or "object" in field.get("type", ()):
            assert "additionalProperties" in field, path


@pytest.mark.parametrize("kind", _ALL_KINDS)
def test_the_metadata_of_every_kind_is_the_same(kind: Kind) -> None:
    pool = load_schema("ipaddresspool_v1beta1.json")
    assert load_schema(kind.schema)["properties"]["metadata"] == pool["properties"]["metadata"]


@pytest.mark.parametrize("kind", _ALL_KINDS)
def test_the_examples_and_defaults_of_a_schema_meet_it(kind: Kind) -> None:
    schema = load_schema(kind.schema)
    for value in schema["examples"]:
        Draft202012Validator(schema).validate(value)
    for _, field in all_schemas(schema):
        for value in [*field.get("examples", []), *([field["default"]] if "default" in field else [])]:
            Draft202012Validator(field).validate(value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.instead is None], ids=lambda kind: kind.name)
def test_the_commented_file_of_a_kind_shows_every_field(kind: Kind) -> None:
    schema = load_schema(kind.schema)
    value = value_of(example(kind))
    Draft202012Validator(schema).validate(value)
    Draft202012Validator(json.loads(schema_text("all.json"))).validate(value)
    assert _paths(value["spec"]) | _selector_paths(schema) >= spec_fields(schema)


def _paths(value: object, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if isinstance(value, list):
        return set().union(*(_paths(item, path) for item in value))
    if isinstance(value, dict):
        return {(*path, name) for name in value}.union(*(_paths(inner, (*path, name)) for name, inner in value.items()))
    return set()


def _selector_paths(schema: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Inside of selectors: a file need not show both forms of each of them."""
    return {path for path in spec_fields(schema) if {"matchLabels", "matchExpressions"} & set(path)}


@pytest.mark.parametrize("path", sorted(_EXAMPLES.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_meets_the_combined_schema(path: Path) -> None:
    validator = Draft202012Validator(json.loads(schema_text("all.json")))
    for document in parse_documents(path.name, path.read_bytes()).documents:
        validator.validate(document.value)


def named(api_version: str, kind: str) -> dict[str, object]:
    """An object that only its version could be wrong of."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "spec": {}}


def test_a_condition_of_the_combined_schema_asks_for_an_object() -> None:
    schema = json.loads(schema_text("all.json"))
    assert {rule["if"]["type"] for rule in schema["allOf"]} == {"object"}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"apiVersion": "metallb.io/v1beta1", "kind": "IPAdressPool"}, id="an unknown kind of our groups"),
        pytest.param({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool"}, id="a pool without spec"),
        pytest.param(
            {"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": {"name": "a"}, "spec": {"myAsn": 1}},
            id="a peer with a misspelt field",
        ),
        pytest.param(named("metallb.io/v1beta3", "BGPPeer"), id="a version of a peer that is to come"),
        pytest.param(named("metallb.io/v1beta2", "IPAddressPool"), id="a pool in the version of a peer"),
        pytest.param(named("metallb.io/v1alpha1", "ReconcilerSettings"), id="settings in the group of pools"),
        pytest.param(named("lb-reconciler.io/v1beta1", "ReconcilerSettings"), id="an unknown version of the settings"),
        pytest.param(named("lb-reconciler.io/v1alpha1", "BGPPeer"), id="a peer in the group of the settings"),
    ],
)
def test_the_combined_schema_refuses(value: object) -> None:
    assert not Draft202012Validator(json.loads(schema_text("all.json"))).is_valid(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"apiVersion": "v1", "kind": "Service", "spec": {"anything": 1}}, id="other groups"),
        pytest.param({"resources": ["a.yaml"]}, id="what is no object of the API"),
        pytest.param({"apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status"}, id="status objects"),
    ],
)
def test_the_combined_schema_leaves_alone(value: object) -> None:
    Draft202012Validator(json.loads(schema_text("all.json"))).validate(value)


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        pytest.param("spec: {interfaces: null}", [], id="a field without a value"),
        pytest.param("spec: null", [], id="no spec"),
        pytest.param("spec: {interfaces: [null]}", ["wrong-type"], id="but not an element of a list"),
    ],
)
def test_a_null_property_counts_as_absent(rest: str, found: list[str]) -> None:
    text = f"apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {{name: a}}\n{rest}\n"
    (document,) = parse_documents("a.yaml", text.encode()).documents
    problems = Problems()
    check_schema(document, "l2advertisement_v1beta1.json", problems)
    assert [problem.code for problem in problems.sorted()] == found
