"""The hook in .pre-commit-hooks.yaml, run by pre-commit itself, but with what is installed here already."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cli.conftest import EXAMPLES
from tests.gitops.repository import Repository

MANIFEST = EXAMPLES.parent / ".pre-commit-hooks.yaml"


@pytest.fixture(scope="module", autouse=True)
def _pre_commit() -> None:
    if shutil.which("pre-commit", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("pre-commit is not installed")
        pytest.skip("pre-commit is not installed")


def hook() -> dict[str, Any]:
    (found,) = YAML(typ="safe").load(MANIFEST)
    return dict(found)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """One that uses the hook as its manifest says, except that nothing is downloaded for it."""
    made = Repository(tmp_path)
    local = {**hook(), "language": "system", "args": ["config"]}
    config = {"repos": [{"repo": "local", "hooks": [local]}]}
    YAML(typ="safe").dump(config, made.folder / ".pre-commit-config.yaml")
    made.push("The hook")
    return made


def run(repository: Repository, command: str) -> tuple[int, str]:
    environment = {"PRE_COMMIT_HOME": str(repository.temporary), "PRE_COMMIT_COLOR": "never"}
    done = repository.run(["bash", "-c"], command, environment)
    return done.returncode, done.stdout + done.stderr


def test_pre_commit_takes_the_manifest(repository: Repository) -> None:
    assert run(repository, f"pre-commit validate-manifest {MANIFEST}") == (0, "")


def test_a_commit_that_breaks_the_configuration_is_refused(repository: Repository) -> None:
    status, said = run(repository, "pre-commit install && git checkout --quiet -b change")
    assert status == 0, said
    pools = repository.folder / "config" / "pools.yaml"
    good = pools.read_text()
    pools.write_text(good.replace("autoAssign", "autoAsign"))
    status, said = run(repository, "git commit --quiet --all --message broken")
    assert status == 1
    assert "validate the load-balancer configuration" in said
    line = 1 + good.splitlines().index("  autoAssign: false")
    assert f"config/pools.yaml:{line}:3: error[unknown-field]" in said
    pools.write_text(good.replace("198.51.100.0/27", "198.51.100.0/26"))
    assert run(repository, "git commit --quiet --all --message good")[0] == 0


def test_a_commit_that_touches_none_of_it_is_not_delayed(repository: Repository) -> None:
    (repository.folder / "notes.txt").write_text("x")
    status, said = run(repository, "git add notes.txt && pre-commit run")
    assert status == 0
    assert "(no files to check)" in said
