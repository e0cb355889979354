"""Time whole processes and print the figures as a table."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# An installed program finds its byte code; where none may be written every start would compile it anew.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Row:
    """
    One measured case.

    `seconds` is the median of what was timed; `floor_seconds` the same for the bare minimum of the work, in the same
    run; `peak_mib` the largest resident set of the process, None where it was not taken.
    """

    case: str
    size: int
    seconds: float
    floor_seconds: float | None = None
    peak_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended."""

    seconds: float
    peak_mib: float
    status: int


def run(command: Sequence[str]) -> Finished:
    """Run a command to its end with its output thrown away; wall time and the kernel's own peak of resident memory."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_ENVIRONMENT)
    _, wait_status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(wait_status)
    return Finished(seconds, usage.ru_maxrss / 1024, process.returncode)


def median_run(command: Sequence[str], *, repeats: int = 3, expect: frozenset[int] = frozenset({0})) -> Finished:
    """The run of median duration, after one that is not counted."""
    runs = [run(command) for _ in range(repeats + 1)][1:]
    for finished in runs:
        if finished.status not in expect:
            raise SystemExit(f"{' '.join(command)} ended with status {finished.status}")
    return sorted(runs, key=lambda finished: finished.seconds)[repeats // 2]


def reconciler(*arguments: str) -> list[str]:
    """The command line of the product in this interpreter."""
    return [sys.executable, "-m", "reconciler", *arguments]


def print_table(rows: Iterable[Row]) -> None:
    """One line a row: total, per item, times the floor, and peak memory."""
    print(f"{'case':<52}{'size':>9}{'seconds':>10}{'each':>12}{'x floor':>9}{'peak MiB':>10}")
    for row in rows:
        each = row.seconds / row.size * 1e6
        floor = f"{row.seconds / row.floor_seconds:.1f}" if row.floor_seconds else ""
        peak = f"{row.peak_mib:.0f}" if row.peak_mib else ""
        print(f"{row.case:<52}{row.size:>9}{row.seconds:>10.3f}{each:>9.2f} us{floor:>9}{peak:>10}")
