"""Copies of the bundled examples to work on, and the command line to work with."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run

EXAMPLES = Path(__file__).parents[2] / "config-examples"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with config/ and cluster/."""
    shutil.copytree(EXAMPLES / "teams", tmp_path / "config")
    shutil.copytree(EXAMPLES / "demo-cluster", tmp_path / "cluster")
    monkeypatch.chdir(tmp_path)
    for variable in ("RECONCILER_CONFIG", "RECONCILER_CLUSTER", "RECONCILER_NAMESPACE", "RECONCILER_LB_CLASS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return tmp_path


@pytest.fixture
def reconciler(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line, given as one text; returns exit status, standard output and standard error."""

    def run_line(line: str) -> tuple[int, str, str]:
        status = run(line.split())
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_line


@pytest.fixture
def diff(work: Path, reconciler: Run) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run `diff` on the working directory; returns exit status and document."""
    assert work.is_dir()

    def run_diff(more: str = "", config: str = "config") -> tuple[int, dict[str, Any]]:
        status, out, err = reconciler(f"diff --config {config} --cluster dir:cluster --output json {more}")
        assert err == ""
        return status, json.loads(out)

    return run_diff
