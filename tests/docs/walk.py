"""Types what a page says, in a checkout of its own, and gives back what is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

# What is another each time.
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def environment(**more: str) -> dict[str, str]:
    """Ours, with the program of this checkout first, and without colour."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": programs, "NO_COLOR": "1", "TZ": "UTC", **more}


def typed(command: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line in bash. Whether it failed is for the caller to judge: a diff that finds changes has not."""
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=120
    )


def without_times(text: str) -> str:
    """The same with one word for each moment."""
    return _TIME.sub("TIME", text)
