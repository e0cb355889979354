"""Time the parts of `diff` in this process and print them as JSON: [[case, seconds, floor seconds], …]."""

import gc
import hashlib
import json
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from reconciler.allocation.allocate import allocate
from reconciler.cluster.directory import read_snapshot
from reconciler.config.load import load
from reconciler.placement.election import Elections
from reconciler.placement.place import place, place_nodes, speakers
from reconciler.plan.services import applied, plan_services

Result = TypeVar("Result")


def main() -> None:
    """Arguments: the configuration, the snapshot."""
    pools, snapshot = sys.argv[1:]
    desired = load([pools]).desired
    if desired is None:
        raise SystemExit("the configuration is not valid")
    observed, reading = _timed(lambda: read_snapshot(snapshot, namespace="lb-reconciler"))
    gc.collect()
    gc.freeze()

    _, bare_loop = _timed(lambda: [s.key for s in observed.services if s.is_load_balancer])
    allocation, allocating = _timed(lambda: allocate(desired, observed))
    plan, planning = _timed(lambda: plan_services(allocation, observed, desired))
    after = applied(observed, plan)
    members = speakers(after)
    first = after.nodes[0].name
    _, one_node = _timed(lambda: place(desired, after, members, first, explain=False))
    elections = Elections()

    def every_node() -> int:
        return sum(len(placement.placed) for placement in place_nodes(desired, after, members, elections=elections))

    placed, all_nodes = _timed(every_node)
    hashes = len(after.services) * len(after.nodes)
    _, hashing = _timed(lambda: [hashlib.sha256(b"node-000#10.0.0.1").digest() for _ in range(hashes // 10)])
    print(
        json.dumps(
            [
                ["reading the snapshot", reading, None],
                ["allocation and plan", allocating + planning, bare_loop],
                ["placement for one node", one_node, bare_loop],
                [f"placement for {len(after.nodes)} nodes, {placed} owners", all_nodes, hashing * 10],
            ]
        )
    )


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


if __name__ == "__main__":
    main()
