"""How the writes of a plan end: what fails alone keeps nobody back, and a server that is away is not asked for ever."""

import logging

import pytest

from reconciler.addresses.family import parse_address
from reconciler.cluster.api_errors import Unreachable
from reconciler.cluster.port import ClusterError, Conflict, NotLeading
from reconciler.loop.execution import Executor, IncompleteError
from reconciler.model.observed import ServiceKey
from reconciler.plan.actions import AssignAddresses, Plan, ServiceAction
from reconciler.telemetry.metrics import WriteResult
from tests.loop.memory_cluster import MemoryCluster

ENDINGS = {
    "s": Unreachable("nobody answers"),
    "r": ClusterError("a webhook refuses it"),
    "c": Conflict("it has changed"),
    "n": NotLeading("another leads"),
}


class Writing:
    """Services of which each is to be written once; a letter says how that ends, a point is success."""

    def __init__(self, endings: str, *, concurrency: int = 1) -> None:
        self.cluster = MemoryCluster()
        self.results: list[WriteResult] = []
        self.executor = Executor(self.cluster, lambda result, _: self.results.append(result), concurrency=concurrency)
        self.names = [f"s{number:02}" for number in range(len(endings))]
        self.cluster.create(*self.names)
        self.end(endings)

    def end(self, endings: str) -> None:
        found = zip(self.names, endings, strict=True)
        self.cluster.failures = {name: ENDINGS[letter] for name, letter in found if letter != "."}

    async def carry_out(self) -> ClusterError | None:
        """What it raises."""
        try:
            await self.executor.carry_out(Plan(tuple(map(self._assign, self.names))))
        except ClusterError as error:
            return error
        return None

    def _assign(self, name: str) -> ServiceAction:
        found = self.cluster.services[ServiceKey(f"shop/{name}")]
        address = parse_address(f"10.9.0.{self.names.index(name)}")
        return AssignAddresses(found.key, found.ingress, (address,), "p", found.resource_version, "Assigned", "from p")


@pytest.mark.parametrize(
    ("endings", "attempts", "is_unreachable"),
    [
        pytest.param("sss.....", 3, True, id="three unanswered in a row stop it"),
        pytest.param("..sss...", 5, True, id="also after answers"),
        pytest.param("ss.ss.ss", 8, False, id="two do not"),
        pytest.param("ssrsscss", 8, False, id="a refusal and a conflict are answers"),
        pytest.param("...s....", 8, False, id="one among answers is one that could not be written"),
        pytest.param("rrrr", 4, False, id="refusals never stop it"),
        pytest.param("s", 1, True, id="one that is all there is tells nothing else"),
    ],
)
async def test_unanswered_writes(endings: str, attempts: int, is_unreachable: bool) -> None:
    writing = Writing(endings)
    error = await writing.carry_out()
    assert isinstance(error, IncompleteError)
    assert error.is_unreachable is is_unreachable
    assert len(writing.cluster.attempts) == attempts
    written = [name for name, ending in zip(writing.names[:attempts], endings, strict=False) if ending == "."]
    assert [name for name, *_ in writing.cluster.moves] == written
    left = len(endings) - len(written)
    assert str(error).startswith(f"{left} writes were not made" if left > 1 else "a write was not made")


async def test_what_is_answered_is_done() -> None:
    writing = Writing("........", concurrency=3)
    assert await writing.carry_out() is None
    assert sorted(writing.cluster.held().values()) == [f"10.9.0.{number}" for number in range(8)]


@pytest.mark.parametrize("endings", ["..n.....", "s.n....."])
async def test_who_may_not_write_any_more_stops_at_once(endings: str) -> None:
    writing = Writing(endings)
    assert await writing.carry_out() is ENDINGS["n"]
    assert len(writing.cluster.attempts) == 3


async def test_nothing_is_begun_after_the_stop() -> None:
    writing = Writing("....")
    writing.executor.stop()
    assert isinstance(await writing.carry_out(), NotLeading)
    assert writing.cluster.attempts == []


async def test_each_result_is_counted() -> None:
    writing = Writing(".rcs")
    await writing.carry_out()
    expected = [WriteResult.WRITTEN, WriteResult.FAILED, WriteResult.CONFLICT, WriteResult.FAILED]
    assert writing.results == expected


async def test_a_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reconciler")
    writing = Writing(".r")
    said: list[list[str]] = []
    for endings in (".r", ".r", ".c", "..", ".c"):
        writing.end(endings)
        caplog.clear()
        await writing.carry_out()
        said.append([message for message in caplog.messages if "was not written" in message])
    refused, changed = (f"shop/s01 was not written: {ENDINGS[letter]}" for letter in "rc")
    assert said == [[refused], [], [changed], [], [changed]]


async def test_of_many_failures_a_few_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reconciler")
    await Writing("r" * 50).carry_out()
    assert len(caplog.messages) == 21
    assert caplog.messages[-1] == "30 more were not written"


async def test_a_line_of_a_write_names_the_service_its_addresses_and_the_revision_that_was_decided_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "reconciler")
    writing = Writing(".r")
    actions = tuple(map(writing._assign, writing.names))
    with pytest.raises(IncompleteError):
        await writing.executor.carry_out(Plan(actions), revision="c0ffee")
    written, failed = caplog.records
    facts = {name: vars(written)[name] for name in ("service", "addresses", "before", "pool", "reason", "revision")}
    assert facts == {
        "service": "shop/s00",
        "addresses": ["10.9.0.0"],
        "before": [],
        "pool": "p",
        "reason": "Assigned",
        "revision": "c0ffee",
    }
    assert vars(failed)["service"] == "shop/s01"
