"""How the demonstration speaks: what is explained, what is typed, and what came of it."""

import sys

from reconciler.cli.options import wants_color
from reconciler.cli.text import Paint


def say(text: str, *, gap: bool = True) -> None:
    """Explain something on a line of its own, below an empty one unless it goes on with the line before."""
    _write(("\n" if gap else "") + _paint(f"# {text}", "cyan"))


def typed(line: str, *, on: str = "") -> None:
    """Show a command line, and the host that it is typed on where there are several."""
    _write(_paint(f"{on}$ {line}", "bold"))


def result(text: str) -> None:
    """What came of it."""
    _write(text)


def aside(text: str) -> None:
    """Something that is there, and less important."""
    _write(_paint(f"[{text}]", "faint"))


def _paint(text: str, colour: str) -> str:
    return Paint(color=wants_color(sys.stdout))(text, colour)


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    # Somebody watches, and what comes next may take seconds.
    sys.stdout.flush()
