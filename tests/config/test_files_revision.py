import hashlib
import subprocess
from pathlib import Path

import pytest

from reconciler.config import revision
from reconciler.config.files import read_files


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *identity, "-C", directory, *arguments], check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()


@pytest.fixture(params=["sha1", "sha256"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A repository with one commit: `config/` with two files, and a file of no interest."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", f"--object-format={request.param}", ".")
    for path in ("config/a.yaml", "config/sub/b.json", "config/README", "outside.yaml"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{path}\n")
    (root / ".gitignore").write_text("ignored.yaml\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def revision_of(path: Path) -> str:
    return read_files([str(path)]).revision


def is_digest(text: str) -> bool:
    return text.startswith("sha256:") and len(text) == len("sha256:") + 64


def test_a_clean_checkout_is_named_by_its_commit(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert revision_of(checkout) == commit
    assert revision_of(checkout / "config") == commit
    assert revision_of(checkout / "config/a.yaml") == commit


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("config/README", "changed\n", id="a file that is not read"),
        pytest.param("outside.yaml", "changed\n", id="a file outside of the directory"),
        pytest.param("config/.hidden.yaml", "a: b\n", id="a hidden file"),
    ],
)
def test_a_change_that_is_not_read_keeps_the_commit(checkout: Path, path: str, text: str) -> None:
    (checkout / path).write_text(text)
    assert revision_of(checkout / "config") == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("config/a.yaml", "changed\n", id="a changed file"),
        pytest.param("config/a.yaml", None, id="a missing file"),
        pytest.param("config/new.yaml", "a: b\n", id="an untracked file"),
        pytest.param("config/ignored.yaml", "a: b\n", id="an ignored file"),
    ],
)
def test_any_other_change_is_named_by_a_digest(checkout: Path, path: str, text: str | None) -> None:
    if text is None:
        (checkout / path).unlink()
    else:
        (checkout / path).write_text(text)
    assert is_digest(revision_of(checkout / "config"))


def test_what_is_staged_and_not_committed_has_no_commit(checkout: Path) -> None:
    (checkout / "config/a.yaml").write_text("changed\n")
    git(checkout, "add", ".")
    assert is_digest(revision_of(checkout / "config"))


def test_a_file_that_git_is_told_to_overlook_has_no_commit(checkout: Path) -> None:
    git(checkout, "update-index", "--assume-unchanged", "config/a.yaml")
    (checkout / "config/a.yaml").write_text("changed\n")
    assert git(checkout, "status", "--porcelain") == ""
    assert is_digest(revision_of(checkout / "config"))


def test_a_link_out_of_the_directory_has_no_commit(checkout: Path) -> None:
    (checkout / "config/link.yaml").symlink_to("../outside.yaml")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "link")
    assert is_digest(revision_of(checkout / "config"))


def test_a_submodule_has_no_commit_of_the_outer_repository(checkout: Path) -> None:
    inner = checkout / "config/inner"
    inner.mkdir()
    git(inner, "init", "-q", ".")
    (inner / "c.yaml").write_text("c\n")
    git(inner, "add", ".")
    git(inner, "commit", "-q", "-m", "inner")
    assert is_digest(revision_of(checkout / "config"))


def test_the_configuration_of_a_repository_runs_nothing(checkout: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.hooksPath", "diff.external", "core.editor"):
        git(checkout, "config", key, str(trap))
    assert revision_of(checkout / "config") == git(checkout, "rev-parse", "HEAD")
    assert not (tmp_path / "sprung").exists()


def test_variables_of_a_git_hook_do_not_lead_elsewhere(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert len(revision_of(checkout / "config")) in {40, 64}


@pytest.mark.parametrize("stand_in", ["exit 1", "sleep 60", "echo nonsense", "kill -9 $$", "printf '\\377'"])
def test_a_git_that_fails_is_as_good_as_none(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: str
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(f"#!/bin/sh\n{stand_in.replace('sleep', 'exec /bin/sleep')}\n")
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(revision, "_TIMEOUT", 0.5)
    assert is_digest(revision_of(checkout / "config"))


def test_without_git_there_is_a_digest(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert is_digest(revision_of(checkout))


def test_the_name_of_a_worktree_is_believed_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    git(checkout, "worktree", "add", "-q", "--detach", f".worktrees/{commit}", commit)
    (checkout / "current").symlink_to(f".worktrees/{commit}")
    monkeypatch.setenv("PATH", "/nowhere")
    assert revision_of(checkout / "current") == commit
    assert revision_of(checkout / "current/config") == commit
    # Nobody promises that this one is never touched again.
    assert is_digest(revision_of(checkout / ".worktrees" / commit))


def test_a_directory_that_only_looks_like_a_commit_is_not_one(tmp_path: Path) -> None:
    (tmp_path / ("0" * 40)).mkdir()
    (tmp_path / ("0" * 40) / "a.yaml").write_text("a\n")
    (tmp_path / "link").symlink_to("0" * 40)
    assert is_digest(revision_of(tmp_path / "link"))


def test_several_paths_are_named_by_a_digest(checkout: Path) -> None:
    assert is_digest(read_files([str(checkout / "config"), str(checkout / "outside.yaml")]).revision)


def test_a_digest_covers_paths_and_contents_and_nothing_else(tmp_path: Path) -> None:
    for root in ("one", "two"):
        (tmp_path / root).mkdir()
        for name in ("a.yaml", "b.yaml")[:: 1 if root == "one" else -1]:
            (tmp_path / root / name).write_text(name)
    (tmp_path / "two/other.txt").write_text("x")
    expected = hashlib.sha256()
    for name in ("a.yaml", "b.yaml"):
        expected.update(f"{name}\0{hashlib.sha256(name.encode()).hexdigest()}\n".encode())
    assert revision_of(tmp_path / "one") == revision_of(tmp_path / "two") == f"sha256:{expected.hexdigest()}"
    (tmp_path / "two/b.yaml").rename(tmp_path / "two/c.yaml")
    assert revision_of(tmp_path / "one") != revision_of(tmp_path / "two")
