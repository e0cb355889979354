"""Every alert fires when it should, is silent when it should be, and leads to a section that says what to do."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.cases import CASES, Fires, Silent
from tests.monitoring.exposition import TARGET_LABELS, exposed, missing
from tests.monitoring.expressions import asked_by
from tests.monitoring.manifests import ROOT, groups, rules
from tests.routers.router import need


def asked_of_promtool(case: Fires | Silent) -> dict[str, Any]:
    """The case as one of promtool's, with the minute before it fires for the first time."""
    rule = rules()[case.alert]
    expected: list[dict[str, Any]] = []
    times: list[tuple[int, list[dict[str, Any]]]]
    if isinstance(case, Fires):
        annotations = {**rule["annotations"], "summary": case.summary}
        expected = [{"exp_labels": {**case.labels, **rule["labels"]}, "exp_annotations": annotations}]
        times = [(case.at, expected), *([(case.at - 1, [])] if case.at else [])]
    else:
        times = [(at, []) for at in case.at]
    return {
        "interval": "1m",
        "name": case.alert,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": f"{at}m", "alertname": case.alert, "exp_alerts": alerts} for at, alerts in times
        ],
    }


def test_promtool_agrees_with_every_case(tmp_path: Path) -> None:
    need("prometheus", "promtool")
    # Whatever is JSON is YAML.
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": groups()}))
    tests = tmp_path / "tests.yaml"
    tests.write_text(json.dumps({"rule_files": ["rules.yaml"], "tests": [asked_of_promtool(case) for case in CASES]}))
    done = subprocess.run(["promtool", "test", "rules", tests], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("alert", rules())
def test_every_alert_has_a_case_where_it_fires_and_one_where_it_does_not(alert: str) -> None:
    assert {type(case) for case in CASES if case.alert == alert} == {Fires, Silent}


@pytest.mark.parametrize("alert", rules())
def test_it_asks_for_nothing_that_the_program_does_not_expose(alert: str) -> None:
    asked = asked_by(rules()[alert]["expr"])
    assert asked.selectors
    assert [wrong for selector in asked.selectors for wrong in missing(selector)] == []
    labels = {label for metric in asked.metrics for label in exposed()[metric]}
    assert asked.grouped_by <= labels | TARGET_LABELS


@pytest.mark.parametrize("alert", rules())
def test_it_says_how_bad_it_is_what_it_means_and_where_to_read_on(alert: str) -> None:
    rule = rules()[alert]
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_the_documentation_lists_every_alert_with_its_severity_and_patience() -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\(#(\w+)\) \| (\w+) \| ([^|]*) \| \S",
        (ROOT / "docs/monitoring.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert rows == [
        (alert, alert.lower(), rule["labels"]["severity"], rule.get("for", "")) for alert, rule in rules().items()
    ]


@pytest.mark.parametrize(
    ("expression", "metrics", "labels"),
    [
        pytest.param("sum by (a) (m) > 1", {"m"}, {"a"}, id="an aggregation"),
        pytest.param("sum(rate(m[5m])) by (a)", {"m"}, {"a"}, id="labels behind it"),
        pytest.param('m{x="by (n)"} and on (b) k', {"m", "k"}, {"b"}, id="words in a text"),
        pytest.param("max without (a) (m) or absent(n) == bool 1e3", {"m", "n"}, {"a"}, id="functions and numbers"),
    ],
)
def test_an_expression_is_read_as_prometheus_does(expression: str, metrics: set[str], labels: set[str]) -> None:
    asked = asked_by(expression)
    assert (asked.metrics, set(asked.grouped_by)) == (metrics, labels)


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("lb_reconciler_nothing", ["no metric lb_reconciler_nothing"]),
        ('lb_reconciler_members{status="alive"}', ["lb_reconciler_members has no label status"]),
        ('lb_reconciler_members{state=~"alive|gone"}', ["lb_reconciler_members has no state=gone"]),
        ('lb_reconciler_ready{node="a"}', []),
    ],
)
def test_what_is_not_exposed_is_noticed(expression: str, wrong: list[str]) -> None:
    assert [found for selector in asked_by(expression).selectors for found in missing(selector)] == wrong
