"""How far work has come that takes more than a second: one line on a terminal, gone when it is done; else nothing."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TextIO, TypeVar

_Item = TypeVar("_Item")
# In seconds: what is done sooner needs no bar; and how often one is drawn.
_PATIENCE = 1.0
_REDRAW = 0.1
_WIDTH = 24
# ECMA-48: to the beginning of the line, and wipe it.
_OVER = "\r\x1b[K"


class Progress:
    """
    A block of work. What it is about is said by `follow` and `doing`; before the first of them nothing is drawn.

    On a terminal a thread draws, so that a step that takes long shows that it goes on. Nobody else may write there
    before the block ends.
    """

    def __init__(self, out: TextIO | None = None, *, patience: float = _PATIENCE) -> None:
        """`out` is standard error when absent; `patience` is in seconds, from the first word of what is done."""
        self._out = sys.stderr if out is None else out
        self._patience = patience
        self._ended = threading.Event()
        self._drawing: threading.Thread | None = None
        self._began = 0.0
        self._words = ""
        self._share: Callable[[], float] | None = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._drawing is not None:
            self._drawing.join()

    def doing(self, words: str) -> None:
        """What is done from now on, of which nobody knows how much there is."""
        self._show(words, None)

    def _show(self, words: str, share: Callable[[], float] | None) -> None:
        self._words, self._share = words, share
        if self._drawing is None and _is_terminal(self._out):
            self._began = time.monotonic()
            self._drawing = threading.Thread(target=self._draw, name="progress", daemon=True)
            self._drawing.start()

    def follow(
        self, items: Sequence[_Item], words: str, weigh: Callable[[_Item], int] = lambda _: 1
    ) -> Iterable[_Item]:
        """The same items; how far whoever takes them has come shows in a bar. `weigh` says how much work one is."""
        if not _is_terminal(self._out):
            return items
        total, done = sum(map(weigh, items)), 0
        self._show(words, lambda: done / total if total else 1.0)

        def counted() -> Iterator[_Item]:
            nonlocal done
            for item in items:
                yield item
                done += weigh(item)

        return counted()

    def _draw(self) -> None:
        if self._ended.wait(self._patience):
            return
        try:
            while True:
                self._write(_OVER + self._line()[: _columns(self._out) - 1])
                if self._ended.wait(_REDRAW):
                    break
            self._write(_OVER)
        except (OSError, ValueError):
            # A terminal that is gone: the work is not about this.
            return

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def _line(self) -> str:
        seconds, share = f"{time.monotonic() - self._began:.0f} s", self._share
        if share is None:
            return f"{self._words}  {seconds}"
        done = share()
        filled = int(done * _WIDTH)
        return f"{self._words}  [{'#' * filled}{'.' * (_WIDTH - filled)}] {int(100 * done):3}%  {seconds}"


def _is_terminal(out: TextIO | None) -> bool:
    return out is not None and out.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}


def _columns(out: TextIO) -> int:
    try:
        return os.get_terminal_size(out.fileno()).columns or 80
    except OSError:
        return 80
