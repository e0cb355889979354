"""The ways in which files of a configuration are delivered, each as its tool leaves them on disk."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Protocol

from tests.loop.corner import POOLS

_GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")


class Delivery(Protocol):
    """`path` is the directory for a controller; it is there from the start."""

    path: Path

    def put(self, text: str) -> float:
        """Deliver a file with that text; the instant at which it showed, by `time.perf_counter`."""
        ...


class ConfigMapMount:
    """A directory as the kubelet mounts a ConfigMap: links into a directory that another link leads to."""

    def __init__(self, root: Path, text: str) -> None:
        self.path = root / "config-map"
        self.path.mkdir()
        self._serial = 0
        self.put(text)
        (self.path / POOLS).symlink_to(Path("..data", POOLS))

    def put(self, text: str) -> float:
        self._serial += 1
        fresh = self.path / f"..2026_01_01_00_00_00.{self._serial}"
        fresh.mkdir()
        (fresh / POOLS).write_text(text)
        data = self.path / "..data"
        former = data.resolve()
        link = self.path / "..data_tmp"
        link.symlink_to(fresh.name)
        shown = _swapped(link, data)
        if former != data:
            shutil.rmtree(former)
        return shown


class GitSync:
    """A bare repository, and a checkout of each commit that a link leads to, as git-sync leaves it."""

    def __init__(self, root: Path, text: str) -> None:
        self._bare, self._clone, self._trees = root / "origin.git", root / "clone", root / "git"
        self._trees.mkdir()
        _git("init", "--bare", str(self._bare))
        _git("clone", str(self._bare), str(self._clone))
        self.put(text)
        self.path = self._trees / "current" / "config"

    def put(self, text: str) -> float:
        (self._clone / "config").mkdir(exist_ok=True)
        (self._clone / "config" / POOLS).write_text(text)
        _git("-C", str(self._clone), "add", ".")
        _git("-C", str(self._clone), "commit", "--message=change")
        _git("-C", str(self._clone), "push", "origin", "HEAD")
        return self._deliver()

    def _deliver(self) -> float:
        commit = _git("-C", str(self._bare), "rev-parse", "HEAD").strip()
        current = self._trees / "current"
        former = current.resolve()
        _git("-C", str(self._bare), "worktree", "add", "--detach", str(self._trees / commit), commit)
        link = self._trees / "next"
        link.symlink_to(commit)
        shown = _swapped(link, current)
        if former != current:
            _git("-C", str(self._bare), "worktree", "remove", "--force", str(former))
        return shown


class Edited:
    """A directory of files that are replaced one by one, by a rename, as most editors do."""

    def __init__(self, root: Path, text: str) -> None:
        self.path = root / "edited"
        self.path.mkdir()
        self.put(text)

    def put(self, text: str) -> float:
        fresh = self.path / ".pools.yaml.swp"
        fresh.write_text(text)
        return _swapped(fresh, self.path / POOLS)


def _swapped(fresh: Path, place: Path) -> float:
    now = time.perf_counter()
    fresh.replace(place)
    return now


def _git(*arguments: str) -> str:
    return subprocess.run([*_GIT, *arguments], check=True, capture_output=True, text=True).stdout
