"""`demo` shows what it says, and leaves nothing behind. The expected text is rewritten as in test_outputs.py."""

import os
import tempfile
from pathlib import Path

import pytest

from reconciler.cli import demo
from tests.cli.conftest import Run
from tests.cli.test_outputs import EXPECTED, REWRITE


def test_the_whole_demo(reconciler: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("RECONCILER_LB_CLASS", "must-not-matter")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    here = Path.cwd()
    status, out, err = reconciler("demo")
    if os.environ.get(REWRITE):
        (EXPECTED / "demo.txt").write_text(out, encoding="utf-8")
    assert (status, err) == (0, "")
    assert out == (EXPECTED / "demo.txt").read_text(encoding="utf-8")
    assert (Path.cwd(), os.environ["RECONCILER_LB_CLASS"]) == (here, "must-not-matter")
    assert list(tmp_path.iterdir()) == []


def test_the_demo_tells_the_whole_story() -> None:
    text = (EXPECTED / "demo.txt").read_text(encoding="utf-8")
    story = ("valid: ", "+ shop/reviews", "fix", "No changes", "~ shop/web", "HELD", "approvedPlan", "Approved")
    positions = [text.index(part) for part in story]
    assert positions == sorted(positions)
    assert [int(line[len("[exit status ") : -1]) for line in text.splitlines() if line.startswith("[exit")] == [1, 3, 1]


def test_examples_that_changed_are_said_to_have(
    reconciler: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "teams").mkdir()
    (tmp_path / "demo-cluster").mkdir()
    (tmp_path / "teams/pools.yaml").write_text("")
    monkeypatch.setattr(demo, "examples", lambda: tmp_path)
    status, _, err = reconciler("demo")
    assert status == 2
    assert "example" in err
