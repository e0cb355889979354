"""Looks for members that are missing: the seeds when a speaker starts, and whoever was cut off, until it is back."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import kinship

from reconciler.errors import ReconcilerError
from reconciler.membership.seeds import endpoint, host_of, is_name, worth_asking
from reconciler.model.observed import NodeName
from reconciler.model.settings import MembershipSettings

_LOG = logging.getLogger(__name__)

# How often somebody missing is asked, in seconds: at first, and once the same ones are missing for a minute. And how
# many at once, for one that answers knows the others.
_INTERVAL, _LATER_INTERVAL = 0.25, 1.0
_SOON = 60.0
_ASKED_AT_ONCE = 5
# A speaker that starts is in more of a hurry.
_JOIN_INTERVAL = 0.1
_REJOIN_TIMEOUT = 0.5
# How often the seeds are read anew: as long as nobody is found, and after that.
_SEEDS_ALONE, _SEEDS_TOGETHER = 2.0, 30.0
# How long one that died is looked for; the seeds are looked for always.
_REMEMBERED = 600.0

Seeds = Callable[[], Awaitable[Sequence[str]]]


class Search:
    """Asks the missing, a few at a time, until they answer. An answer brings all members that the other knows."""

    def __init__(
        self,
        cluster: kinship.Cluster,
        seeds: Seeds,
        *,
        own: Sequence[str],
        settings: MembershipSettings,
        on_missing: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        """
        Args:
            cluster: The group, started before anything is asked.
            settings: How long to look at the start; the port of seeds that name none.
            on_missing: Called with the hosts that are about to be asked.
            seeds: Where members may be found, this node included or not: hosts, or hosts with a port. May raise any
                error of ours, or OSError: then those that were read before stand.
            own: Where this node is reached: it does not ask itself.
        """
        self._cluster = cluster
        self._read = seeds
        self._own = own
        self._settings = settings
        self._on_missing = on_missing
        self._seeds: tuple[str, ...] = ()
        self._next_read = 0.0
        # Members that died: where they were, and when.
        self._missed: dict[NodeName, tuple[str, float]] = {}

    def missed(self, node: NodeName, address: str) -> None:
        """A member is dead that was at that address."""
        self._missed[node] = (address, time.monotonic())

    def found(self, node: NodeName) -> None:
        """A member is there, or has left on purpose."""
        self._missed.pop(node, None)

    async def join(self) -> bool:
        """Look for the others, for `join_timeout` at most; whether one answered, or there is nobody to ask."""
        deadline = time.monotonic() + self._settings.join_timeout
        while True:
            is_known = await self._read_seeds(deadline - time.monotonic())
            missing = self._missing()
            if is_known and not missing:
                return True
            if await self._ask(missing, deadline - time.monotonic()):
                return True
            if time.monotonic() + _JOIN_INTERVAL >= deadline:
                break
            await asyncio.sleep(_JOIN_INTERVAL)
        _LOG.warning("no other speaker answers: going on alone", extra={"asked": ", ".join(missing) or "nobody"})
        return False

    async def rejoin(self) -> bool:
        """Ask the missing now, for half a second at most; whether one answered, or nobody is missing."""
        missing = self._missing()
        return not missing or await self._ask(missing, _REJOIN_TIMEOUT)

    async def run(self) -> None:
        """Look for the missing for ever."""
        last: list[str] = []
        since = time.monotonic()
        while True:
            begun = time.monotonic()
            is_due = begun >= self._next_read
            if is_due:
                await self._read_seeds(_SEEDS_ALONE)
            missing = self._missing()
            if missing != last:
                last, since = missing, begun
            # Whom a name stands for is not known: once somebody is there, it is asked only now and then.
            ask_names = is_due or not self._present()
            await self._ask([at for at in missing if ask_names or not is_name(at)], _INTERVAL)
            interval = _INTERVAL if begun - since < _SOON else _LATER_INTERVAL
            await asyncio.sleep(max(0.0, begun + interval - time.monotonic()))

    async def _read_seeds(self, limit: float) -> bool:
        """Read the seeds, in so many seconds at most; whether they could be read."""
        try:
            async with asyncio.timeout(max(limit, 0.0)):
                read = await self._read()
        except (ReconcilerError, OSError) as exc:
            # TimeoutError is one of the latter.
            _LOG.warning("the seeds of the group cannot be read: %s", exc or "it takes too long")
            self._next_read = time.monotonic() + _SEEDS_ALONE
            return False
        self._seeds = tuple(endpoint(seed, self._settings.port) for seed in read)
        interval = _SEEDS_TOGETHER if self._present() else _SEEDS_ALONE
        self._next_read = time.monotonic() + interval
        return True

    def _missing(self) -> list[str]:
        """Where somebody may be who is no member at present."""
        now = time.monotonic()
        self._missed = {node: (at, since) for node, (at, since) in self._missed.items() if now - since < _REMEMBERED}
        addresses = [at for at, _ in self._missed.values()]
        return worth_asking(
            [*self._seeds, *addresses], present={*self._present(), *self._own, self._cluster.local.addr}
        )

    def _present(self) -> set[str]:
        local = self._cluster.local.addr
        return {member.addr for member in self._cluster.members() if member.addr != local}

    async def _ask(self, missing: Sequence[str], limit: float) -> bool:
        """Ask some of them at once; whether one answered in so many seconds."""
        if not missing:
            return False
        asked = random.sample(missing, min(len(missing), _ASKED_AT_ONCE))
        if self._on_missing is not None:
            self._on_missing([host_of(address) for address in asked])
        attempts = [asyncio.create_task(self._answers(address)) for address in asked]
        try:
            for attempt in asyncio.as_completed(attempts, timeout=max(limit, 0.0)):
                if await attempt:
                    return True
        except TimeoutError:
            pass
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)
        return False

    async def _answers(self, address: str) -> bool:
        try:
            return await self._cluster.join([address]) > 0
        except (kinship.KinshipError, ValueError) as exc:
            _LOG.debug("no answer from %s: %s", address, exc)
            return False
