"""The session in the README is what the commands print today."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_README = ROOT / "README.md"
_SESSION = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A prompt, the lines typed at it, and what was printed until the next prompt.
_STEP = re.compile(r"^\$ (?P<typed>(?:.*\\\n)*.*)\n(?P<printed>(?:(?!\$ ).*\n)*)", re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the session needs of a checkout."""
    shutil.copytree(ROOT / "config-examples", tmp_path / "config-examples")
    return tmp_path


def test_the_session_is_true(checkout: Path) -> None:
    steps = [step for session in _SESSION.findall(_README.read_text("utf-8")) for step in _STEP.finditer(session)]
    assert steps
    for step in steps:
        assert _run(step["typed"], checkout) == step["printed"], step["typed"]


def _run(typed: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    # The exit status is part of the session where it is shown with echo; a diff that finds changes is no failure.
    finished = subprocess.run(
        ["bash", "-c", typed], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    return finished.stdout
