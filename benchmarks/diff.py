"""`diff` of 100 000 Services, 100 pools and 100 nodes: the whole command, and its parts in one process."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, median_run, reconciler
from benchmarks.snapshot import write_pools, write_snapshot

SERVICES, POOLS, NODES = 100_000, 100, 100
_CHANGES = frozenset({1})

# The least any reader has to do: bring the file in and find its objects.
_FLOOR = """
import sys, msgspec
class Items(msgspec.Struct):
    items: list[msgspec.Raw]
with open(sys.argv[1], "rb") as snapshot:
    print(len(msgspec.json.decode(snapshot.read(), type=Items).items))
"""


def rows() -> Iterator[Row]:
    """The whole command for one node and for all, then allocation, plan and placement alone."""
    with tempfile.TemporaryDirectory() as folder:
        pools, snapshot = Path(folder, "pools.yaml"), Path(folder, "snapshot.json")
        write_pools(pools, pools=POOLS)
        write_snapshot(snapshot, services=SERVICES, nodes=NODES)
        floor = median_run([sys.executable, "-c", _FLOOR, str(snapshot)], repeats=1)
        command = reconciler("diff", "--config", str(pools), "--cluster", f"dir:{snapshot}", "--output", "json")
        for case, extra in (("one node", ["--node", "node-000"]), (f"{NODES} nodes", [])):
            measured = median_run([*command, *extra], repeats=1, expect=_CHANGES)
            yield Row(f"diff, whole process, {case}", SERVICES, measured.seconds, floor.seconds, measured.peak_mib)
        yield from _parts(pools, snapshot)


def _parts(pools: Path, snapshot: Path) -> Iterator[Row]:
    """In a process of its own, so that its peak of memory is its own too."""
    command = [sys.executable, "-m", "benchmarks.diff_parts", str(pools), str(snapshot)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for case, seconds, floor in json.loads(printed):
        yield Row(case, SERVICES, seconds, floor)
