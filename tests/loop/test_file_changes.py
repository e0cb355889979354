"""Every way in which files are replaced, on the real file system, many times in a row: the first is always seen."""

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from reconciler.config.files import FilesError, read_files
from reconciler.loop.file_changes import FileChanges

_PATIENCE = 30.0
_NEVER = 3600.0
_ROUNDS = 6


class Follower:
    """A role that reads the files when it is told to, and watches what it has read."""

    def __init__(self, *paths: Path, look_again: float) -> None:
        self._paths = [str(path) for path in paths]
        self.changes = FileChanges(self._paths, look_again=look_again)
        self.texts: list[str] = []
        self.reasons: list[str] = []
        self._news = asyncio.Condition()

    async def run(self) -> None:
        await self._read()
        async for reason in self.changes.reasons():
            self.reasons.append(reason)
            await self._read()

    async def _read(self) -> None:
        try:
            sources = await asyncio.to_thread(read_files, self._paths)
        except FilesError:
            self.texts = []
        else:
            self.texts = [file.data.decode() for file in sources.files]
            self.changes.watch(sources.directories)
        async with self._news:
            self._news.notify_all()

    async def sees(self, *texts: str) -> None:
        async with asyncio.timeout(_PATIENCE), self._news:
            await self._news.wait_for(lambda: self.texts == list(texts))

    async def settles(self) -> None:
        """Until whatever was caused by the last change has been told."""
        known = -1
        while known != len(self.reasons):
            known = len(self.reasons)
            await asyncio.sleep(0.3)


@asynccontextmanager
async def following(*paths: Path, look_again: float = _NEVER) -> AsyncIterator[Follower]:
    follower = Follower(*paths, look_again=look_again)
    running = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def flip(link: Path, target: str) -> None:
    new = link.with_name(f"{link.name}_tmp")
    new.symlink_to(target)
    new.rename(link)


class ConfigMapMount:
    """A directory as the kubelet fills it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self._version = 0
        self.write("0")
        (root / "a.yaml").symlink_to("..data/a.yaml")

    def write(self, text: str) -> None:
        old = self.root / f"..{self._version}"
        self._version += 1
        new = self.root / f"..{self._version}"
        new.mkdir()
        (new / "a.yaml").write_text(text)
        flip(self.root / "..data", new.name)
        if old.is_dir():
            shutil.rmtree(old)


class GitSync:
    """A checkout of each commit, and a link to the newest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._old: Path | None = None
        self.write("0")

    @property
    def config(self) -> Path:
        return self.root / "current" / "lb"

    def write(self, text: str) -> None:
        new = self.root / "worktrees" / f"{int(text):040x}"
        (new / "lb").mkdir(parents=True)
        (new / "lb" / "a.yaml").write_text(text)
        flip(self.root / "current", f"worktrees/{new.name}")
        if self._old:
            shutil.rmtree(self._old)
        self._old = new


def renaming_editor(file: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        (file.parent / ".a.yaml.swp").write_text(text)
        (file.parent / ".a.yaml.swp").rename(file)

    return write


def recreating(directory: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        shutil.rmtree(directory)
        directory.mkdir()
        (directory / "a.yaml").write_text(text)

    return write


Layout = tuple[Path, Callable[[str], object]]
"""What to watch, and how the text in it is replaced."""


def mounted_config_map(place: Path) -> Layout:
    mount = ConfigMapMount(place / "mount")
    return mount.root, mount.write


def git_sync(place: Path) -> Layout:
    checkout = GitSync(place)
    return checkout.config, checkout.write


def plain(place: Path) -> Path:
    file = place / "config" / "a.yaml"
    file.parent.mkdir()
    file.write_text("0")
    return file


def editor_that_renames(place: Path) -> Layout:
    file = plain(place)
    return file.parent, renaming_editor(file)


def editor_and_a_single_file(place: Path) -> Layout:
    file = plain(place)
    return file, renaming_editor(file)


def editor_that_writes_in_place(place: Path) -> Layout:
    file = plain(place)
    return file.parent, file.write_text


def directory_made_again(place: Path) -> Layout:
    file = plain(place)
    return file.parent, recreating(file.parent)


def links_to_a_link(place: Path) -> Layout:
    file = plain(place)
    (place / "links").mkdir()
    (place / "links" / "a.yaml").symlink_to(file)
    (place / "current").symlink_to("links")
    return place / "current" / "a.yaml", renaming_editor(file)


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(mounted_config_map, id="a mounted ConfigMap"),
        pytest.param(git_sync, id="a git-sync checkout"),
        pytest.param(editor_that_renames, id="an editor that renames"),
        pytest.param(editor_and_a_single_file, id="an editor that renames a file given by itself"),
        pytest.param(editor_that_writes_in_place, id="an editor that writes in place"),
        pytest.param(directory_made_again, id="a directory that is made again"),
        pytest.param(links_to_a_link, id="a file given by a link to a link"),
    ],
)
async def test_every_change_is_seen_without_looking_again(tmp_path: Path, layout: Callable[[Path], Layout]) -> None:
    watched, write = layout(tmp_path)
    async with following(watched) as follower:
        await follower.sees("0")
        for round_ in range(1, _ROUNDS + 1):
            await asyncio.to_thread(write, str(round_))
            await follower.sees(str(round_))


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(mounted_config_map, id="a mounted ConfigMap"),
        pytest.param(git_sync, id="a git-sync checkout"),
        pytest.param(directory_made_again, id="a directory that is made again"),
    ],
)
async def test_the_last_of_many_quick_swaps_is_seen(tmp_path: Path, layout: Callable[[Path], Layout]) -> None:
    watched, write = layout(tmp_path)
    async with following(watched) as follower:
        await follower.sees("0")
        for burst in range(1, 6):
            for swap in range(20):
                await asyncio.to_thread(write, str(100 * burst + swap))
            await follower.sees(str(100 * burst + 19))


async def test_a_path_that_appears_late_bit_by_bit(tmp_path: Path) -> None:
    config = tmp_path / "not" / "yet" / "here"
    async with following(config) as follower:
        await follower.sees()
        for _ in range(3):
            config.parent.mkdir(parents=True)
            await asyncio.sleep(0)
            config.mkdir()
            (config / "a.yaml").write_text("late")
            await follower.sees("late")
            shutil.rmtree(tmp_path / "not")
            await follower.sees()


async def test_a_link_whose_target_appears_late(tmp_path: Path) -> None:
    (tmp_path / "git").mkdir()
    (tmp_path / "current").symlink_to("git/worktrees/abc")
    async with following(tmp_path / "current") as follower:
        await follower.sees()
        (tmp_path / "git/worktrees/abc").mkdir(parents=True)
        (tmp_path / "git/worktrees/abc/a.yaml").write_text("late")
        await follower.sees("late")


async def test_a_directory_that_is_new_is_watched_as_well(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    async with following(tmp_path) as follower:
        await follower.sees("a")
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "b.yaml").write_text("b")
        (tmp_path / "z.yaml").write_text("z")
        await follower.sees("a", "b", "z")
        (tmp_path / "deep" / "b.yaml").write_text("bb")
        await follower.sees("a", "bb", "z")


async def test_two_paths_are_watched_by_one_watch(tmp_path: Path) -> None:
    before = inotify_instances()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.yaml").write_text("0")
    async with following(tmp_path / "one", tmp_path / "two") as follower:
        await follower.sees("0", "0")
        await instances(before + 1)
        (tmp_path / "two" / "two.yaml").write_text("2")
        await follower.sees("0", "2")
        (tmp_path / "one" / "one.yaml").write_text("1")
        await follower.sees("1", "2")
        await instances(before + 1)


async def instances(number: int) -> None:
    async with asyncio.timeout(_PATIENCE):
        while inotify_instances() != number:
            await asyncio.sleep(0.01)


def inotify_instances() -> int:
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found += str(descriptor.readlink()) == "anon_inode:inotify"
        except FileNotFoundError:
            continue
    return found


async def test_reading_and_other_files_are_no_reason(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "a.yaml").write_text("0")
    async with following(config) as follower:
        await follower.sees("0")
        await follower.settles()
        told = len(follower.reasons)
        for name in (".a.yaml.swp", "notes.txt", "b.yaml~", ".git"):
            (config / name).write_text("x")
            (tmp_path / name).write_text("x")
        read_files([str(config)])
        await follower.settles()
        assert len(follower.reasons) == told
        (config / "a.yaml").write_text("1")
        await follower.sees("1")


async def test_a_target_that_nothing_notifies_of_is_found_by_looking_again(tmp_path: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    target = tmp_path / "far" / "away" / "text"
    target.write_text("0")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "a.yaml").symlink_to(target)
    async with following(tmp_path / "config", look_again=0.1) as follower:
        await follower.sees("0")
        for text in ("1", "2", "3"):
            target.write_text(text)
            await follower.sees(text)


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = inotify_instances()
    (tmp_path / "a.yaml").write_text("0")
    async with following(tmp_path) as follower:
        await follower.sees("0")
        await instances(before + 1)
    await instances(before)


def entered(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def in_namespaces(script: str, place: Path, *, limits: str = "") -> subprocess.CompletedProcess[str]:
    """Run a test as the root of its own user and mount namespace, in a process of its own."""
    enter = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or not entered([*enter, "true"]):
        pytest.skip("this machine allows no user namespaces")
    prelude = f"""
        import asyncio, logging, subprocess, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from tests.loop.test_file_changes import following
        logging.basicConfig(format="%(levelname)s %(message)s")
        place = Path({str(place)!r})
    """
    code = textwrap.dedent(prelude) + textwrap.dedent(script)
    command = f'{limits}\nexec "$0" -W error -c "$1"'
    return subprocess.run(
        [*enter, "sh", "-ec", command, sys.executable, code], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_mount_that_appears_late_and_again(tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    done = in_namespaces(
        """
        async def follow():
            root = place / "mount"
            async with following(root, look_again=0.1) as follower:
                await follower.sees()
                for text in ("1", "2", "3"):
                    subprocess.run(["mount", "-t", "tmpfs", "none", root], check=True)
                    (root / "a.yaml").write_text(text)
                    await follower.sees(text)
                    (root / "a.yaml").write_text(text + text)
                    await follower.sees(text + text)
                    subprocess.run(["umount", "--lazy", root], check=True)
                    await follower.sees()

        asyncio.run(follow())
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        pytest.param("max_inotify_instances", 0, id="no instance is left"),
        pytest.param("max_inotify_watches", 1, id="no watch is left"),
    ],
)
def test_where_inotify_is_exhausted_files_are_looked_at_and_that_is_said_once(
    tmp_path: Path, limit: str, value: int
) -> None:
    ConfigMapMount(tmp_path / "mount")
    done = in_namespaces(
        f"""
        async def follow():
            limit = Path("/proc/sys/user/{limit}")
            mount = place / "mount"
            async with following(mount, look_again=0.1) as follower:
                await follower.sees("0")
                for text in ("1", "2", "3"):
                    new = mount / f"..new{{text}}"
                    new.mkdir()
                    (new / "a.yaml").write_text(text)
                    (mount / "..next").symlink_to(new.name)
                    (mount / "..next").rename(mount / "..data")
                    await follower.sees(text)

        asyncio.run(follow())
        """,
        tmp_path,
        limits=f"echo {value} > /proc/sys/user/{limit}",
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("WARNING the configuration cannot be watched, and is looked at every 0.1 s: ")


def test_it_is_watched_again_when_inotify_has_room(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("0")
    done = in_namespaces(
        """
        async def follow():
            limit = Path("/proc/sys/user/max_inotify_instances")
            async with following(place, look_again=0.1) as follower:
                await follower.sees("0")
                await until("cannot")
                limit.write_text("100")
                await until("again")

        async def until(word):
            async with asyncio.timeout(30):
                while word not in said:
                    await asyncio.sleep(0.01)

        said = []
        class Hear(logging.Handler):
            def emit(self, record):
                said.extend(record.getMessage().split())
        logger = logging.getLogger("reconciler")
        logger.setLevel(logging.INFO)
        logger.addHandler(Hear())
        asyncio.run(follow())
        """,
        tmp_path,
        limits="echo 0 > /proc/sys/user/max_inotify_instances",
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["WARNING", "INFO"]


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of our own, where root gives up its rights for the time of the test."""
    root, user = Path(tempfile.mkdtemp()), os.geteuid()
    nobody = 65534 if user == 0 else user
    os.chown(root, nobody, -1)
    os.seteuid(nobody)
    try:
        yield root
    finally:
        os.seteuid(user)
        shutil.rmtree(root)


async def test_a_directory_that_may_not_be_read_leaves_the_others_watched(
    unprivileged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (unprivileged / "a.yaml").write_text("0")
    (unprivileged / "closed").mkdir()
    (unprivileged / "closed").chmod(0)
    with caplog.at_level(logging.WARNING):
        async with following(unprivileged) as follower:
            await follower.sees("0")
            for text in ("1", "2"):
                (unprivileged / "a.yaml").write_text(text)
                await follower.sees(text)
    assert not caplog.messages
