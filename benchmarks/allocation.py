"""
Allocation of Services from one /8, beside a loop over the same list that does nothing but build the result.

Every case is a process of its own, so its peak memory is its own (the Services included, which take most of it). The
processor's caches are filled with something else before each pass: a controller that wakes up finds them cold, and
warm caches would flatter the small cases only. Processor time is counted; a pass waits for nothing.

Beside the whole passes stand those of an Allocator that has seen the same Services before, but for one.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count, islice, repeat
from resource import RUSAGE_SELF, getrusage
from statistics import median

from msgspec.structs import replace as altered

from benchmarks.measure import Row
from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, Family
from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation, Assignment
from reconciler.allocation.standing import Allocator
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Port, Service, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.pools import IPAddressPool, PoolEntry

SIZES = (1_000, 10_000, 100_000)
_PASSES = 15
_NAMESPACES = 50
_LARGER_THAN_THE_CACHES = 64 << 20


def rows() -> Iterator[Row]:
    """Pending and holding Services of each size, Services that share, full pools, and what one change costs."""
    for case in (*CASES, *CHANGES):
        for size in SIZES:
            command = [sys.executable, "-m", "benchmarks.allocation", case, str(size)]
            measured = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            yield Row(f"allocate, {case}", size, **measured)


def measure(case: str, size: int) -> dict[str, float]:
    """Median seconds of a pass and of the floor, and the peak memory of this process."""
    if case in CHANGES:
        begin, change = CHANGES[case]
        desired, observed = begin(size)
        passes = _passes_after_changes(desired, observed, change)
    else:
        desired, observed = CASES[case](size)
        passes = repeat(lambda: allocate(desired, observed))
    return {
        "seconds": _median(passes),
        "floor_seconds": _median(repeat(lambda: _floor(observed))),
        "peak_mib": getrusage(RUSAGE_SELF).ru_maxrss / 1024,
    }


def _passes_after_changes(
    desired: DesiredState, observed: ObservedState, change: Callable[[ObservedState, int], ObservedState]
) -> Iterator[Callable[[], object]]:
    """Passes of one Allocator, each over a snapshot that differs from the one before it in one Service."""
    allocator = Allocator()
    allocator.allocate(desired, observed)
    for number in count():
        observed = change(observed, number)
        yield partial(allocator.allocate, desired, observed)


def _median(calls: Iterator[Callable[[], object]]) -> float:
    other = bytearray(_LARGER_THAN_THE_CACHES)
    seconds = []
    for number, call in enumerate(islice(calls, _PASSES + 1)):
        other[::64] = bytes([number]) * len(other[::64])
        started = time.process_time()
        result = call()
        seconds.append(time.process_time() - started)
        del result
    return median(seconds[1:])


def _floor(observed: ObservedState) -> tuple[Assignment, ...]:
    """What nobody can do without: order the Services by age and write an address beside each."""
    found = []
    for number, service in enumerate(sorted(observed.services, key=lambda service: service.created_at)):
        found.append(Assignment(service.key, (Address(Family.IPV4, _FIRST + number),), "pool"))
    return tuple(found)


def _pool(name: str, text: str) -> IPAddressPool:
    return IPAddressPool(name, (PoolEntry(text, AddressRange.parse(text), Origin(f"{name}.yaml", 6, 5)),))


_SLASH_8 = _pool("pool", "10.0.0.0/8")
_FIRST = _SLASH_8.entries[0].addresses.first


def _service(number: int) -> Service:
    namespace, name = f"team-{number % _NAMESPACES:02}", f"service-{number:06}"
    return Service(
        key=ServiceKey(f"{namespace}/{name}"),
        namespace=namespace,
        name=name,
        labels=(("app", name), ("tier", "front")),
        created_at=f"2026-{1 + number % 12:02}-{1 + number % 28:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}"
        f":{number % 60:02}Z",
        resource_version=str(number),
        cluster_ips=(f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}",),
        ports=(Port("TCP", 80),),
        selector=(("app", name),),
    )


def _pending(size: int) -> tuple[DesiredState, ObservedState]:
    services = tuple(sorted((_service(number) for number in range(size)), key=lambda service: service.key))
    return DesiredState("benchmark", (_SLASH_8,)), ObservedState(services)


def _holders(size: int) -> tuple[DesiredState, ObservedState]:
    desired, observed = _pending(size)
    return desired, _applied(allocate(desired, observed), observed)


def _applied(allocation: Allocation, observed: ObservedState) -> ObservedState:
    found = {assignment.service: assignment for assignment in allocation.assignments}
    services = (
        altered(service, ingress=found[service.key].addresses, allocated_pool=found[service.key].pool)
        if service.key in found
        else service
        for service in observed.services
    )
    return replace(observed, services=tuple(services))


def _sharing(size: int) -> tuple[DesiredState, ObservedState]:
    desired, observed = _pending(size)
    services = (altered(service, sharing_key="key", announces_shared_ip=True) for service in observed.services)
    return desired, replace(observed, services=tuple(services))


def _behind_full_pools(size: int) -> tuple[DesiredState, ObservedState]:
    _, observed = _pending(size)
    full = tuple(_pool(f"full-{number:03}", f"192.0.{number}.1/32") for number in range(100))
    return DesiredState("benchmark", (*full, _SLASH_8)), observed


def _refused(size: int) -> tuple[DesiredState, ObservedState]:
    _, observed = _pending(size)
    return DesiredState("benchmark", tuple(_pool(f"full-{n:03}", f"192.0.{n}.1/32") for n in range(100))), observed


CASES: dict[str, Callable[[int], tuple[DesiredState, ObservedState]]] = {
    "pending, one /8": _pending,
    "holding, one /8": _holders,
    "pending, one sharing key and port": _sharing,
    "pending, behind 100 full pools": _behind_full_pools,
    "refused, 100 full pools": _refused,
}


def _full(size: int) -> tuple[DesiredState, ObservedState]:
    """One half holds every address there is, the other half is refused."""
    _, observed = _pending(size)
    desired = DesiredState("benchmark", (_pool("pool", f"10.0.0.0-{Address(Family.IPV4, _FIRST + size // 2 - 1)}"),))
    return desired, _applied(allocate(desired, observed), observed)


def _changed(observed: ObservedState, number: int) -> ObservedState:
    services, place = observed.services, _place(observed, number)
    changed = altered(services[place], resource_version=f"changed-{number}", labels=(("app", f"changed-{number}"),))
    return replace(observed, services=(*services[:place], changed, *services[place + 1 :]))


def _deleted(observed: ObservedState, number: int) -> ObservedState:
    services, place = observed.services, _place(observed, number)
    return replace(observed, services=services[:place] + services[place + 1 :])


def _place(observed: ObservedState, number: int) -> int:
    return number * 7919 % len(observed.services)


CHANGES: dict[
    str,
    tuple[Callable[[int], tuple[DesiredState, ObservedState]], Callable[[ObservedState, int], ObservedState]],
] = {
    "one changed, others holding": (_holders, _changed),
    "one deleted, others holding": (_holders, _deleted),
    "one changed, full, half of them refused": (_full, _changed),
    "one deleted, full, half of them refused": (_full, _deleted),
}

if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
