"""
`python -m benchmarks.route_memory COUNT PEERS`: what ribs with one table take in this process, in MiB, without sessions
and when all is told; then in seconds the processor time to write all of it.
"""

import os
import sys
import time
from pathlib import Path

from benchmarks.route_table import DIALECT, fill, prefixes
from reconciler.bgp.adj_rib_out import AdjRibOut

_CHUNK = 1 << 16
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 2**20


def _taken(rib: AdjRibOut) -> int:
    return len(rib.take(_CHUNK))


def _run(count: int, peers: int) -> None:
    table = prefixes(count)
    before = _resident_mib()
    ribs = [AdjRibOut() for _ in range(peers)]
    for rib in ribs:
        fill(rib, table)
    untold = _resident_mib() - before
    began = time.process_time()
    for rib in ribs:
        rib.begin(DIALECT)
    # All at once, as peers do that come back at the same time.
    while any(list(map(_taken, ribs))):
        pass
    used = time.process_time() - began
    print(untold, _resident_mib() - before, used)


if __name__ == "__main__":
    _run(int(sys.argv[1]), int(sys.argv[2]))
