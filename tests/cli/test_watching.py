"""`status --watch`: in its place on a terminal, one after the other elsewhere, and a clean end."""

import asyncio
import io
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from reconciler.cli import watching
from reconciler.cli.options import ClusterChoice, Output
from reconciler.cli.status import _view
from reconciler.cli.watching import View, watch
from reconciler.cluster.port import ClusterError
from reconciler.cluster.role_files import RoleFiles
from reconciler.telemetry.status import document
from tests.cli.terminal import Terminal, started, terminal
from tests.controlplane.api import wait_until
from tests.telemetry.builders import status

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
COLOUR = re.compile(r"\x1b\[\d+m")


def service(name: str, state: str = "") -> str:
    """The manifest of a Service without an address."""
    kind = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}}
    return json.dumps({**kind, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}, "status": {"x": state}})


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    directory = tmp_path / "cluster"
    directory.mkdir()
    (directory / "one.json").write_text(service("one"))
    return directory


def add(cluster: Path, name: str) -> None:
    """Another Service, at once: nobody sees half of it."""
    made = cluster.parent / name
    made.write_text(service(name))
    made.rename(cluster / f"{name}.json")


def frames(sent: str) -> list[str]:
    """What the screen showed, one after the other: each overwrites all rows from the first one, and wipes the rest."""
    inside = sent.partition(ENTER)[2].partition(LEAVE)[0]
    return [frame.replace("\x1b[K\n", "\n").removesuffix("\x1b[J") for frame in inside.split("\x1b[H")[1:]]


@pytest.fixture
def screen() -> Iterator[Terminal]:
    with terminal() as made:
        yield made


def test_a_terminal_is_redrawn_in_its_place_when_something_changes(cluster: Path, screen: Terminal) -> None:
    with started(["status", "--watch", "--cluster", f"dir:{cluster}"], out=screen) as process:
        drawn = screen.wait_for("1 pending")
        add(cluster, "two")
        screen.wait_for("2 pending", after=drawn)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    screen.wait_for(LEAVE)
    shown = frames(screen.received)
    assert [frame.count("shop/") for frame in shown] == [1, 2]
    # What was seen last stays, as `status` alone would have printed it.
    wait_until(lambda: screen.received.partition(LEAVE)[2] == shown[-1], "what stays")
    # Nothing is wiped before it is overwritten: that is what flickers.
    assert "\x1b[2J" not in screen.received
    assert screen.received.startswith(ENTER)
    assert COLOUR.search(shown[-1])


def test_a_terminal_of_somebody_who_wants_no_colour_has_none(cluster: Path, screen: Terminal) -> None:
    with started(["status", "--watch", "--cluster", f"dir:{cluster}"], out=screen, NO_COLOR="1") as process:
        screen.wait_for("1 pending")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    screen.wait_for(LEAVE)
    assert not COLOUR.search(screen.received)


def test_a_pipe_gets_one_whole_view_after_the_other(cluster: Path, tmp_path: Path) -> None:
    kept = tmp_path / "out"
    with kept.open("wb") as out, started(["status", "--watch", "--cluster", f"dir:{cluster}"], out=out.fileno()) as it:
        wait_until(lambda: "1 pending" in kept.read_text())
        add(cluster, "two")
        wait_until(lambda: "2 pending" in kept.read_text())
        it.send_signal(signal.SIGINT)
        assert it.wait(30) == 0
    text = kept.read_text()
    assert "\x1b" not in text
    first, second = re.findall(
        r"^--- \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n(.*?)(?=^--- |\Z)", text, re.DOTALL | re.MULTILINE
    )
    assert [view.count("shop/") for view in (first, second)] == [1, 2]


def test_a_cluster_that_cannot_be_read_at_the_start_ends_it(tmp_path: Path, screen: Terminal) -> None:
    with started(["status", "--watch", "--cluster", f"dir:{tmp_path / 'nowhere'}"], out=screen) as process:
        assert process.wait(30) == 2
        assert process.stderr is not None
        assert "nowhere" in process.stderr.read()
    assert screen.received == ""


# In this process, with a look of our own


class Looks:
    """Gives views, or errors, one at each look; after the last one SIGINT comes, as from Ctrl-C."""

    def __init__(self, *found: View | ClusterError) -> None:
        self._found = iter(found)

    def __call__(self) -> View:
        found = next(self._found, None)
        if found is None:
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the signal did not end it")
        if isinstance(found, ClusterError):
            raise found
        return found


def view(substance: str, text: str = "") -> View:
    return View(f"{text or substance}\n", substance)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[str], list[str]]]:
    """What a pipe gets of such looks, line by line, and the warnings beside that."""
    monkeypatch.setattr(watching, "_REST", 0.0)

    def run(*found: View | ClusterError, is_text: bool = False) -> tuple[list[str], list[str]]:
        out, warnings = io.StringIO(), list[str]()
        before = signal.getsignal(signal.SIGINT)
        watch(Looks(*found), out, warn=warnings.append, is_text=is_text)
        assert signal.getsignal(signal.SIGINT) is before
        return out.getvalue().splitlines(), warnings

    return run


def test_what_is_no_news_is_not_repeated(shown: Callable[..., tuple[list[str], list[str]]]) -> None:
    views = [view("a"), view("a", "a at noon"), view("b"), view("b"), view("a")]
    assert shown(*views) == (["a", "b", "a"], [])


def test_a_look_that_fails_later_on_is_told_once_and_made_again(
    shown: Callable[..., tuple[list[str], list[str]]],
) -> None:
    away = ClusterError("it does not answer")
    lines, warnings = shown(view("a"), away, away, view("a"), away, view("b"))
    assert lines == ["a", "b"]
    assert warnings == ["it does not answer; trying again"] * 2


def test_only_text_for_people_has_the_time_before_it(shown: Callable[..., tuple[list[str], list[str]]]) -> None:
    lines, _ = shown(view("a"), is_text=True)
    assert re.fullmatch(r"--- \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", lines[0])
    assert lines[1:] == ["a"]


def on_screen(screen: Terminal, monkeypatch: pytest.MonkeyPatch, look: Callable[[], View]) -> list[str]:
    """The frames that such looks give on a terminal."""
    monkeypatch.setattr(watching, "_REST", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(os.dup(screen.theirs), "w") as out:
        watch(look, out, warn=lambda _: None, is_text=True)
    screen.wait_for(LEAVE)
    return frames(screen.received)


def test_why_a_screen_shows_nothing_newer_is_said_above_what_was_seen_last(
    screen: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = on_screen(screen, monkeypatch, Looks(view("a"), ClusterError("it is\x1baway"), view("b")))
    assert re.fullmatch(r"\S+Z: it is\\x1baway; this is what was seen last\n\na\n", second)
    assert (first, third) == ("a\n", "b\n")


def test_a_window_that_is_too_small_shows_the_beginning_and_how_much_is_missing(
    screen: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen.resize(5)
    (frame,) = on_screen(screen, monkeypatch, Looks(view("a\nb\nc\nd\ne\nf")))
    assert frame == "a\nb\nc\nand 3 more lines: make the window larger\n"


def test_a_window_that_is_made_larger_shows_more_at_once(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    screen.resize(4)
    turns = iter((partial(screen.resize, 20), partial(signal.raise_signal, signal.SIGINT)))

    def sleep(_: float) -> None:
        next(turns)()

    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=sleep))
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(os.dup(screen.theirs), "w") as out:
        watch(lambda: view("a\nb\nc\nd"), out, warn=lambda _: None, is_text=True)
    screen.wait_for(LEAVE)
    assert [frame.count("\n") for frame in frames(screen.received)] == [3, 4]


def test_a_lease_that_is_renewed_is_no_news_and_one_that_is_not_is(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime, timedelta

    from reconciler.cli import status as command
    from reconciler.cli.overview import LeaseRow

    asyncio.run(RoleFiles(cluster).publish("lb-reconciler-status-controller", document(status())))
    look = command._look
    choice = ClusterChoice(f"dir:{cluster}", "lb-reconciler", "")

    def seen(ago: float, output: Output = Output.TEXT) -> View:
        renewed = datetime.now(UTC) - timedelta(seconds=ago)
        lease = LeaseRow(lease="lb-reconciler-controller", holder="controller-a", renewed_at=renewed, duration=15)
        monkeypatch.setattr(command, "_look", lambda choice: (*look(choice)[:2], (lease,)))
        return _view(choice, output)

    fresh, older, gone = seen(0), seen(9), seen(3600)
    assert fresh.text != older.text
    assert fresh.substance == older.substance != gone.substance
    assert seen(0, Output.JSON).substance == seen(9, Output.JSON).substance
