"""
One changed Service among very many, from its watch event until all routers have the octets of its new route.

A process holds the Services as a speaker does and tells four routers of them; there is no API server, which would take
an hour to be told of so many. The floor is a second, as there is nothing to compare with but other benchmarks here.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator

from benchmarks.measure import Beside
from benchmarks.route_senders import process
from benchmarks.route_table import RECEIVER, SENDER
from reconciler.cli.lab import Lab

_SERVICES = 100_000
_CHANGES = 200
_PORTS = ("1791", "1792", "1793", "1794")


def rows() -> Iterator[Beside]:
    """Until the first router, the last one, and how long the loop of the speaker is busy; memory is in the note."""
    python = (sys.executable, "-m")
    with (
        Lab(SENDER, RECEIVER) as lab,
        process([*lab.inside(RECEIVER), *python, "benchmarks.route_watch", *_PORTS]) as routers,
    ):
        assert routers.stdout is not None
        assert routers.stdout.readline() == "ready\n"
        arguments = (str(_SERVICES), str(_CHANGES), *_PORTS)
        with process([*lab.inside(SENDER), *python, "benchmarks.crowd_speaker", *arguments]) as speaker:
            assert speaker.stdout is not None
            note = _memory(speaker.stdout.readline())
            began = {route: (float(at), float(busy)) for route, at, busy in map(str.split, speaker.stdout)}
        heard = _heard(routers.stdout)
    first = [min(heard[route]) - at for route, (at, _) in began.items()]
    last = [max(heard[route]) - at for route, (at, _) in began.items()]
    assert all(len(heard[route]) == len(_PORTS) for route in began)
    peers = len(_PORTS)
    yield Beside(f"one changed, until the first of {peers} routers", _SERVICES, first, [1.0])
    yield Beside(f"one changed, until the last of {peers} routers", _SERVICES, last, [1.0], note)
    busy = [busy for _, busy in began.values()]
    yield Beside("one changed, the loop is busy", _SERVICES, busy, [1.0])


def _memory(line: str) -> str:
    modules, services, routes, told, first = map(float, line.split())
    parts = f"{modules:.0f} MiB modules, {services:.0f} with Services, {routes:.0f} with routes, {told:.0f} when told"
    return f"{parts}; the first change took {first * 1e3:.0f} ms"


def _heard(lines: Iterator[str]) -> dict[str, list[float]]:
    """When each router heard of each new route."""
    heard: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        words = line.split()
        if words[1] == "+":
            heard[words[2]].append(float(words[3]))
    return heard
