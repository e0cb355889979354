"""
From exec of a speaker until BIRD has a route to each Service, and where that time goes.

An API server and a controller run, and the Services have addresses; the speaker has a service account, as in a Pod.
First there is no other speaker, then one on another node. The floor is the start of an interpreter that imports the
libraries and ends; byte code is compiled.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from benchmarks import route_senders as senders
from benchmarks.bgp_world import OTHER_NODE, ROUTER, BGPWorld, bgp_world
from benchmarks.measure import ENVIRONMENT, Beside
from benchmarks.route_receiver import Control, receiver_configuration, until
from benchmarks.service_world import processor_seconds, resident_mib

_SERVICES = 1_000
_STARTS = 5
_IMPORTS = "import aiohttp, kinship, msgspec, ruamel.yaml, jsonschema, watchfiles, apscheduler.schedulers.asyncio"
# Lines of the speaker's log, by what they are the end of; and what it reads of the API server.
_LINES = {"modules imported": ": speaker of node ", "files in force": " is in force", "session": ": session with "}
_STARTED = re.compile(r"^started at (\S+)$", re.MULTILINE)
_LISTS, _PODS = frozenset({"services", "endpointslices", "nodes"}), frozenset({"pods"})


@dataclass(frozen=True, slots=True)
class _Start:
    """Seconds from exec until the end of each part, in order; and what was used until the last one."""

    parts: dict[str, float]
    processor: float
    resident_mib: float


def rows() -> Iterator[Beside]:
    """All parts, each from exec; alone, and beside another speaker."""
    with asyncio.Runner() as runner, bgp_world(runner) as world, _router(world) as router:
        runner.run(world.grow(_SERVICES))
        yield from _measured(world, router, "alone")
        world.list_pod(OTHER_NODE)
        until(world.start(OTHER_NODE).is_ready)
        yield from _measured(world, router, "beside another")


def _measured(world: BGPWorld, router: Control, how: str) -> Iterator[Beside]:
    # The first one compiles.
    _start(world, router)
    starts, floor = [], []
    for _ in range(_STARTS):
        starts.append(_start(world, router))
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _IMPORTS], check=True, env=ENVIRONMENT)
        floor.append(time.perf_counter() - began)
    used, held = median(one.processor for one in starts), max(one.resident_mib for one in starts)
    note = f"{used:.2f} s of CPU by then, {held:.0f} MiB"
    for part in starts[0].parts:
        case = f"speaker started {how}: {part}"
        yield Beside(case, _SERVICES, [one.parts[part] for one in starts], floor, note if part == "last route" else "")


def _start(world: BGPWorld, router: Control) -> _Start:
    """Start our speaker, and end it when the router has all."""
    router.ask("enable told")
    asked = time.time()
    speaker = world.start_in_pod()
    first = until(lambda: router.routes() > 0)
    last = until(lambda: router.routes() >= _SERVICES)
    used, held = processor_seconds(speaker.pid), resident_mib(speaker.pid)
    # The last line may be on its way still.
    until(lambda: all(_logged(speaker.output(), words, asked) for words in _LINES.values()))
    instants = {part: _logged(speaker.output(), words, asked) or 0.0 for part, words in _LINES.items()}
    began = max(map(float, _STARTED.findall(speaker.output())))
    speaker.kill()
    router.ask("disable told")
    until(lambda: router.routes() == 0)
    instants["API server read"] = world.last_answer(_LISTS, began)
    instants["group asked for"] = world.last_answer(_PODS, began)
    instants["first route"], instants["last route"] = first, last
    ordered = sorted(instants.items(), key=lambda one: one[1])
    return _Start({part: at - began for part, at in ordered}, used, held)


def _logged(log: str, words: str, since: float) -> float | None:
    """When the first line with these words was written since then; the log is one of all runs."""
    lines = (line for line in log.splitlines() if words in line)
    return next((at for at in map(_instant, lines) if at > since), None)


def _instant(line: str) -> float:
    return datetime.fromisoformat(line.partition(" ")[0]).timestamp()


@contextmanager
def _router(world: BGPWorld) -> Iterator[Control]:
    with tempfile.TemporaryDirectory(prefix="lb-reconciler-bench-") as name:
        directory = Path(name)
        configuration = receiver_configuration(directory, extended=False)
        (directory / "bird.conf").write_text(configuration, encoding="utf-8")
        with senders.process([*world.lab.inside(ROUTER), *senders.bird_command(directory)], directory / "output"):
            control = Control(directory)
            yield control
            control.close()
