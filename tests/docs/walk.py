"""Types what a page says, in a checkout of its own, and gives back what is printed."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# What is another each time.
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
# What preflight finds of a machine, whatever network it is asked about.
_OF_THE_MACHINE = re.compile(
    r"^\w+\[(?:clock|inotify|other-announcer|processes-unseen|speaker-runs)\].*\n  fix: .*\n", re.MULTILINE
)
_COUNTED = re.compile(r"^(\d+) errors?, (\d+) warnings?$", re.MULTILINE)


def environment(**more: str) -> dict[str, str]:
    """Ours, with the program of this checkout first, and without colour."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": programs, "NO_COLOR": "1", "TZ": "UTC", **more}


def typed(
    command: str, folder: Path, variables: dict[str, str], inside: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """
    Run a line in bash. Whether it failed is for the caller to judge: a diff that finds changes has not.

    `inside` is what to put before it, as `Lab.inside` has it.
    """
    line = [*inside, "bash", "-c", command]
    return subprocess.run(line, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=120)


def without_times(text: str) -> str:
    """The same with one word for each moment."""
    return _TIME.sub("TIME", text)


def without_the_machine(text: str) -> str:
    """What preflight prints, without what it found of the machine. The line that counts has to be right."""
    for errors, warnings in _COUNTED.findall(text):
        assert (text.count("error["), text.count("warning[")) == (int(errors), int(warnings)), text
    return _COUNTED.sub("COUNTED", _OF_THE_MACHINE.sub("", text))
