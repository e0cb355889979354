"""Code blocks of Markdown pages, and what is typed in them. No I/O."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
# A prompt, the lines typed at it, and what was printed until the next prompt.
_STEP = re.compile(r"^\$ (?P<typed>(?:.*\\\n)*.*)\n(?P<printed>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_HERE = re.compile(r"<<'?([A-Z]+)'?")


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, and what it prints where the page shows that."""

    typed: str
    printed: str | None = None


def commands(page: str) -> Iterator[Command]:
    """What is typed in the blocks of a page, in its order: those without a language, `sh` and `console`."""
    for block in _BLOCK.finditer(page):
        text = re.sub(f"^{block['indent']}", "", block["text"], flags=re.MULTILINE)
        match block["language"]:
            case "console":
                yield from (Command(step["typed"], step["printed"]) for step in _STEP.finditer(text))
            case "" | "sh":
                yield from (Command(typed) for typed in _typed(text))
            case _:
                continue


def _typed(text: str) -> Iterator[str]:
    """One command after the other, each with the lines that belong to it. What never ends is output, and none."""
    lines: list[str] = []
    for line in text.splitlines():
        lines.append(line)
        if _is_complete("\n".join(lines)):
            yield from ["\n".join(lines)] if "".join(lines).strip() else []
            lines = []


def _is_complete(typed: str) -> bool:
    """Not in the middle of a here-document, of a quotation, or of a line that goes on."""
    if here := _HERE.search(typed):
        return typed.endswith(f"\n{here[1]}")
    try:
        shlex.split(typed, comments=True)
    except ValueError:
        return False
    return not typed.endswith("\\")
