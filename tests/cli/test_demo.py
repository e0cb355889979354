"""
`demo` shows what it says, and leaves nothing behind. The expected text is rewritten as in test_outputs.py.

Here is the part that needs no root; the other is in test_demo_live.py.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reconciler.cli import demo, demo_live, demo_router
from tests.cli.conftest import Run
from tests.cli.test_outputs import EXPECTED, REWRITE


def test_the_whole_demo(reconciler: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("RECONCILER_LB_CLASS", "must-not-matter")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.setattr(demo_live, "why_not", lambda: "network namespaces need root")
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
    story = (
        "valid: ",
        "+ shop/reviews",
        "fix",
        "No changes",
        "~ shop/web",
        "HELD",
        "approvedPlan",
        "Approved",
        "Left out: ",
    )
    positions = [text.index(part) for part in story]
    assert positions == sorted(positions)
    assert [int(line[len("[exit status ") : -1]) for line in text.splitlines() if line.startswith("[exit")] == [1, 3, 1]


def test_the_demo_ends_where_nobody_reads_on(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "reconciler", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as demonstration:
        assert demonstration.stdout is not None
        assert demonstration.stderr is not None
        demonstration.stdout.close()
        assert demonstration.stderr.read() == b""
        assert demonstration.wait() == 128 + signal.SIGPIPE
    assert list(tmp_path.iterdir()) == []


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


def test_a_machine_that_makes_no_network_is_no_failure(
    reconciler: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root of a container that has not got the rights of root."""
    (tmp_path / "ip").write_text("#!/bin/sh\necho mount --make-shared /run/netns failed >&2\nexit 1\n")
    (tmp_path / "ip").chmod(0o755)
    monkeypatch.setattr(demo_live, "why_not", lambda: None)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    status, out, err = reconciler("demo")
    assert (status, err) == (0, "")
    (line,) = (line for line in out.splitlines() if "Left out" in line)
    assert "mount --make-shared /run/netns failed" in line
    assert "speaker --config" not in out


def test_a_network_needs_root_and_iproute2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo_live.why_not() == "the command ip is missing"
    for command in ("ip", "sysctl"):
        (tmp_path / command).touch(mode=0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert demo_live.why_not() == "network namespaces need root"


def test_a_router_needs_bird(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo_router.why_no_router() == "the command bird is missing (package bird2)"
    for command in ("bird", "birdc"):
        (tmp_path / command).touch(mode=0o755)
    assert demo_router.why_no_router() is None
