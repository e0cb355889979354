"""A view that is shown again whenever it changes: in its place on a terminal, one after the other elsewhere."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import NoReturn, Protocol, TextIO

from reconciler.cli.escape import visible
from reconciler.errors import ReconcilerError

# In seconds: how long to rest between two looks, and how soon another size of the window shows.
_REST = 1.0
_GLANCE = 0.2
# Looking takes no more than this share of the time: to list a large cluster is work for its API server too.
_SHARE = 0.2
# DEC private modes, as xterm and everything after it has them: the other screen, the cursor, and wrapping of lines.
# Lines that are too long are cut by the terminal.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
# ECMA-48. Nothing is ever wiped before there is something to put in its place, or it would flicker.
_HOME, _END_LINE, _WIPE_REST, _WIPE_BELOW = "\x1b[H", "\n", "\x1b[K", "\x1b[J"


@dataclass(frozen=True, slots=True)
class View:
    """`text` is what to show, with its last newline; where `substance` is the same there is no news in it."""

    text: str
    substance: str


class Display(Protocol):
    """Where views are shown."""

    def show(self, view: View, problem: str | None) -> None:
        """Show this; `problem` is why nothing newer is known, None when it is as of now."""
        ...

    def rest(self, seconds: float) -> None:
        """Wait, and keep what is shown in good order meanwhile."""
        ...


def watch(look: Callable[[], View], out: TextIO, *, warn: Callable[[str], None], is_text: bool) -> None:
    """
    Show what `look` finds, again and again, until SIGINT or SIGTERM, which is no error.

    A look that fails ends it only when it is the first one: later on it is said beside what was seen last, or told to
    `warn`. What is no text for people (`is_text`) is written as it is, on a terminal as well.

    Raises:
        ReconcilerError: The first look fails.
    """
    with _until_signals():
        view, problem, took = *_look(look, None), 0.0
        row = _Row(out, warn, is_dated=is_text)
        with _on_screen(out) if is_text and _is_screen(out) else nullcontext(row) as display:
            while True:
                display.show(view, problem)
                display.rest(max(_REST, took / _SHARE - took))
                began = time.monotonic()
                view, problem = _look(look, view)
                took = time.monotonic() - began


def _look(look: Callable[[], View], before: View | None) -> tuple[View, str | None]:
    try:
        return look(), None
    except ReconcilerError as error:
        if before is None:
            raise
        return before, str(error)


def _is_screen(out: TextIO) -> bool:
    return out.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}


class _EndedError(BaseException):
    """A signal asks to end; no code on the way may take it for an error."""


@contextmanager
def _until_signals() -> Iterator[None]:
    """Leave the block, whatever it is doing, at SIGINT or SIGTERM; a second one does no harm."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in former:
            signal.signal(number, signal.SIG_IGN)
        raise _EndedError

    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in former:
            signal.signal(number, end)
        yield
    except _EndedError:
        pass
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _Screen:
    """The other screen of a terminal, overwritten line by line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: tuple[str, os.terminal_size] | None = None
        self.last = ""

    def show(self, view: View, problem: str | None) -> None:
        """Overwrite what is there, if it is another."""
        warning = f"{_now()}: {visible(problem)}; this is what was seen last\n\n" if problem else ""
        self.last = f"{warning}{view.text}"
        self._draw()

    def rest(self, seconds: float) -> None:
        """Until then a window that is made larger shows more."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _GLANCE))
            self._draw()

    def _draw(self) -> None:
        size = _size(self._out)
        if self._shown == (self.last, size):
            return
        self._shown = self.last, size
        lines = _fitted(self.last.splitlines(), size.lines)
        self._out.write(_HOME + "".join(f"{line}{_WIPE_REST}{_END_LINE}" for line in lines) + _WIPE_BELOW)
        self._out.flush()


def _fitted(lines: list[str], rows: int) -> list[str]:
    """As many as there is room for; the last row stays empty, so that nothing scrolls, or names what is missing."""
    room = max(rows - 1, 1)
    if len(lines) <= room:
        return lines
    shown = max(room - 1, 0)
    return [*lines[:shown], f"and {len(lines) - shown} more lines: make the window larger"]


def _size(out: TextIO) -> os.terminal_size:
    try:
        size = os.get_terminal_size(out.fileno())
    except OSError:
        return os.terminal_size((80, 24))
    # A terminal that does not know how large it is says 0.
    return os.terminal_size((size.columns or 80, size.lines or 24))


@contextmanager
def _on_screen(out: TextIO) -> Iterator[Display]:
    """What was shown last stays in the terminal when it is left."""
    screen = _Screen(out)
    try:
        out.write(_ENTER)
        yield screen
    finally:
        out.write(_LEAVE + screen.last)
        out.flush()


class _Row:
    """A pipe or a file: whole views, one after the other."""

    def __init__(self, out: TextIO, warn: Callable[[str], None], *, is_dated: bool) -> None:
        """`warn` is told why there is no newer one; `is_dated`: a line with the time is put before each."""
        self._out = out
        self._warn = warn
        self._is_dated = is_dated
        self._shown: str | None = None
        self._complaint: str | None = None

    def show(self, view: View, problem: str | None) -> None:
        """Append it, if it has news."""
        if problem is not None and problem != self._complaint:
            self._warn(f"{problem}; trying again")
        self._complaint = problem
        if view.substance != self._shown:
            self._shown = view.substance
            self._out.write(f"--- {_now()}\n{view.text}" if self._is_dated else view.text)
            self._out.flush()

    def rest(self, seconds: float) -> None:
        """Nothing changes by itself."""
        time.sleep(seconds)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
