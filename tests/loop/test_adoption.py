"""Which revision a speaker uses, with real files; the rules themselves are tested in tests/membership."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.cluster.port import ClusterError
from reconciler.loop.adoption import Adoption
from reconciler.loop.configuration import Configuration
from reconciler.loop.last_good import LastGood
from reconciler.membership.facts import Facts, Peer
from reconciler.membership.revisions import Revisions, WaitReason
from reconciler.model.desired import short_revision
from reconciler.model.observed import NodeName

_POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: a, namespace: lb-reconciler}
spec: {addresses: [192.0.2.0/2%d]}
"""
_HERE, _THERE = NodeName("n1"), NodeName("n2")


class _Board:
    """Where the controller would publish."""

    def __init__(self) -> None:
        self.document: bytes | None = None
        self.is_away = False
        self.asked = 0

    async def published(self, _name: str) -> bytes | None:
        self.asked += 1
        if self.is_away:
            raise ClusterError("the API server is away")
        return self.document

    async def publish(self, _name: str, _document: bytes) -> None:
        raise AssertionError("a speaker has nothing to publish there")


class _Speaker:
    def __init__(self, directory: Path, state: Path | None = None) -> None:
        self.now = 100.0
        self.directory = directory
        self.board = _Board()
        self.others: tuple[Peer, ...] = ()
        self.adopted: list[tuple[str, str, frozenset[str]]] = []
        self.woken: list[str] = []
        self.configuration = Configuration([str(directory)], LastGood(state))
        self.adoption = Adoption(
            self.configuration,
            Revisions(_HERE, self.now),
            self.board,
            "controller",
            peers=self._peers,
            adopted=self._note,
            wake=self.woken.append,
            clock=lambda: self.now,
        )

    def _peers(self) -> Sequence[Peer]:
        return self.others

    async def _note(self, in_use: str, loaded: str, former: frozenset[str]) -> None:
        self.adopted.append((in_use, loaded, former))

    async def commit(self, number: int) -> str:
        """Other files, and a look at them."""
        (self.directory / "pool.yaml").write_text(_POOL % number)
        await self.look()
        assert self.configuration.newest.revision is not None
        return self.configuration.newest.revision

    async def look(self) -> None:
        await self.configuration.look()
        await self.adoption.read_verdict()
        await self.adoption.settle()

    def judge(self, revision: str, verdict: str) -> None:
        in_force = f'"{revision}"' if verdict == "passed" else "null"
        newest = f'{{"revision": "{revision}", "verdict": "{verdict}"}}'
        self.board.document = f'{{"newest": {newest}, "revision": {in_force}}}'.encode()

    def other_has(self, *, loaded: str, in_use: str) -> None:
        facts = Facts(loaded=short_revision(loaded), in_use=short_revision(in_use), is_ready=True)
        self.others = (Peer(node=_THERE, address="192.0.2.11", facts=facts),)

    def why_waiting(self) -> WaitReason | None:
        return self.adoption.waiting.reason if self.adoption.waiting else None

    @property
    def in_use(self) -> str | None:
        return self.configuration.in_force.revision if self.configuration.in_force else None


@pytest.fixture
def speaker(tmp_path: Path) -> _Speaker:
    directory = tmp_path / "config"
    directory.mkdir()
    return _Speaker(directory, tmp_path / "state")


async def test_the_first_revision_is_used_at_once(speaker: _Speaker) -> None:
    first = await speaker.commit(5)
    assert speaker.in_use == first
    assert speaker.adopted == [(short_revision(first), short_revision(first), frozenset())]


async def test_the_next_waits_for_the_verdict_and_for_the_others(speaker: _Speaker) -> None:
    first = await speaker.commit(5)
    speaker.other_has(loaded=first, in_use=first)
    second = await speaker.commit(6)
    assert speaker.in_use == first
    assert speaker.why_waiting() is WaitReason.NOT_JUDGED
    speaker.judge(second, "passed")
    await speaker.look()
    assert speaker.why_waiting() is WaitReason.MEMBERS
    speaker.other_has(loaded=second, in_use=first)
    await speaker.look()
    assert speaker.in_use == second
    assert speaker.adoption.waiting is None
    assert [desired.revision for desired in speaker.adoption.former] == [first]
    # In one breath: without the former one this node would be no candidate for what only that announces.
    needed = frozenset({short_revision(first)})
    assert speaker.adopted[-1] == (short_revision(second), short_revision(second), needed)


async def test_a_word_of_another_that_uses_it_is_enough(speaker: _Speaker) -> None:
    first = await speaker.commit(5)
    speaker.other_has(loaded=first, in_use=first)
    second = await speaker.commit(6)
    speaker.adoption.heard(_THERE, short_revision(second))
    assert speaker.woken
    await speaker.look()
    assert speaker.in_use == second


async def test_a_held_revision_waits_without_limit(speaker: _Speaker) -> None:
    first = await speaker.commit(5)
    second = await speaker.commit(6)
    speaker.judge(second, "held")
    speaker.now += 10_000.0
    await speaker.look()
    assert speaker.in_use == first
    assert speaker.adoption.verdict_on(second) == "held"


async def test_without_any_verdict_it_is_used_after_the_wait(speaker: _Speaker) -> None:
    await speaker.commit(5)
    speaker.board.is_away = True
    second = await speaker.commit(6)
    assert speaker.in_use != second
    speaker.now += 120.0
    await speaker.look()
    assert speaker.in_use == second


async def test_files_that_are_not_valid_change_nothing(speaker: _Speaker) -> None:
    first = await speaker.commit(5)
    (speaker.directory / "pool.yaml").write_text("kind: Nonsense\n")
    speaker.now += 10_000.0
    await speaker.look()
    assert speaker.in_use == first
    assert speaker.adoption.waiting is None


async def test_after_a_restart_the_last_one_in_use_is_in_use_again(speaker: _Speaker, tmp_path: Path) -> None:
    first = await speaker.commit(5)
    again = _Speaker(speaker.directory, tmp_path / "state")
    await again.configuration.restore()
    (again.directory / "pool.yaml").write_text(_POOL % 6)
    await again.look()
    assert again.in_use == first
    assert again.adoption.waiting is not None
    assert again.adoption.in_use == short_revision(first)
    assert again.adoption.loaded != again.adoption.in_use
    assert again.adopted == [], "nothing new is in use"
