"""Work that takes more than a second shows how far it has come, on a terminal; a pipe gets nothing of that."""

import io
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest

from reconciler.cli.progress import Progress
from tests.cli.conftest import EXAMPLES, Run
from tests.cli.terminal import Terminal, started, terminal
from tests.controlplane.api import wait_until

_OVER = "\r\x1b[K"


@pytest.fixture
def screen() -> Iterator[Terminal]:
    with terminal() as made:
        yield made


@pytest.fixture(autouse=True)
def _term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def lines(sent: str) -> list[str]:
    """What was drawn, one over the other, without the seconds."""
    return [re.sub(r"  \d+ s$", "", line) for line in sent.split(_OVER)]


def test_a_bar_follows_the_weight_of_what_is_done(screen: Terminal) -> None:
    shares = iter(["]   0%", "]  25%", "]  75%"])
    with os.fdopen(os.dup(screen.theirs), "w") as out, Progress(out, patience=0.0) as progress:
        for _ in progress.follow([1, 2, 1], "reading files", lambda item: item):
            screen.wait_for(next(shares))
        screen.wait_for("100%")
        progress.doing("comparing")
        screen.wait_for("comparing  ")
    wait_until(lambda: screen.received.endswith(_OVER), "a line that was wiped")
    assert "\n" not in screen.received
    drawn = lines(screen.received)
    assert [line for line, before in zip(drawn, ["", *drawn], strict=False) if line not in {"", before}] == [
        "reading files  [........................]   0%",
        "reading files  [######..................]  25%",
        "reading files  [##################......]  75%",
        "reading files  [########################] 100%",
        "comparing",
    ]


def test_what_is_done_soon_is_not_talked_about(screen: Terminal) -> None:
    with os.fdopen(os.dup(screen.theirs), "w") as out:
        with Progress(out, patience=60.0) as progress:
            assert list(progress.follow("abc", "reading files")) == ["a", "b", "c"]
        out.write("done")
    screen.wait_for("done")
    assert screen.received == "done"


def test_an_error_leaves_no_bar_behind(screen: Terminal) -> None:
    def work(out: TextIO) -> None:
        with Progress(out, patience=0.0) as progress:
            progress.doing("comparing")
            screen.wait_for("comparing")
            raise ValueError("kaputt")

    with os.fdopen(os.dup(screen.theirs), "w") as out:
        with pytest.raises(ValueError, match="kaputt"):
            work(out)
        out.write("error: why")
    screen.wait_for("error: why")
    assert screen.received.endswith(f"{_OVER}error: why")


def test_a_narrow_terminal_is_not_wrapped(screen: Terminal) -> None:
    screen.resize(50, 20)
    with os.fdopen(os.dup(screen.theirs), "w") as out, Progress(out, patience=0.0) as progress:
        progress.doing("x" * 100)
        screen.wait_for("xxx")
    wait_until(lambda: screen.received.endswith(_OVER), "a line that was wiped")
    assert max(map(len, lines(screen.received))) == 19


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_go_back_gets_nothing(
    screen: Terminal, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    with os.fdopen(os.dup(screen.theirs), "w") as out, Progress(out, patience=0.0) as progress:
        progress.doing("comparing")
        assert progress._drawing is None


def test_no_thread_is_started_where_there_is_no_terminal() -> None:
    with Progress(io.StringIO(), patience=0.0) as progress:
        items = [1, 2]
        assert progress.follow(items, "reading files") is items
        assert progress._drawing is None


@contextmanager
def reading(pipe: Path, err: Terminal | int) -> Iterator[tuple["subprocess.Popen[str]", io.FileIO]]:
    """A `diff` that reads a cluster which is slow to say what it holds, and where to say it."""
    os.mkfifo(pipe)
    command = ["diff", "--config", str(EXAMPLES / "l2-homelab"), "--cluster", f"dir:{pipe}"]
    with started(command, err=err) as process, pipe.open("wb", buffering=0) as cluster:
        yield process, cluster


def test_a_command_shows_it_on_a_terminal_and_not_in_a_pipe(tmp_path: Path, screen: Terminal) -> None:
    with (
        reading(tmp_path / "unseen", subprocess.PIPE) as (unseen, its_cluster),
        reading(tmp_path / "seen", screen) as (seen, cluster),
    ):
        screen.wait_for("reading the cluster  ")
        # The other one has waited for longer by now.
        for pipe in (its_cluster, cluster):
            pipe.write(b'{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}')
            pipe.close()
        said = [process.communicate(timeout=60) for process in (unseen, seen)]
    assert said == [("No changes: 0 Services kept.\n", ""), ("No changes: 0 Services kept.\n", None)]
    wait_until(lambda: screen.received.endswith(_OVER), "a line that was wiped")


@pytest.mark.parametrize("command", ["validate", "diff"])
def test_files_are_followed_by_their_octets_and_documents_by_their_number(
    reconciler: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    seen: list[tuple[str, list[int]]] = []

    def follow(_self: Progress, items: Sequence[Any], words: str, weigh: Callable[[Any], int] = lambda _: 1) -> Any:
        seen.append((words, [weigh(item) for item in items]))
        return items

    monkeypatch.setattr(Progress, "follow", follow)
    files = sorted((EXAMPLES / "teams").glob("*.yaml"))
    more = "" if command == "validate" else f"--cluster dir:{EXAMPLES / 'demo-cluster'}"
    reconciler(f"{command} --config {EXAMPLES / 'teams'} {more}")
    assert seen == [("reading files", [file.stat().st_size for file in files]), ("checking documents", [1] * 10)]
