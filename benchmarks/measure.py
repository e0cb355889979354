"""Time whole processes and print the figures as a table."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

# An installed program finds its byte code; where none may be written every start would compile it anew.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


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
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
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


@dataclass(frozen=True, slots=True)
class Beside:
    """
    What was measured in turn with its floor, on one server in one run; in seconds.

    `load` is the load average of the machine at the end of it: figures of a busy machine are worth their ratio only.
    """

    case: str
    size: int
    ours: Sequence[float]
    floor: Sequence[float]
    note: str = ""
    load: float = field(default_factory=lambda: os.getloadavg()[0])


def print_table(rows: Iterable[Row]) -> None:
    """One line a row: total, per item, times the floor, and peak memory."""
    print(f"{'case':<52}{'size':>9}{'seconds':>10}{'each':>12}{'x floor':>9}{'peak MiB':>10}")
    for row in rows:
        each = row.seconds / row.size * 1e6
        floor = f"{row.seconds / row.floor_seconds:.1f}" if row.floor_seconds else ""
        peak = f"{row.peak_mib:.0f}" if row.peak_mib else ""
        print(f"{row.case:<52}{row.size:>9}{row.seconds:>10.3f}{each:>9.2f} us{floor:>9}{peak:>10}")


def print_beside(rows: Iterable[Beside]) -> None:
    """One line a row, in milliseconds: median, 95th percentile and maximum of both, their ratio, and how often."""
    print(f"{'case':<44}{'size':>7}{'p50 ms':>10}{'p95':>10}{'max':>10}{'floor p50':>11}{'p95':>10}{'max':>10}", end="")
    print(f"{'x floor':>9}{'n':>5}{'load':>6}  note")
    for row in rows:
        ours, floor = ("".join(f"{value * 1e3:>10.1f}" for value in _quantiles(v)) for v in (row.ours, row.floor))
        ratio = median(row.ours) / median(row.floor)
        print(
            f"{row.case:<44}{row.size:>7}{ours} {floor}{ratio:>9.2f}{len(row.ours):>5}{row.load:>6.1f}  {row.note}",
            flush=True,
        )


def _quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    return median(ordered), ordered[-1 - len(ordered) // 20], ordered[-1]
