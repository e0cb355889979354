"""
One pass of the controller, made by whoever leads: look, decide, write, and say how things stand.

A pass looks at everything anew. While a revision waits for its verdict, the one in force is carried out first: what is
left to decide then is what the new files cause, and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from reconciler.allocation.decisions import Allocation
from reconciler.allocation.standing import Allocator
from reconciler.cluster.api_errors import ApiError, Unreachable
from reconciler.cluster.port import Cluster, ClusterError, MembershipKeys, NotLeading, NotSynced, StatusBoard
from reconciler.config.checks import check_cluster
from reconciler.loop.configuration import Configuration
from reconciler.loop.execution import Executor, IncompleteError
from reconciler.loop.holding import Hold, settle_in_light_of
from reconciler.loop.leadership import Leadership
from reconciler.loop.notices import Notices
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState
from reconciler.model.origin import Severity
from reconciler.plan.actions import Plan, ServiceAction
from reconciler.plan.guard import Settled, Silenced, Verdict, keep_all
from reconciler.plan.services import applied, plan_services
from reconciler.plan.silence import announces_alike, announces_nothing, silenced
from reconciler.telemetry.status import HELD, PASSED, REFUSED, PublishedVerdict, verdict_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a pass decided and on what, and what there is to do about it."""

    desired: DesiredState
    observed: ObservedState
    allocation: Allocation
    plan: Plan[ServiceAction]


class Controller:
    """
    The passes of one process. `describe` takes in how things stand, and gives what writes it down.

    `decided` is what the last pass that led decided, None before that; `inherited` is what stood published when
    leadership was gained; `unsynced` says what of the cluster is still missing.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        board: StatusBoard,
        board_name: str,
        describe: Callable[[], Callable[[], bytes]],
        configuration: Configuration,
        leadership: Leadership,
        notices: Notices,
        executor: Executor,
        keys: MembershipKeys,
        lb_class: str,
    ) -> None:
        self._cluster = cluster
        self._board = board
        self._board_name = board_name
        self._describe = describe
        self._configuration = configuration
        self._leadership = leadership
        self._notices = notices
        self._executor = executor
        self._keys: MembershipKeys | None = keys
        self._lb_class = lb_class
        self._allocator = Allocator()
        self._hold: Hold | None = None
        self._silenced: tuple[tuple[str | None, str], Silenced] | None = None
        self._remembers = False
        # Hashes of documents that say no more than we remember: ours, and what was read when we last began to lead.
        self._familiar: set[int] = set()
        self._publishing = asyncio.Lock()
        self._key_complaint: str | None = None
        self.decided: Decided | None = None
        self.inherited: PublishedVerdict | None = None
        self.unsynced: str | None = "nothing was read yet"

    def lead(self) -> None:
        """Leadership was gained: what others have decided, written and said meanwhile is to be read first."""
        self._remembers = False
        self._notices.forget()

    @property
    def verdict(self) -> str | None:
        """On the newest revision; None while there is none."""
        configuration = self._configuration
        if configuration.newest.why_refused is not None:
            return REFUSED
        if configuration.candidate is None:
            return PASSED
        return HELD if self._hold is not None and self._hold.revision == configuration.candidate.revision else None

    @property
    def hold(self) -> Hold | None:
        """The plan that is held, also while the files are refused since."""
        return self._hold

    async def make_pass(self, *, look_at_files: bool) -> None:
        """
        Look at everything once and do what there is to do.

        Raises:
            NotLeading: Somebody else leads by now.
            ClusterError: Something could not be read, or not everything could be written.
        """
        if look_at_files:
            await self._configuration.look()
            await self._tell()
        try:
            await self._cluster.observe()
        except NotSynced as error:
            self.unsynced = str(error)
            return
        self.unsynced = None
        if self._leadership.leads():
            await self._lead_on()
        elif look_at_files:
            await self._follow_leader()

    async def publish(self) -> None:
        """
        Say how things stand, for everybody to read; not before there is a verdict on the newest files.

        Raises:
            NotLeading: Somebody else leads by now.
            ClusterError: It could not be written.
        """
        async with self._publishing:
            if self._remembers and self.verdict is not None:
                document = await asyncio.to_thread(self._describe())
                # Where there is no answer it may stand there all the same.
                self._familiar.add(hash(document))
                await self._board.publish(self._board_name, document)
                self._familiar = {hash(document)}

    async def _lead_on(self) -> None:
        if not self._remembers:
            await self._remember()
        await self._make_key()
        try:
            await self._decide_and_write(await self._cluster.observe())
        finally:
            await self._tell()

    async def _decide_and_write(self, observed: ObservedState) -> None:
        self._check_beside(observed)
        if self.verdict == PASSED:
            self._hold = None
        candidate, in_force = self._configuration.candidate, self._configuration.in_force
        if candidate is None and self._hold is not None:
            await self._carry_out(await asyncio.to_thread(self._go_on_around, self._hold, in_force, observed))
            return
        incomplete = None
        # Around a plan that was held some were given addresses that the files in force do not know.
        if in_force is not None and self._hold is None:
            try:
                await self._carry_out(await asyncio.to_thread(self._decide, in_force, observed))
            except IncompleteError as error:
                # A Service that cannot be written must not keep new files from being judged: they may be the remedy.
                if candidate is None or error.is_unreachable:
                    raise
                incomplete = error
            observed = await self._cluster.observe()
        if candidate is not None:
            await self._judge(candidate, observed)
        if incomplete is not None:
            raise incomplete

    async def _tell(self) -> None:
        newest, in_force = self._configuration.newest, self._configuration.in_force
        revision = in_force.revision if in_force else None
        if self.verdict == REFUSED:
            await self._notices.refused(newest, revision)
        elif self.verdict == HELD and self._hold is not None and self._hold.desired is not None:
            await self._notices.held(newest.revision, self._hold.verdict)
        elif self.verdict == PASSED and self._remembers:
            await self._notices.applied(revision)

    # What others have said and done

    async def _remember(self) -> None:
        """Once after leadership was gained: go on where whoever led before has ended."""
        document = await self._read_document()
        published = self._news_in(document)
        if published is not None:
            await self._configuration.follow(published.in_force)
            self._hold = _hold_of(published)
            self.inherited = published
        self._familiar.add(hash(document))
        await self._cluster.catch_up()
        self._remembers = True

    async def _make_key(self) -> None:
        """Speakers cannot find each other before somebody has made their key; Services do not depend on it."""
        if self._keys is None:
            return
        try:
            await self._keys.ensure_membership_key()
            self._keys, self._key_complaint = None, None
        except NotLeading:
            raise
        except ClusterError as error:
            if str(error) != self._key_complaint:
                self._key_complaint = str(error)
                _LOG.warning("the speakers' key cannot be made: %s", error)

    async def _follow_leader(self) -> None:
        """Learn what has passed while somebody else leads, so as not to judge it again, or compare with older files."""
        try:
            document = await self._read_document()
        except ClusterError as error:
            _LOG.debug("what the leader has published is not known: %s", error)
            return
        published = self._news_in(document)
        if published is not None:
            await self._configuration.recognise(published.in_force)
            self._hold = _hold_of(published)

    def _news_in(self, document: bytes | None) -> PublishedVerdict | None:
        """What others say there. What we wrote ourselves says less than we remember: not everything gets written."""
        return verdict_of(document) if document is not None and hash(document) not in self._familiar else None

    async def _read_document(self) -> bytes | None:
        """What stands published; nothing where we have no right to know it: Services are served all the same."""
        try:
            return await self._board.published(self._board_name)
        except (Unreachable, ApiError):
            raise
        except ClusterError as error:
            _LOG.warning("what was published of the configuration before is not known: %s", error)
            return None

    # A revision that waits for its verdict

    def _check_beside(self, observed: ObservedState) -> None:
        """Refuse what is valid by itself but not in this cluster; and no longer once the cluster is another."""
        waiting = self._configuration.waiting
        if waiting is not None:
            problems = (p for p in check_cluster(waiting, observed) if p.severity is Severity.ERROR)
            self._configuration.refuse(tuple(problems))

    async def _judge(self, candidate: DesiredState, observed: ObservedState) -> None:
        proposed = await asyncio.to_thread(self._decide, candidate, observed)
        silent = await self._silenced_by(proposed)
        settled = await asyncio.to_thread(self._settle, proposed, silent)
        if settled.verdict.held:
            before, self._hold = self._hold, Hold(candidate.revision, settled.verdict, candidate)
            if before is None or _shown(before) != _shown(self._hold):
                await self._publish_verdict()
            await self._carry_out(await asyncio.to_thread(_planned, candidate, observed, settled.effective))
            return
        # Kept and published before anything is written: whoever carries on after a crash must not judge the half of a
        # plan that is left.
        await self._configuration.put_in_force()
        self._hold = None
        await self._publish_verdict()
        await self._carry_out(proposed)

    def _settle(self, proposed: Decided, silent: Silenced) -> Settled:
        return settle_in_light_of(
            self._hold,
            proposed.desired,
            proposed.observed,
            lb_class=self._lb_class,
            silenced=silent,
            proposed=proposed.allocation,
        )

    def _go_on_around(self, hold: Hold, in_force: DesiredState | None, observed: ObservedState) -> Decided:
        """The files are refused since a plan was held: who was served around it keeps what he was given."""
        if hold.desired is not None:
            _, silent = self._silenced or (None, frozenset())
            settled = self._settle(self._decide(hold.desired, observed), silent)
            return _planned(hold.desired, observed, settled.effective)
        desired = in_force or DesiredState(hold.revision)
        return _planned(desired, observed, keep_all(desired, observed, lb_class=self._lb_class))

    async def _silenced_by(self, proposed: Decided) -> Silenced:
        """Which addresses would be held on in silence, as it was found at the first look at those two revisions."""
        in_force = self._configuration.in_force
        compared = (in_force.revision if in_force else None, proposed.desired.revision)
        if self._silenced is None or self._silenced[0] != compared:
            self._silenced = (compared, await self._find_silenced(in_force, proposed))
        return self._silenced[1]

    async def _find_silenced(self, in_force: DesiredState | None, proposed: Decided) -> Silenced:
        # With nothing to compare the files with, it is not known; and who said nothing does not fall silent.
        if in_force is None or announces_nothing(in_force) or announces_alike(in_force, proposed.desired):
            return frozenset()
        observed = replace(proposed.observed, endpoints=await self._cluster.endpoints())
        after = applied(observed, proposed.plan)
        return await asyncio.to_thread(
            partial(silenced, in_force, proposed.desired, observed, after, lb_class=self._lb_class)
        )

    # Deciding and writing

    def _decide(self, desired: DesiredState, observed: ObservedState) -> Decided:
        # Remembered from one look at a revision to the next: of thousands of Services that is most of a pass.
        return _planned(desired, observed, self._allocator.allocate(desired, observed, lb_class=self._lb_class))

    async def _carry_out(self, decided: Decided) -> None:
        self.decided = decided
        await self._executor.carry_out(decided.plan, revision=decided.desired.revision)

    async def _publish_verdict(self) -> None:
        """A verdict is worth nothing unless the speakers can read it; but Services are served without it as well."""
        try:
            await self.publish()
        except NotLeading:
            raise
        except ClusterError as error:
            _LOG.warning("the verdict on the configuration is not published: %s", error)


def _planned(desired: DesiredState, observed: ObservedState, allocation: Allocation) -> Decided:
    return Decided(desired, observed, allocation, plan_services(allocation, observed, desired))


def _hold_of(published: PublishedVerdict) -> Hold | None:
    if published.held_revision is None:
        return None
    return Hold(published.held_revision, Verdict(held=True, digest=published.digest, reason=published.held_reason))


def _shown(hold: Hold) -> tuple[str, str | None]:
    return hold.revision, hold.verdict.digest
