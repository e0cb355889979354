"""Reads a Containerfile, as far as ours goes: stages, and instructions with their text. No I/O."""

import re
from dataclasses import dataclass

_CONTINUED = re.compile(r"\\\n")


@dataclass(frozen=True, slots=True)
class Instruction:
    """`word` is RUN, COPY and the like; `text` is all of the rest, on one line."""

    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next; `name` is empty where it has none."""

    image: str
    name: str
    instructions: tuple[Instruction, ...]

    def of(self, word: str) -> list[str]:
        return [each.text for each in self.instructions if each.word == word]


def read_stages(text: str) -> tuple[Stage, ...]:
    """The stages, in order; what comes before the first one is left out."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found: list[tuple[str, str, list[Instruction]]] = []
    for line in filter(str.strip, _CONTINUED.sub(" ", "\n".join(lines)).splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            found.append((image, name, []))
        elif found:
            found[-1][2].append(Instruction(word, rest.strip()))
    return tuple(Stage(image, name, tuple(instructions)) for image, name, instructions in found)
