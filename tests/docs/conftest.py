"""The site, built once; and what the commands of the pages meet: an API server, kubectl, a browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kustomize.conftest import cluster, kubectl_program
from tests.page.conftest import browser

# Fixtures of others.
__all__ = ["browser", "cluster", "kubectl_program", "site"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the site, built as `make docs` does it: any warning is an error."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", "docs/site/mkdocs.yml"]
    finished = subprocess.run(
        [*command, "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return target
