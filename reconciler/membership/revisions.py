"""
Which revision of the configuration a speaker announces by: what its files had, what the others have, the controller's
verdict and time → use it, or wait. No I/O, no clock.

Files reach nodes up to 90 s apart, and two nodes that elect by different files may both announce an address, or
neither. So the group changes over together: when everybody has a revision, or as soon as one of it has begun to use it.
docs/decisions/membership-one-revision.md tells the cases apart.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from reconciler.membership.facts import Facts, Peer
from reconciler.model.desired import short_revision
from reconciler.model.observed import NodeName

# So many revisions after the one in use may still be taken: `Configuration` remembers as many.
KEPT = 4
# Seconds in which a message about a revision that our files have left again may still be under way.
_IN_FLIGHT = 10.0


class Verdict(StrEnum):
    """What the controller says of a revision: the words that it publishes."""

    PASSED = "passed"
    HELD = "held"
    REFUSED = "refused"
    UNKNOWN = ""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the controller has published: its newest revision and the verdict on it, empty where there is none yet; the
    revision that is in force; and the one whose plan is held, which may be older than the newest.
    """

    revision: str = ""
    verdict: str = ""
    in_force: str | None = None
    held_revision: str | None = None

    @property
    def held(self) -> str | None:
        """The revision that waits for an approval."""
        return self.revision if self.verdict == Verdict.HELD else self.held_revision

    def on(self, revision: str) -> Verdict:
        """The verdict on a revision. What is in force has passed, whatever the newest one is."""
        if revision == self.in_force:
            return Verdict.PASSED
        if revision == self.held:
            return Verdict.HELD
        return Verdict(self.verdict) if revision == self.revision and self.verdict in set(Verdict) else Verdict.UNKNOWN


_NEVER = frozenset({Verdict.HELD, Verdict.REFUSED})


class WaitReason(StrEnum):
    """Why a revision is not used yet."""

    MEMBERS = "members"  # it has passed, and somebody has not got it
    NOT_JUDGED = "not-judged"
    HELD = "held"
    REFUSED = "refused"


class Stay(msgspec.Struct, frozen=True):
    """There is nothing newer than what is in use; before the first revision, nothing at all."""


class Use(msgspec.Struct, frozen=True):
    """Announce by this revision from now on, and tell the others (`Adopted`)."""

    revision: str


class Await(msgspec.Struct, frozen=True, kw_only=True):
    """
    Go on with what is in use. `revision` is the newest one; `lacking` are the members that have not got it, by name.

    `until` is when time alone changes the answer, None when it does not. `message` is a sentence for people.
    """

    revision: str
    reason: WaitReason
    lacking: tuple[NodeName, ...] = ()
    until: float | None = None
    message: str = ""


Choice: TypeAlias = Stay | Use | Await


class Sighting(msgspec.Struct, frozen=True):
    """A revision that the files came to have, when, and the last verdict on it that was heard since."""

    revision: str
    seen_at: float
    verdict: Verdict = Verdict.UNKNOWN


class Revisions:
    """
    The revisions of one speaker in the order in which its files had them.

    Tell it of the files (`saw`), of messages (`handle_adopted`) and of what has been put to use (`use`); ask `choose`
    whenever any of this, the members or the verdict changes, and at the instant that it names. Every `now` is in
    seconds on one monotonic clock. Files that go back to an earlier revision show it anew: it is the newest then.
    """

    def __init__(self, node: NodeName, now: float) -> None:
        self._node = node
        self._began_at = now
        self._in_use: str | None = None
        self._after: tuple[Sighting, ...] = ()
        self._members: dict[NodeName, Facts] = {}
        # By node what it has told us since its facts last changed, and what it used already when we left it.
        self._adopted: dict[NodeName, str] = {}
        self._left_behind: dict[NodeName, str] = {}
        self._has_stood = False

    @property
    def in_use(self) -> str | None:
        """The revision that this speaker announces by, None before the first."""
        return self._in_use

    @property
    def loaded(self) -> str:
        """`Facts.loaded`: the newest valid revision, shortened; empty before the first."""
        newest = self._after[-1].revision if self._after else self._in_use
        return short_revision(newest or "")

    def restore(self, revision: str) -> None:
        """What was in use before the last restart is in use again. Before anything is seen."""
        self._in_use = revision

    def saw(self, revision: str, now: float) -> None:
        """The files are valid and have this revision. Files that are not valid are no news."""
        newest = self._after[-1].revision if self._after else self._in_use
        if revision != newest:
            self._after = (*self._after, Sighting(revision, now))[-KEPT:]

    def use(self, revision: str) -> None:
        """What `choose` named is in use now."""
        index = _after_last([sighting.revision for sighting in self._after], revision)
        past = {short_revision(old) for old in (self._in_use or "", *(one.revision for one in self._after[:index]))}
        behind = {node: used for node in self._members if (used := self._used_by(node)) in past}
        self._left_behind.update({node: used for node, used in behind.items() if used != short_revision(revision)})
        self._after = self._after[index:]
        self._in_use = revision

    def handle_adopted(self, node: NodeName, revision: str) -> None:
        """A member has just taken a revision, shortened, into use: sooner than its facts say so."""
        if node in self._members:
            self._adopted[node] = revision
            self._left_behind.pop(node, None)

    def choose(self, peers: Iterable[Peer] | None, published: Published | None, wait: float, now: float) -> Choice:
        """
        Say which revision to announce by.

        Args:
            peers: The live members; this node among them or not. None as long as the group was not looked for: then
                only a first revision is used, because the others may have another.
            published: What the controller says, None where that is not known.
            wait: How long to wait for members and the verdict, in seconds (`spec.membership.revisionWait`).
            now: The present.
        """
        others = [peer for peer in peers or () if peer.node != self._node]
        self._look_at(others)
        if self._in_use is None:
            return Use(self._after[-1].revision) if self._after else Stay()
        if peers is None:
            return Stay()
        self._hear(published)
        self._forget(now)
        timed = self._timed(published)
        ready = self._ready(others, timed, wait, now)
        if ready is not None:
            return Use(ready)
        waiting = self._waiting()
        until = None if timed is None else timed.seen_at + wait
        return _await(waiting[-1], others, published, until) if waiting else Stay()

    def is_in_step(self, peers: Iterable[Peer], published: Published | None, wait: float, now: float) -> bool:
        """
        Whether this speaker may be elected: no other revision has more of the members that are than its own has.

        Somebody who starts with other files than the group's would announce what another owns, or nobody at all.
        After `wait` it may, unless its revision is held or refused. Once it may, it may for good.
        """
        if self._in_use is None:
            return False
        if not self._has_stood:
            users: dict[str, int] = {}
            for peer in peers:
                if peer.node != self._node and peer.facts is not None and peer.facts.is_ready:
                    users[peer.facts.in_use] = users.get(peer.facts.in_use, 0) + 1
            verdict = published.on(self._in_use) if published else Verdict.UNKNOWN
            is_late = now >= self._began_at + wait and verdict not in _NEVER
            ours = users.get(short_revision(self._in_use), 0)
            self._has_stood = is_late or ours >= max(users.values(), default=0)
        return self._has_stood

    def _ready(self, others: Collection[Peer], timed: Sighting | None, wait: float, now: float) -> str | None:
        """The newest revision that may be used now."""
        waiting = self._waiting()
        for sighting in reversed(self._after):
            revision = sighting.revision
            if revision == self._in_use or sighting.verdict in _NEVER:
                continue
            has_passed = sighting in waiting and sighting.verdict is Verdict.PASSED
            if (
                self._is_used_by_another(revision)
                or (has_passed and not _lacking(revision, others))
                or (sighting is timed and now >= sighting.seen_at + wait)
            ):
                return revision
        return None

    def _look_at(self, others: Collection[Peer]) -> None:
        before, self._members = self._members, {p.node: p.facts for p in others if p.facts is not None}
        for node in before.keys() - self._members.keys():
            self._adopted.pop(node, None)
            self._left_behind.pop(node, None)
        for node, facts in self._members.items():
            known = before.get(node)
            if known is not None and known.in_use != facts.in_use:
                self._adopted.pop(node, None)
            self._forgive(node)

    def _forgive(self, node: NodeName) -> None:
        if self._left_behind.get(node) != self._used_by(node):
            self._left_behind.pop(node, None)

    def _used_by(self, node: NodeName) -> str:
        return self._adopted.get(node, self._members[node].in_use)

    def _is_used_by_another(self, revision: str) -> bool:
        """Not by one that starts: it may have nothing else. Nor by one that we have left behind: that is no news."""
        short = short_revision(revision)
        return any(
            facts.is_ready and self._used_by(node) == short and self._left_behind.get(node) != short
            for node, facts in self._members.items()
        )

    def _hear(self, published: Published | None) -> None:
        # The controller goes on to later revisions: what it said of this one is remembered.
        if published is not None:
            self._after = tuple(
                sighting
                if (verdict := published.on(sighting.revision)) in {Verdict.UNKNOWN, sighting.verdict}
                else Sighting(sighting.revision, sighting.seen_at, verdict)
                for sighting in self._after
            )

    def _forget(self, now: float) -> None:
        # The files went away from what is in use and came back. Others may have begun to use what was between, because
        # we had it; once that is not possible any more, one that lags must not pull us there.
        index = self._last_of_in_use()
        if index is not None and now >= self._after[index].seen_at + _IN_FLIGHT:
            self._after = self._after[index + 1 :]

    def _waiting(self) -> tuple[Sighting, ...]:
        index = self._last_of_in_use()
        return self._after if index is None else self._after[index + 1 :]

    def _last_of_in_use(self) -> int | None:
        return max((i for i, sighting in enumerate(self._after) if sighting.revision == self._in_use), default=None)

    def _timed(self, published: Published | None) -> Sighting | None:
        """
        What is used when its wait is over, whoever lacks it and whether there is a verdict on it or not.

        Only the newest: an earlier one may never have been on another node, and never will be. And not while the
        controller holds a plan of files that we have not got: they may be later than ours, and ours hold the same.
        """
        newest = self._after[-1] if self._after else None
        if newest is None or newest.revision == self._in_use or newest.verdict in _NEVER:
            return None
        held = published.held if published else None
        is_known = held in {None, self._in_use, *(sighting.revision for sighting in self._after)}
        return newest if is_known or newest.verdict is Verdict.PASSED else None


def _after_last(order: Sequence[str], revision: str | None) -> int:
    return max((i + 1 for i, one in enumerate(order) if one == revision), default=0)


def _lacking(revision: str, others: Iterable[Peer]) -> tuple[NodeName, ...]:
    """Who does not say that it has the revision, by name; facts that cannot be read say nothing."""
    short = short_revision(revision)
    return tuple(sorted(peer.node for peer in others if peer.facts is None or not _has(peer.facts, short)))


def _has(facts: Facts, short: str) -> bool:
    return short in {facts.loaded, facts.in_use}


def _await(newest: Sighting, others: Iterable[Peer], published: Published | None, until: float | None) -> Await:
    lacking = _lacking(newest.revision, others)
    match newest.verdict:
        case Verdict.HELD:
            reason, message = WaitReason.HELD, "the controller holds it until its plan is approved"
        case Verdict.REFUSED:
            reason, message = WaitReason.REFUSED, "the controller has refused it"
        case Verdict.PASSED:
            reason, message = WaitReason.MEMBERS, f"it has passed, and {_names(lacking)} not got it yet"
        case Verdict.UNKNOWN:
            reason, message = WaitReason.NOT_JUDGED, _not_judged(lacking, published)
    return Await(revision=newest.revision, reason=reason, lacking=lacking, until=until, message=message)


def _not_judged(lacking: Sequence[NodeName], published: Published | None) -> str:
    if published is None:
        text = "what the controller says of it cannot be read"
    elif published.held is not None:
        text = f"the controller has not judged it, and holds revision {short_revision(published.held)}"
    else:
        text = "the controller has not judged it"
    return f"{text}; {_names(lacking)} not got it yet" if lacking else text


def _names(nodes: Sequence[NodeName]) -> str:
    shown = ", ".join(f'"{node}"' for node in nodes[:3])
    more = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
    return f"{shown}{more} {'has' if len(nodes) == 1 else 'have'}"
