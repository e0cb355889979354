"""Paths in reports lead to the files that were read."""

from pathlib import Path

import pytest

from reconciler.cli.options import Output
from reconciler.cli.places import Places, code_root


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "repo/a/pools").mkdir(parents=True)
    (tmp_path / "repo/b").mkdir()
    (tmp_path / "repo/a/pools/gold.yaml").touch()
    (tmp_path / "repo/b/peers.yaml").touch()
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path


@pytest.mark.parametrize(
    ("configs", "path", "expected"),
    [
        pytest.param(["a"], "pools/gold.yaml", "a/pools/gold.yaml", id="in front comes the directory as it was named"),
        pytest.param(["./a/"], "pools/gold.yaml", "a/pools/gold.yaml", id="in its shortest form"),
        pytest.param(["a", "b"], "peers.yaml", "b/peers.yaml", id="of several directories the one that has the file"),
        pytest.param(["b/peers.yaml"], "peers.yaml", "b/peers.yaml", id="a file that was named itself"),
        pytest.param(["-"], "<stdin>", "<stdin>", id="standard input is no file"),
        pytest.param(["../repo/a"], "pools/gold.yaml", "../repo/a/pools/gold.yaml", id="above the working directory"),
    ],
)
@pytest.mark.usefixtures("tree")
def test_find(configs: list[str], path: str, expected: str) -> None:
    assert Places(configs).find(path) == expected


def test_with_a_root_paths_start_there(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "repo/a")
    found = Places([str(tree / "repo/a/pools"), "../b"], root=str(tree / "repo"))
    assert (found.find("gold.yaml"), found.find("peers.yaml")) == ("a/pools/gold.yaml", "b/peers.yaml")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(Output.GITHUB, "/checkout", id="annotations start at the checkout"),
        pytest.param(Output.SARIF, "/checkout", id="so does code scanning"),
        pytest.param(Output.TEXT, None, id="people start where they are"),
    ],
)
def test_the_root_in_a_workflow(output: Output, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", "/checkout")
    assert code_root(output) == expected
