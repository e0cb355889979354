"""What may go wrong between a client and the API server, and for which requests."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing goes wrong: for a rule that only counts, or calls."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The request waits so many seconds before it goes on to the server."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The request does not reach the server; this is the answer, worded as the API server does it."""

    status: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection ends and the request does not reach the server."""


@dataclass(frozen=True, slots=True)
class Swallow:
    """The request does not reach the server, nothing answers, and the connection stays."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The server did what it was asked; the connection ends after so many octets of the body, or before the head."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """
    The server did what it was asked, and nothing more of its answer arrives; the connection stays.

    A watch that runs already is held from its next event on. What was held flows when the rule is taken away.
    """


Fault = Pass | Delay | Answer | Drop | Swallow | Cut | Hold


@dataclass(eq=False, slots=True)
class Rule:
    """
    A fault and the requests that it befalls.

    Args:
        fault: What happens to them.
        method: One method, or all when empty.
        path: A pattern that is searched for in the path with its query.
        times: How many requests it befalls; None for all of them.
        call: Called when such a request got as far as the fault lets it: for Pass, Delay, Cut and Hold the server has
            answered, and no octet of that has gone to the client; for the others it has not reached the server.
    """

    fault: Fault
    method: str = ""
    path: str = ""
    times: int | None = None
    call: Callable[[], object] | None = None
    befallen: int = field(default=0, init=False)
    """How many requests it befell so far."""
    done: int = field(default=0, init=False)
    """How many of them got as far as the fault lets them."""

    def befalls(self, method: str, path: str) -> bool:
        """Whether it befalls a request that arrives now."""
        if self.times is not None and self.befallen >= self.times:
            return False
        return self.method in {"", method} and re.search(self.path, path) is not None

    def got_through(self) -> None:
        """A request got as far as the fault lets it."""
        self.done += 1
        if self.call is not None:
            self.call()


class RuleBook:
    """The rules in force, in the order in which they were made. Belongs to one event loop."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._removed = asyncio.Condition()

    def add(self, rule: Rule) -> None:
        self._rules.append(rule)

    async def remove(self, rule: Rule | None) -> None:
        """One of them, or all."""
        self._rules = [kept for kept in self._rules if rule is not None and kept is not rule]
        async with self._removed:
            self._removed.notify_all()

    def befalling(self, method: str, path: str) -> Rule:
        """The first rule for a request that arrives."""
        return self._take(method, path) or Rule(Pass())

    def holding(self, method: str, path: str) -> Rule | None:
        """The first rule that holds back an answer which was let through so far."""
        return self._take(method, path, only=Hold)

    async def until_removed(self, rule: Rule) -> None:
        async with self._removed:
            await self._removed.wait_for(lambda: rule not in self._rules)

    def _take(self, method: str, path: str, only: type[object] = object) -> Rule | None:
        for rule in self._rules:
            if isinstance(rule.fault, only) and rule.befalls(method, path):
                rule.befallen += 1
                return rule
        return None
