"""Every scenario in config-examples is valid, and does to its cluster what is written down here."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import EXAMPLES, Run

EXPECTED = Path(__file__).parent / "expected"
REWRITE = "RECONCILER_REWRITE_EXPECTED"
# Each with the cluster that it is compared with.
SCENARIOS = {
    "bgp-two-racks": "clusters/bgp-two-racks.yaml",
    "bgp-two-tor": "clusters/bgp-two-tor.yaml",
    "dual-stack": "clusters/dual-stack.yaml",
    "l2-homelab": "clusters/l2-homelab.yaml",
    "teams": "demo-cluster",
}
# What is no scenario: pieces of others, single documents, and one that `import` makes, which has tests of its own.
OTHERS = {"ci", "clusters", "demo-cluster", "kinds", "migration"}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)


def test_every_directory_is_looked_at() -> None:
    found = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert found == SCENARIOS.keys() | OTHERS


def test_every_cluster_belongs_to_a_scenario() -> None:
    found = {f"clusters/{path.name}" for path in (EXAMPLES / "clusters").iterdir()}
    assert found == {cluster for cluster in SCENARIOS.values() if cluster.startswith("clusters/")}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_valid(reconciler: Run, name: str) -> None:
    status, out, err = reconciler(f"validate --strict --output json {name}")
    assert (status, err) == (0, "")
    assert json.loads(out)["config"]["problems"] == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_scenario_does_to_its_cluster(reconciler: Run, name: str) -> None:
    _, shown, err = reconciler(f"diff --config {name} --cluster dir:{SCENARIOS[name]} --output markdown")
    assert err == ""
    path = EXPECTED / f"{name}.md"
    if os.environ.get(REWRITE):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - {"teams"}))
def test_a_scenario_serves_everybody_in_its_cluster_and_takes_nothing_away(reconciler: Run, name: str) -> None:
    status, out, _ = reconciler(f"diff --config {name} --cluster dir:{SCENARIOS[name]} --output json")
    found = json.loads(out)
    assert status == 1
    assert [row["service"] for row in found["services"] if not row["after"]] == []
    assert all(set(row["before"]) <= set(row["after"]) for row in found["services"])
    assert {row["service"] for row in found["announcements"]} == {row["service"] for row in found["services"]}


@pytest.mark.parametrize("path", sorted((EXAMPLES / "kinds").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_file_of_one_kind_can_be_read_by_itself(reconciler: Run, path: Path) -> None:
    status, out, _ = reconciler(f"validate --output json {path}")
    problems = json.loads(out)["config"]["problems"]
    # What it names is in another file.
    assert {problem["code"] for problem in problems} <= {
        "advertisement-without-peers",
        "invalid-community",
        "pool-not-advertised",
        "unknown-bfd-profile",
        "unknown-peer-name",
        "unknown-pool-name",
    }, problems
    assert status in {0, 1}


def test_the_files_of_all_kinds_together_can_be_compared(reconciler: Run) -> None:
    status, out, _ = reconciler("diff --config kinds --cluster dir:demo-cluster --output json")
    assert status in {1, 3}
    assert json.loads(out)["config"]["valid"] is True
