"""
Which actions of a plan may be carried out at the same time, and which not at all any more once others have failed.

An address is taken in a later wave than the one in which it is given up, and a Service is written once in a wave.
"""

from collections.abc import Iterable, Iterator

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.observed import ServiceKey
from reconciler.plan.actions import (
    AssignAddresses,
    ClearAddresses,
    Plan,
    RecordCondition,
    RecordEvent,
    ServiceAction,
    StatusWrite,
)


def waves(plan: Plan[ServiceAction]) -> tuple[tuple[StatusWrite, ...], ...]:
    """
    The writes of a plan in as few waves as it takes, those of a wave in the order of the plan; without its Events.

    Conditions beside which no address is written come last: nobody waits for them, and they need not be waited for.
    """
    return tuple(tuple(step.action for step in wave) for wave in _waves(plan))


class Execution:
    """
    The carrying out of one plan, of which some writes may fail.

    Whoever fails may not have given up its address, so nobody takes it in this plan any more, and so on with those who
    then wait in vain. The next pass sees what has become of them.
    """

    def __init__(self, plan: Plan[ServiceAction]) -> None:
        self._plan = plan
        self._waves = _waves(plan)
        self._given_up: dict[ServiceKey, tuple[Address, ...]] = {}
        self._stuck: set[Address] = set()
        self._stopped: set[ServiceKey] = set()
        self._left_out: list[StatusWrite] = []

    def waves(self) -> Iterator[tuple[StatusWrite, ...]]:
        """The waves, one after the other; say which writes of a wave have `failed` before asking for the next one."""
        for wave in self._waves:
            possible = tuple(step for step in wave if not self._is_hopeless(step))
            self._given_up = {step.action.service: step.given_up for step in possible}
            if possible:
                yield tuple(step.action for step in possible)

    def failed(self, write: StatusWrite) -> None:
        """A write of the present wave failed, or nobody knows whether it was carried out."""
        self._stop(write.service, self._given_up.get(write.service, ()))

    @property
    def left_out(self) -> tuple[StatusWrite, ...]:
        """What was not even attempted, because something before it has failed."""
        return tuple(self._left_out)

    def events(self) -> Iterator[RecordEvent]:
        """The Events of the plan, less those about Services of which a write failed or was left out."""
        events = (action for action in self._plan.actions if isinstance(action, RecordEvent))
        return (event for event in events if event.service not in self._stopped)

    def _is_hopeless(self, step: "_Step") -> bool:
        service = step.action.service
        if service not in self._stopped and self._stuck.isdisjoint(step.taken):
            return False
        self._left_out.append(step.action)
        self._stop(service, step.given_up)
        return True

    def _stop(self, service: ServiceKey, given_up: Iterable[Address]) -> None:
        self._stopped.add(service)
        self._stuck.update(given_up)


class _Step(msgspec.Struct, frozen=True, gc=False):
    """A write, and what it changes about who holds what."""

    action: StatusWrite
    given_up: tuple[Address, ...] = ()
    taken: tuple[Address, ...] = ()


def _waves(plan: Plan[ServiceAction]) -> tuple[tuple[_Step, ...], ...]:
    found: list[list[_Step]] = []
    conditions: list[_Step] = []
    # The first wave in which the Service may be written (again), and in which the address may be taken.
    service_from: dict[ServiceKey, int] = {}
    address_from: dict[Address, int] = {}
    for step in _steps(plan):
        service = step.action.service
        if isinstance(step.action, RecordCondition) and service not in service_from:
            conditions.append(step)
            continue
        number = max((address_from.get(address, 0) for address in step.taken), default=0)
        number = max(number, service_from.get(service, 0))
        service_from[service] = number + 1
        # Only for those that come later in the plan: who takes it earlier may share it.
        address_from.update((a, max(number + 1, address_from.get(a, 0))) for a in step.given_up)
        if number == len(found):
            found.append([])
        found[number].append(step)
    if conditions:
        found = found or [[]]
        found[-1] += conditions
    return tuple(map(tuple, found))


def _steps(plan: Plan[ServiceAction]) -> Iterator[_Step]:
    held: dict[ServiceKey, tuple[Address, ...]] = {}
    for action in plan.actions:
        match action:
            case RecordEvent():
                continue
            case RecordCondition():
                yield _Step(action)
                continue
            case ClearAddresses(service=service):
                after: tuple[Address, ...] = ()
            case AssignAddresses(service=service, addresses=after):
                pass
        before = held.get(service, action.before)
        held[service] = after
        yield _Step(
            action,
            given_up=tuple([address for address in before if address not in after]),
            taken=tuple([address for address in after if address not in before]),
        )
