"""What allocation decides, as values: who holds what, who was refused, who lost what, and what to remark on."""

from dataclasses import dataclass

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.observed import ServiceKey
from reconciler.model.origin import Origin


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """The addresses a Service holds, in the order of its status, all from one pool."""

    service: ServiceKey
    addresses: tuple[Address, ...]
    pool: str


class PoolRefusal(msgspec.Struct, frozen=True, gc=False):
    """Why one pool could not serve a request. `rule` is a reason code; `origin` is the line of the pool behind it."""

    pool: str
    rule: str
    detail: str
    origin: Origin | None = None


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """
    A request that could not be met.

    `reason` is a stable code of interfaces section 2; `message` holds MetalLB's fixed fragment. `causes` tell pool by
    pool what stopped it, the most useful first, and `further_pools` counts the pools that are not among them;
    `advice` is what to change. `event` is the reason word of the Warning
    Event, empty where MetalLB is silent. A Service may keep an address and still have a refusal: its old address
    stays until the new request can be met.
    """

    service: ServiceKey
    reason: str
    message: str
    event: str = "AllocationFailed"
    origin: Origin | None = None
    causes: tuple[PoolRefusal, ...] = ()
    advice: str = ""
    further_pools: int = 0


class Loss(msgspec.Struct, frozen=True, gc=False):
    """
    Addresses in a Service's status that it may not keep.

    `by_configuration` tells what a change of the files causes from what the Service's own edit does: only the first
    may be held back by the guard. `event` is empty where MetalLB clears silently.
    """

    service: ServiceKey
    addresses: tuple[Address, ...]
    reason: str
    message: str
    by_configuration: bool
    event: str = "ClearAssignment"
    origin: Origin | None = None


class Remark(msgspec.Struct, frozen=True, gc=False):
    """Something to say about a Service that changes nothing: an Event of that type and reason."""

    service: ServiceKey
    type: str
    reason: str
    message: str


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A Service that is not for us to serve, and the code that says why."""

    service: ServiceKey
    reason: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """
    All decisions of one pass; each tuple is sorted by Service key.

    `pinned` are Services that stay as they are while a plan is held: nothing of them is written, whatever the rest
    says.
    """

    assignments: tuple[Assignment, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    losses: tuple[Loss, ...] = ()
    remarks: tuple[Remark, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    pinned: frozenset[ServiceKey] = frozenset()
