"""The JSON that scripts parse: keys, types and order, which may only grow."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.cli.json_stream import encode
from reconciler.cli.options import Output
from reconciler.cli.report import AnnouncementRow, ConfigRow, DiffReport, ProblemRow, ValidateReport
from reconciler.model.origin import Severity
from reconciler.plan.announcements import Change
from tests.cli.test_outputs import REPORTS, printed

SCHEMA = json.loads((Path(__file__).parent / "diff.schema.json").read_text())
SUMMARY = {"assign": 0, "keep": 0, "change": 0, "clear": 0, "refuse": 0, "ignore": 0, "announce": 0, "withdraw": 0}

# As in the document that was promised first; what was added since is in diff.schema.json.
FIRST_KEYS = {
    "": {"formatVersion", "config", "services", "announcements", "pools", "events", "guard", "summary"},
    "services": {"service", "action", "before", "after", "pool", "reason", "message", "cause"},
    "announcements": {
        *("change", "protocol", "node", "service", "address", "interfaces", "prefix", "peer", "localPref"),
        "communities",
    },
    "pools": {"pool", "assignedIPv4", "availableIPv4", "assignedIPv6", "availableIPv6"},
    "events": {"service", "type", "reason", "message"},
}


@pytest.mark.parametrize("name", [name for name in REPORTS if name.startswith("diff-") and name != "diff-hostile"])
def test_the_document_of_diff_has_every_key_and_no_other(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(printed(REPORTS[name](), Output.JSON)))


def test_hostile_text_leaves_valid_json() -> None:
    assert json.loads(printed(REPORTS["diff-hostile"](), Output.JSON))["services"][0]["service"].startswith("x\x1b")


@pytest.mark.parametrize("name", [name for name in REPORTS if name.startswith("validate-")])
def test_the_document_of_validate_is_the_head_of_that_of_diff(name: str) -> None:
    document = json.loads(printed(REPORTS[name](), Output.JSON))
    assert list(document) == ["formatVersion", "config"]
    jsonschema.Draft202012Validator({**SCHEMA["$defs"]["config"], "$defs": SCHEMA["$defs"]}).validate(
        document["config"]
    )


def test_no_key_of_the_first_version_was_lost() -> None:
    document = json.loads(printed(REPORTS["diff-changes"](), Output.JSON))
    assert document.keys() >= FIRST_KEYS[""]
    for key in ("services", "announcements", "pools", "events"):
        assert all(row.keys() >= FIRST_KEYS[key] for row in document[key])
    assert document["guard"].keys() >= {"held", "reason"}
    assert document["summary"].keys() >= SUMMARY.keys()


def test_a_bad_configuration_leaves_the_lists_empty() -> None:
    document = json.loads(printed(REPORTS["diff-invalid"](), Output.JSON))
    lists = [document[key] for key in ("services", "announcements", "pools", "events")]
    assert (lists, document["summary"], document["guard"]["held"]) == ([[], [], [], []], SUMMARY, False)


def test_announcements_are_written_as_they_come() -> None:
    written: list[int] = []

    class Sink:
        def write(self, text: str) -> None:
            written.append(len(text))

    def rows() -> Iterator[AnnouncementRow]:
        for number in range(5000):
            yield AnnouncementRow(
                change=Change.KEEP, protocol="l2", node="n", service="a/b", address=f"10.0.{number >> 8}.{number & 255}"
            )
            seen_by_sink.append(sum(written))

    seen_by_sink: list[int] = []
    from reconciler.cli.json_stream import write_diff

    sink: Any = Sink()
    write_diff(DiffReport(ConfigRow("r", valid=True), announcements=rows()), sink)
    assert seen_by_sink[-1] > 0.8 * sum(written)


def test_a_file_name_that_is_no_unicode_is_escaped() -> None:
    problem = ProblemRow("\udcff.yaml", 1, 1, Severity.ERROR, "field-type", "bad")
    report = ValidateReport(ConfigRow("r", valid=False, problems=(problem,)))
    assert '"path":"\\udcff.yaml"' in printed(report, Output.JSON)


def test_numbers_beyond_64_bits_are_written_in_full() -> None:
    assert encode(1 << 80) == str(1 << 80)
