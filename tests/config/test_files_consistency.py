"""Directories that change while they are read, as the kubelet, git-sync and people change them."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.config import files, tree
from reconciler.config.files import FilesError, SourceSet, read_files

_NAMES = ("a.yaml", "b.yaml", "sub/c.yaml")
# So many swaps have to be seen, within so many seconds.
_SWAPS = 8
_PATIENCE = 30.0


class ConfigMapVolume:
    """A mounted ConfigMap, updated by the steps of the kubelet's atomic writer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._count = 0

    def update(self, text: str) -> None:
        """New directory, new link, rename over `..data`, missing user links, removal of the old directory."""
        data = self.root / "..data"
        old = self.root / data.readlink() if data.is_symlink() else None
        self._count += 1
        new = self.root / f"..2026_01_01_00_00_00.{self._count}"
        for name in _NAMES:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text)
        (self.root / "..data_tmp").symlink_to(new.name)
        (self.root / "..data_tmp").rename(data)
        for name in ("a.yaml", "b.yaml", "sub"):
            if not (self.root / name).is_symlink():
                (self.root / name).symlink_to(f"..data/{name}")
        if old:
            shutil.rmtree(old)


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *identity, "-C", directory, *arguments], check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()


class GitSync:
    """A directory kept by git-sync: one worktree per commit, and a link that is turned to the newest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.link = root / "current"
        git(root, "init", "-q", ".")

    def update(self, text: str) -> None:
        """Commit, check out beside the old worktree, turn the link, remove the old worktree."""
        for name in _NAMES:
            path = self.root / "manifests" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.root, "add", "manifests")
        git(self.root, "commit", "-q", "-m", text, "--allow-empty")
        commit = git(self.root, "rev-parse", "HEAD")
        old = self.link.resolve() if self.link.is_symlink() else None
        git(self.root, "worktree", "add", "-q", "--detach", f".worktrees/{commit}", commit)
        (self.root / "next").symlink_to(f".worktrees/{commit}")
        (self.root / "next").rename(self.link)
        if old:
            git(self.root, "worktree", "remove", "--force", str(old))


@contextmanager
def repeatedly(update: Callable[[str], None], *, pause: float) -> Iterator[None]:
    """Updates in a thread, each with a text of its own, until the block ends."""
    over = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        count = 0
        while not over.wait(pause):
            count += 1
            try:
                update(f"revision: {count}\n")
            except BaseException as failure:  # noqa: BLE001 - raised below, in the thread of the test
                failures.append(failure)
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert failures == []


def contents(found: SourceSet) -> set[bytes]:
    assert found.problems == ()
    assert [file.path for file in found.files] == list(_NAMES)
    return {file.data for file in found.files}


def test_a_mounted_config_map_is_read_under_the_names_people_see(tmp_path: Path) -> None:
    volume = ConfigMapVolume(tmp_path)
    volume.update("revision: 1\n")
    found = read_files([str(tmp_path)])
    assert contents(found) == {b"revision: 1\n"}
    assert str(tmp_path) in found.directories
    before = found.revision
    volume.update("revision: 2\n")
    assert read_files([str(tmp_path)]).revision != before
    volume.update("revision: 1\n")
    assert read_files([str(tmp_path)]).revision == before


def test_config_maps_mounted_below_a_directory_are_read_together(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ConfigMapVolume(tmp_path / name).update(f"{name}\n")
    (tmp_path / "one/own.yaml").write_text("plain\n")
    paths = [file.path for file in read_files([str(tmp_path)]).files]
    assert paths == [f"one/{name}" for name in (*_NAMES[:2], "own.yaml", _NAMES[2])] + [
        f"two/{name}" for name in _NAMES
    ]


def test_a_config_map_that_is_swapped_all_the_time_is_never_mixed(tmp_path: Path) -> None:
    volume = ConfigMapVolume(tmp_path)
    volume.update("revision: 0\n")
    seen: set[bytes] = set()
    deadline = time.monotonic() + _PATIENCE
    with repeatedly(volume.update, pause=0.03):
        while len(seen) < _SWAPS and time.monotonic() < deadline:
            found = contents(read_files([str(tmp_path)]))
            assert len(found) == 1
            seen |= found
    assert len(seen) == _SWAPS


def test_a_git_sync_link_that_is_turned_all_the_time_is_never_mixed(tmp_path: Path) -> None:
    sync = GitSync(tmp_path)
    sync.update("revision: 0\n")
    seen: set[bytes] = set()
    deadline = time.monotonic() + _PATIENCE
    with repeatedly(sync.update, pause=0.03):
        while len(seen) < _SWAPS and time.monotonic() < deadline:
            found = read_files([str(sync.link / "manifests")])
            (text,) = contents(found)
            assert git(tmp_path, "show", "-s", "--format=%s", found.revision) == text.decode().strip()
            seen.add(text)
    assert len(seen) == _SWAPS


def test_a_git_sync_directory_is_watched_where_its_link_is(tmp_path: Path) -> None:
    sync = GitSync(tmp_path)
    sync.update("revision: 0\n")
    for path in (sync.link, sync.link / "manifests"):
        assert str(tmp_path) in read_files([str(path)]).directories


@pytest.fixture
def without_a_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that changed a moment ago are taken as if they had been there for long."""
    monkeypatch.setattr(files, "_CLOCK_TICK", -1.0)


def once(action: Callable[[], None], function: Callable[..., object], at: int = 2) -> Callable[..., object]:
    """The function, after an action that takes place at one of its calls, counted from 1."""
    calls = 0

    def called(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at:
            action()
        return function(*arguments)

    return called


@pytest.mark.usefixtures("without_a_second_look")
@pytest.mark.parametrize("step", ["_read", "_entries", "_take", "_walk"])
def test_a_config_map_swapped_at_any_step_is_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    volume = ConfigMapVolume(tmp_path)
    volume.update("old\n")
    monkeypatch.setattr(tree, step, once(lambda: volume.update("new\n"), getattr(tree, step)))
    assert contents(read_files([str(tmp_path)])) == {b"new\n"}


@pytest.mark.usefixtures("without_a_second_look")
def test_a_config_map_that_is_half_deleted_is_not_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = ConfigMapVolume(tmp_path)
    volume.update("old\n")
    old = (tmp_path / "..data").resolve()

    def delete_half() -> None:
        shutil.copytree(old, tmp_path / "..kept")
        volume.update("new\n")
        (tmp_path / "..kept").rename(old)
        (old / "b.yaml").unlink()

    monkeypatch.setattr(tree, "_entries", once(delete_half, tree._entries))
    assert contents(read_files([str(tmp_path)])) == {b"new\n"}


@pytest.mark.usefixtures("without_a_second_look")
@pytest.mark.parametrize("step", ["_read", "_entries", "_take", "_walk"])
def test_a_plain_directory_changed_at_any_step_is_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def write(text: str) -> None:
        for name in _NAMES:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)

    write("old\n")
    # Another size, as two writes may come within one tick of the clock.
    monkeypatch.setattr(tree, step, once(lambda: write("newer\n"), getattr(tree, step)))
    assert contents(read_files([str(tmp_path)])) == {b"newer\n"}


@pytest.mark.parametrize("at", [2, 5], ids=["in the first look", "in the second look"])
def test_a_write_within_one_tick_of_the_clock_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    for name in _NAMES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old\n")
    recently = time.time_ns()
    # A file system whose clock stands still.
    monkeypatch.setattr(tree, "_signature", lambda info: (info.st_dev, info.st_ino, 0, info.st_size, recently))

    def write() -> None:
        for name in _NAMES:
            (tmp_path / name).write_text("new\n")

    monkeypatch.setattr(tree, "_read", once(write, tree._read, at))
    monkeypatch.setattr(files, "_CLOCK_TICK", 0.5)
    assert contents(read_files([str(tmp_path)])) == {b"new\n"}


@pytest.mark.parametrize("name", ["", "a.yaml"], ids=["a directory", "a file"])
def test_what_never_holds_still_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "a.yaml").write_text("0")
    read_all = tree._read_all

    def meddled(*arguments: list[tree._Entry]) -> object:
        found = read_all(*arguments)
        (tmp_path / "a.yaml").write_text(f"{time.monotonic_ns()}")
        return found

    monkeypatch.setattr(tree, "_read_all", meddled)
    monkeypatch.setattr(files, "_PAUSE", 0.0)
    with pytest.raises(FilesError, match="keeps changing"):
        read_files([str(tmp_path / name)])


def test_a_link_that_is_missing_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.yaml").write_text("a\n")
    link = tmp_path / "link"
    thread = threading.Timer(0.005, lambda: link.symlink_to("real"))
    thread.start()
    try:
        assert [file.path for file in read_files([str(link)]).files] == ["a.yaml"]
    finally:
        thread.join()
