"""
Which revision a speaker announces by: the rules of `membership.revisions`, fed with files, members and the verdict.

The controller's verdict is read from what it publishes, and only while something waits for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from reconciler.cluster.port import ClusterError, StatusBoard
from reconciler.loop.configuration import Configuration
from reconciler.membership.facts import Peer
from reconciler.membership.revisions import Await, Published, Revisions, Use
from reconciler.model.desired import DesiredState, short_revision
from reconciler.model.observed import NodeName
from reconciler.telemetry.status import verdict_of

_LOG = logging.getLogger(__name__)
# In seconds: how often the verdict is looked for while something waits for it.
_LOOK_AGAIN = 1.0
# So many configurations may still be needed for addresses that the controller has not moved yet.
_MOST_FORMER = 3


class Adoption:
    """
    Keeps a configuration at the revision that the group uses.

    `waiting` says why the newest one is not in use yet, None when it is. `former` are the configurations before it, the
    latest first, as long as somebody holds an address that only they know.
    """

    def __init__(
        self,
        configuration: Configuration,
        revisions: Revisions,
        board: StatusBoard,
        board_name: str,
        *,
        peers: Callable[[], Sequence[Peer] | None],
        adopted: Callable[[str, str, frozenset[str]], Awaitable[None]],
        wake: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        """
        Args:
            configuration: The files.
            revisions: The rules; nobody else feeds them.
            board: Where the controller publishes.
            board_name: The name of its document.
            peers: The members alive, None as long as nothing is known of them.
            adopted: Told of the revision that is in use from now on, the newest one that is loaded, and those that are
                still needed beside it, all shortened.
            wake: Asks for a pass, with a reason.
            clock: Monotonic, in seconds.
        """
        self._configuration = configuration
        self._revisions = revisions
        self._board = board
        self._board_name = board_name
        self._peers = peers
        self._adopted = adopted
        self._wake = wake
        self._clock = clock
        self._wanted = asyncio.Event()
        self._is_restored = False
        self._complaint: str | None = None
        self.published: Published | None = None
        self.waiting: Await | None = None
        self.former: tuple[DesiredState, ...] = ()

    @property
    def loaded(self) -> str:
        """The newest valid revision, shortened, for the others to know."""
        return self._revisions.loaded

    @property
    def in_use(self) -> str:
        """The revision that this node announces by, shortened; empty before the first."""
        return short_revision(self._revisions.in_use or "")

    def verdict_on(self, revision: str | None) -> str | None:
        """What the controller says of a revision, as far as is known."""
        if revision is None or self.published is None:
            return None
        return self.published.on(revision) or None

    def heard(self, node: NodeName, revision: str) -> None:
        """Another speaker has taken a revision, shortened, into use."""
        self._revisions.handle_adopted(node, revision)
        if self.waiting is not None:
            self._wake(f"{node} uses revision {revision}")

    async def settle(self) -> None:
        """Take in what the files say, and use what is to be used now."""
        configuration, now = self._configuration, self._clock()
        if not self._is_restored:
            self._is_restored = True
            if configuration.in_force is not None:
                self._revisions.restore(configuration.in_force.revision)
        newest = configuration.newest.desired
        if newest is not None:
            self._revisions.saw(newest.revision, now)
        choice = self._revisions.choose(self._peers(), self.published, self._wait, now)
        self.waiting = choice if isinstance(choice, Await) else None
        if self.waiting is not None:
            self._wanted.set()
        if isinstance(choice, Use):
            await self._use(choice.revision)

    def is_in_step(self) -> bool:
        """Whether this node may be elected: not by other files than the group's."""
        found = self._revisions.is_in_step(self._peers() or (), self.published, self._wait, self._clock())
        if not found:
            self._wanted.set()
        return found

    def keep_former(self, needed: tuple[DesiredState, ...]) -> None:
        """Only these are needed any more."""
        self.former = needed

    async def run(self) -> None:
        """
        Look for the verdict while somebody waits for it, and ask for passes; until cancelled.

        Beside the passes, because the API server may take its time, and a pass is what takes over from a dead node.
        """
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.read_verdict()
            self._wake("a revision waits")
            await asyncio.sleep(_LOOK_AGAIN)

    @property
    def _wait(self) -> float:
        desired = self._configuration.in_force or self._configuration.newest.desired
        return desired.settings.membership.revision_wait if desired else 0.0

    async def _use(self, revision: str) -> None:
        before = self._configuration.in_force
        if not await self._configuration.recognise(revision):
            # The files have gone on, and it is not remembered: what comes after it will be used in its turn.
            _LOG.warning("revision %s is to be used, and is not known here any more", revision)
            return
        self._revisions.use(revision)
        if before is not None:
            self.former = (before, *self.former)[:_MOST_FORMER]
        # In one breath: who seems to know the new one only is no candidate for what the former one alone announces.
        needed = frozenset(short_revision(one.revision) for one in self.former)
        await self._adopted(short_revision(revision), self.loaded, needed)

    async def read_verdict(self) -> None:
        """Learn what the controller says of revisions; as before where that cannot be read."""
        try:
            document = await self._board.published(self._board_name)
        except ClusterError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _LOG.warning("the controller's verdict cannot be read: %s", error)
            return
        self._complaint = None
        verdict = verdict_of(document) if document is not None else None
        if verdict is not None:
            self.published = Published(
                revision=verdict.revision,
                verdict=verdict.verdict,
                in_force=verdict.in_force,
                held_revision=verdict.held_revision,
            )
