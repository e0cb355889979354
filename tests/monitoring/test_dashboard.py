"""The dashboard shows what exists, where it fits, and can be pointed at any data source and installation."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.exposition import TARGET_LABELS, exposed, missing
from tests.monitoring.expressions import asked_by
from tests.monitoring.manifests import ROOT, dashboard, read, rules
from tests.routers.router import need

PANELS: list[dict[str, Any]] = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [pytest.param(target["expr"], id=f"{title}, {target['refId']}") for title, target in QUERIES]
# What Grafana puts in before it asks.
VARIABLES = {"$namespace": ".*", "$job": ".*", "$__rate_interval": "5m"}


def asked_of_prometheus(expression: str) -> str:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_panel_asks_for_nothing_that_the_program_does_not_expose(expression: str) -> None:
    asked = asked_by(asked_of_prometheus(expression))
    assert asked.selectors
    # A parameter of `histogram_quantile` is no label; those of the targets and of the metrics are.
    assert [wrong for selector in asked.selectors for wrong in missing(selector)] == []
    labels = {label for metric in asked.metrics for label in exposed()[metric]}
    assert asked.grouped_by <= labels | TARGET_LABELS


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_is_that_of_the_chosen_installation(expression: str) -> None:
    for selector in asked_by(expression).selectors:
        assert ("namespace", "=~", "$namespace") in selector.matchers
        assert ("job", "=~", "$job") in selector.matchers


def test_prometheus_accepts_every_expression(tmp_path: Path) -> None:
    need("prometheus", "promtool")
    records = [
        {"record": f"panel:{number}", "expr": asked_of_prometheus(target["expr"])}
        for number, (_, target) in enumerate(QUERIES)
    ]
    rules = tmp_path / "rules.yaml"
    rules.write_text(json.dumps({"groups": [{"name": "panels", "rules": records}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", rules], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("title", "target"), QUERIES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_legend_names_labels_that_its_series_keep(title: str, target: dict[str, str]) -> None:
    asked = asked_by(asked_of_prometheus(target["expr"]))
    kept = asked.grouped_by | ({label for metric in asked.metrics for label in exposed()[metric]} | TARGET_LABELS)
    if re.match(r"(sum|max|min|count|histogram_quantile)\b", target["expr"]):
        kept = asked.grouped_by - {"le"}
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, title


def test_the_variables_are_a_data_source_and_what_tells_installations_apart() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "job"]
    assert variables["datasource"]["type"] == "datasource"
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    for name in ("namespace", "job"):
        found = re.fullmatch(r"label_values\((\w+)(?:{.*})?, (\w+)\)", variables[name]["definition"])
        assert found
        assert found[1] in exposed()
        assert found[2] == name


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    numbers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(numbers) == len(set(numbers))


def test_it_shows_everything_that_one_would_look_for() -> None:
    shown = {metric for _, target in QUERIES for metric in asked_by(asked_of_prometheus(target["expr"])).metrics}
    alerted = {metric for rule in rules().values() for metric in asked_by(rule["expr"]).metrics}
    # Those are for the alert alone; a panel with them would be empty on every good day.
    assert alerted - shown == {
        "lb_reconciler_bgp_session_problem",
        "lb_reconciler_cluster_synced",
        "metallb_k8s_client_config_loaded_bool",
    }
    assert {"lb_reconciler_announced_addresses", "lb_reconciler_handover_duration_seconds_bucket"} <= shown


def test_grafana_finds_it_and_prometheus_finds_the_pods() -> None:
    kustomization = read("kustomization.yaml")
    (generated,) = kustomization["configMapGenerator"]
    assert generated["files"] == ["lb-reconciler.json"]
    assert kustomization["generatorOptions"]["labels"]["grafana_dashboard"] == "1"
    monitor = read("pod-monitor.yaml")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["relabelings"][0]["targetLabel"] == "node"
    for manifest in ("base/controller.yaml", "components/speaker-http/kustomization.yaml"):
        assert f"name: {endpoint['port']}\n" in (ROOT / "kustomize" / manifest).read_text("utf-8")
    for manifest in ("base/controller.yaml", "base/speaker.yaml"):
        text = (ROOT / "kustomize" / manifest).read_text("utf-8")
        assert f"{monitor['jobLabel']}: {monitor['selector']['matchLabels'][monitor['jobLabel']]}" in text
