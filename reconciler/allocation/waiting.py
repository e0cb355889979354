"""Pending Services in queues of those that ask for the same."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heapreplace

from msgspec.structs import replace

from reconciler.allocation.decisions import Refusal
from reconciler.allocation.ledger import Ledger
from reconciler.allocation.outcome import Outcome
from reconciler.allocation.pool_choice import PoolChoice
from reconciler.allocation.refusals import Explainer
from reconciler.allocation.requests import Asking
from reconciler.allocation.shared_room import Found
from reconciler.allocation.steps import precedence_of_pending
from reconciler.model.observed import Service, ServiceKey

_Needs = tuple[object, ...]

_NOBODY = ServiceKey("")


class Queue:
    """
    Pending Services for which every search has the same answer, in the order in which they are served.

    While addresses are only given out and none is given back, there is nothing for those behind one that was refused.
    So `served`, what was found, is for the first of the members; all others are refused, and what they are told
    differs in nothing but their names.
    """

    __slots__ = ("_reason", "choice", "members", "needs", "served", "to_tell")

    def __init__(self, needs: _Needs, choice: PoolChoice) -> None:
        self.needs = needs
        self.choice = choice
        self.members: list[Asking] = []
        self.served: list[Found] = []
        self.to_tell: dict[ServiceKey, Asking] = {}  # who was served in the last pass, or was not there
        self._reason: Refusal | None = None

    def tell(self, explainer: Explainer) -> Iterator[tuple[Asking, Found | None]]:
        """The members of whom something else is to be said than after the last pass, and perhaps some others."""
        count = len(self.served)
        told, self.to_tell = self.to_tell, {}
        for asking, found in zip(self.members[:count], self.served, strict=True):
            told.pop(asking.service.key, None)
            yield asking, found
        if self.reads_otherwise(explainer):
            told.update((asking.service.key, asking) for asking in self.members[count:])
        for asking in told.values():
            yield asking, None

    def reads_otherwise(self, explainer: Explainer) -> bool:
        """Whether those who are refused have to be told something else than when this was asked the last time."""
        if len(self.served) == len(self.members):
            self._reason = None
            return False
        first = self.members[len(self.served)]
        before, self._reason = self._reason, replace(explainer.refusal(first, self.choice), service=_NOBODY)
        return before != self._reason


class Waiting:
    """All queues, on a ledger that has down for their Services what was found for them in the last pass."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queues: dict[_Needs, Queue] = {}
        self._queue_of: dict[ServiceKey, Queue] = {}

    def take_over(self, asking: Asking, choice: PoolChoice, found: Found | None) -> None:
        """Go on from what a whole pass found for a Service; to be called in the order in which they were served."""
        queue = self._queue(asking, choice)
        queue.members.append(asking)
        if found:
            queue.served.append(found)

    def was_told(self, explainer: Explainer) -> None:
        """Remember what that pass told those that it refused."""
        for queue in self._queues.values():
            queue.reads_otherwise(explainer)

    def add(self, asking: Asking, choice: PoolChoice) -> None:
        """Let a Service queue."""
        queue = self._queue(asking, choice)
        insort(queue.members, asking, key=_precedence)
        queue.to_tell[asking.service.key] = asking

    def _queue(self, asking: Asking, choice: PoolChoice) -> Queue:
        needs = _needs(asking, choice)
        queue = self._queues.get(needs)
        if queue is None:
            queue = self._queues[needs] = Queue(needs, choice)
        self._queue_of[asking.service.key] = queue
        return queue

    def withdraw(self) -> None:
        """Take back what was found for anybody."""
        for queue in self._queues.values():
            for asking, (pool, addresses) in zip(queue.members, queue.served, strict=False):
                self._ledger.release(pool, addresses, asking)
                queue.to_tell[asking.service.key] = asking
            queue.served.clear()

    def discard(self, service: Service) -> None:
        """Let a Service go that was withdrawn, if it queues at all."""
        queue = self._queue_of.pop(service.key, None)
        if queue is None:
            return
        del queue.members[bisect_left(queue.members, precedence_of_pending(service), key=_precedence)]
        queue.to_tell.pop(service.key, None)
        if not queue.members:
            del self._queues[queue.needs]

    def serve(self, find: Callable[[Asking, PoolChoice], Found | None]) -> None:
        """Give everybody what there is, the older first, then by key; nobody holds anything yet."""
        # Keys differ, so two queues are never compared.
        heads = [(*_precedence(queue.members[0]), queue) for queue in self._queues.values()]
        heapify(heads)
        while heads:
            queue = heads[0][-1]
            asking = queue.members[len(queue.served)]
            found = find(asking, queue.choice)
            if found:
                self._ledger.hold(*found, asking)
                queue.served.append(found)
            if found and len(queue.served) < len(queue.members):
                heapreplace(heads, (*_precedence(queue.members[len(queue.served)]), queue))
            else:
                heappop(heads)

    def report(self, outcome: Outcome, explainer: Explainer) -> Iterator[Service]:
        """Write down what has become of everybody for whom it may not be what it was, and name them."""
        for queue in self._queues.values():
            for asking, found in queue.tell(explainer):
                yield asking.service
                if found:
                    pool, addresses = found
                    outcome.assign(asking, addresses, pool.pool.name)
                else:
                    outcome.refuse(asking)


def _precedence(asking: Asking) -> tuple[str, str]:
    return precedence_of_pending(asking.service)


def _needs(asking: Asking, choice: PoolChoice) -> _Needs:
    """All that a search for a Service that holds nothing looks at."""
    request = asking.request
    ports = asking.service.ports if request.sharing else ()
    return choice, request.fault, request.alternatives, request.addresses, request.pool, request.sharing, ports
