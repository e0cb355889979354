"""
What hosts notice when a node fails, comes back, or gives its addresses away: three speakers, and two kinds of hosts.

One host has a warm neighbour cache and talks to the addresses all the time; others have never heard of them and ask.
Neither alone is enough: a node whose speaker is killed goes on delivering, so traffic shows nothing, while nobody
answers a host that asks. The floor is a bare member of the library of membership in the same namespaces, which shares
the fate of the speaker beside it, or the kernel's own answer to ARP.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from benchmarks.failover_events import Events, Happening
from benchmarks.failover_world import NODES, running_world
from benchmarks.measure import Beside

_TIMES = 21
_ADDRESSES = 6


def rows() -> Iterator[Beside]:
    """All events in turn, on each node in turn; then those of the network again with fast failure detection."""
    happened = asyncio.run(_happened(("kill", "end", "drain", "cut", "part"), is_fast=False))
    yield from _failures(happened, "")
    yield from _moves(happened)
    yield from _failures(asyncio.run(_happened(("kill", "cut"), is_fast=True)), ", fast")


async def _happened(names: Sequence[str], *, is_fast: bool) -> dict[str, list[tuple[Happening, Happening]]]:
    """What happened at each event, and when it was undone."""
    happened = defaultdict(list)
    async with running_world(is_fast=is_fast) as world, Events(world) as events:
        for number in range(_TIMES):
            for offset, name in enumerate(names):
                # Each time another node: its neighbours have not learnt anything of it lately.
                node = NODES[(number + offset) % len(NODES)]
                happened[name].append(await getattr(events, name)(node))
    return happened


def _failures(happened: dict[str, list[tuple[Happening, Happening]]], how: str) -> Iterator[Beside]:
    for name, case in (("kill", "kill -9"), ("cut", "link cut"), ("part", "partition")):
        if name not in happened:
            continue
        failed = [one[0] for one in happened[name]]
        yield _beside(f"{case}{how}: warm client's loss", failed, attrgetter("gap"), _lost(failed))
        yield _beside(f"{case}{how}: new hosts unanswered", failed, attrgetter("silence"), _lost(failed))
    for name, case in (("cut", "link back"), ("part", "partition healed")):
        if name not in happened:
            continue
        back = [one[1] for one in happened[name]]
        yield _beside(f"{case}{how}: two owners", back, attrgetter("two_owners"), _lost(back))
        yield _beside(f"{case}{how}: one alone answers", back, attrgetter("settled"), _lost(back))
        yield _beside(f"{case}{how}: client's cache right", back, attrgetter("moved"), _lost(back))


def _moves(happened: dict[str, list[tuple[Happening, Happening]]]) -> Iterator[Beside]:
    for name, case in (("end", "SIGTERM"), ("drain", "drain")):
        moved = [one[0] for one in happened[name]]
        yield _beside(f"{case}: successor alone answers", moved, attrgetter("settled"), _lost(moved))
    back = [one[1] for name in ("kill", "end") for one in happened[name]]
    yield _beside("speaker started: has all back alone", back, attrgetter("settled"), _lost(back))
    back = [one[1] for one in happened["drain"]]
    yield _beside("drain over: has all back alone", back, attrgetter("settled"), _lost(back))


def _beside(case: str, happened: Sequence[Happening], of: Callable[[Happening], float], note: str) -> Beside:
    return Beside(case, _ADDRESSES, [of(one) for one in happened], [one.floor for one in happened], note)


def _lost(happened: Sequence[Happening]) -> str:
    lost, probes = sum(one.lost for one in happened), sum(one.probes for one in happened)
    unanswered, questions = sum(one.unanswered for one in happened), sum(one.questions for one in happened)
    others = sum(one.bystanders for one in happened)
    note = f"lost {lost} of {probes} probes, {unanswered} of {questions} questions"
    return f"{note}; {others} about other nodes' addresses" if others else note
