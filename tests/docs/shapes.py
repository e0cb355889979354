"""Whether a command that a page shows could work: its options exist, what it applies builds, its target is there."""

import itertools
import re
import shlex
from pathlib import Path

from reconciler.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
_TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
_OURS = {"reconciler", "kubectl", "make"}


def programs(typed: str) -> list[list[str]]:
    """The words of each program of a line that is ours, kubectl or make; comments and redirections are left out."""
    line = typed.partition("\n")[0] if "<<" in typed else typed.replace("\\\n", " ")
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in reader:
        if set(word) <= set("();<>|&"):
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words and words[0] in _OURS]


def wrong_with(words: list[str]) -> str | None:
    """What is wrong with one program's arguments, as far as can be said without running it."""
    match words:
        case ["reconciler", *arguments]:
            return _wrong_with_ours(arguments)
        case ["make", *arguments]:
            missing = [word for word in arguments if "=" not in word and word not in _TARGETS]
            return f"no such target: {missing}" if missing else None
        case _:
            return None


def kustomizations(words: list[str]) -> list[str]:
    """The directories below this checkout that a kubectl command applies."""
    named = [after for option, after in itertools.pairwise(words) if option in {"-k", "--kustomize"}]
    named += words[2:3] if words[1:2] == ["kustomize"] else []
    return [path for path in named if words[0] == "kubectl" and path.startswith("kustomize/")]


def _wrong_with_ours(arguments: list[str]) -> str | None:
    if not arguments or arguments[0].startswith("-"):
        return None
    command = cli.commands.get(arguments[0])
    if command is None:
        return f"no such command: {arguments[0]}"
    options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"-h", "--help"}
    used = {word.partition("=")[0] for word in arguments[1:] if re.match(r"--?[a-z]", word)}
    return f"no such option: {sorted(used - options)}" if used - options else None
