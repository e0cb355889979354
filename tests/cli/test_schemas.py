"""Machine-readable output against the schemas that others published for it."""

import io
import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import jsonschema
import pytest
import xmlschema

from reconciler.cli.options import Output
from reconciler.cli.places import Places
from reconciler.cli.render import render_diff
from reconciler.cli.report import Action, ConfigRow, DiffReport
from reconciler.model.origin import Origin
from tests.cli import builders
from tests.cli.test_outputs import REPORTS, printed

SCHEMAS = Path(__file__).parent / "schemas"


@pytest.fixture(scope="module")
def sarif_schema() -> jsonschema.Draft202012Validator:
    schema = json.loads((SCHEMAS / "sarif-2.1.0.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


@pytest.fixture(scope="module")
def junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")


@pytest.mark.parametrize("name", REPORTS)
def test_sarif_is_valid(name: str, sarif_schema: jsonschema.Draft202012Validator) -> None:
    sarif_schema.validate(json.loads(printed(REPORTS[name](), Output.SARIF)))


def junit(name: str) -> Element:
    return fromstring(printed(REPORTS[name](), Output.JUNIT))  # noqa: S314 - our own output


@pytest.mark.parametrize("name", REPORTS)
def test_junit_is_valid(name: str, junit_schema: xmlschema.XMLSchema) -> None:
    junit_schema.validate(junit(name))


@pytest.mark.parametrize("name", REPORTS)
def test_junit_counts_what_it_lists(name: str) -> None:
    suite = junit(name)[0]
    assert suite.get("tests") == str(len(suite.findall("testcase")))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert suite.get("skipped", "0") == str(len(suite.findall("testcase/skipped")))


def sarif_run(report: DiffReport, places: Places) -> dict[str, Any]:
    out = io.StringIO()
    render_diff(report, Output.SARIF, out, places=places, base_places=places, color=False)
    run: dict[str, Any] = json.loads(out.getvalue())["runs"][0]
    return run


def test_every_sarif_result_names_a_rule_that_is_described() -> None:
    run = sarif_run(builders.changed(guard=builders.HELD), Places(()))
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [r["ruleId"] for r in run["results"]]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        pytest.param("pools/a b#1.yaml", "pools/a%20b%231.yaml", id="blanks and hashes are encoded"),
        pytest.param("pools/\udcff.yaml", "pools/%FF.yaml", id="octets that are no UTF-8 are encoded as they are"),
        pytest.param("a:b.yaml", "a%3Ab.yaml", id="a colon does not make a scheme"),
    ],
)
def test_a_path_becomes_a_uri_reference(path: str, uri: str) -> None:
    row = builders.service("shop/web", Action.ASSIGN, "", "192.0.2.1", cause=Origin(path, 1, 1))
    run = sarif_run(DiffReport(ConfigRow("r", valid=True), services=(row,)), Places(()))
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
