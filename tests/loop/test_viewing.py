"""What the page asks of the cluster, and how often."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.port import ClusterError
from reconciler.loop.viewing import Viewing
from reconciler.telemetry.speaker_status import LinkRow, document
from tests.loop.corner import EVERYWHERE, pool
from tests.loop.memory_cluster import Replica, Shared
from tests.telemetry.builders import speaker

BOARD, NODE = "board", "worker"
FILES = (pool("p", "10.9.0.0/28"), EVERYWHERE)


class Scene:
    """A controller, somebody who looks at its page, and a clock that stands still unless it is turned."""

    def __init__(self, shared: Shared, replica: Replica) -> None:
        self.shared = shared
        self.now = 0.0
        self.asked = 0
        self.error: str | None = None
        links = (LinkRow(name="eth0"),)
        self.published = {"lb-reconciler-status-n": document(speaker(node=NODE, members=(), links=links))}
        self.viewing = Viewing(
            account=replica.account,
            controller=replica.controller,
            configuration=replica.configuration,
            cluster=shared.cluster,
            documents=self.documents,
            board_name=BOARD,
            lb_class="",
            clock=lambda: self.now,
        )

    async def documents(self) -> Mapping[str, bytes]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error:
            raise ClusterError(self.error)
        return self.published

    async def view(self) -> Any:
        """What somebody sees who looks when anything from before is too old."""
        self.now += 60.0
        return json.loads(await self.viewing.view())


@pytest.fixture
async def shared(tmp_path: Path) -> Shared:
    made = Shared(tmp_path)
    made.write(*FILES)
    made.cluster.create("s0", "s1")
    return made


async def test_a_leader_shows_services_and_who_announces_them(shared: Shared) -> None:
    scene = Scene(shared, await shared.leader("x"))
    found = await scene.view()
    assert [row["addresses"] for row in found["controller"]["services"]] == [["10.9.0.0"], ["10.9.0.1"]]
    assert {row["l2"] for row in found["announcers"]} == {NODE}
    assert (found["leader"], found["heldPlan"], found["notes"]) == (None, None, [])


async def test_however_many_look_the_cluster_is_asked_once(shared: Shared) -> None:
    scene = Scene(shared, await shared.leader("x"))
    written = await asyncio.gather(*(scene.viewing.view() for _ in range(20)))
    assert len(set(written)) == 1
    assert scene.asked == 1


async def test_what_cannot_be_read_is_said_and_nothing_is_made_up(shared: Shared) -> None:
    scene = Scene(shared, await shared.leader("x"))
    await scene.view()
    scene.error = "403 Forbidden"
    found = await scene.view()
    assert found["notes"] == ["what the speakers have published cannot be read: 403 Forbidden"]
    assert found["announcers"] is None
    scene.error = None
    assert (await scene.view())["notes"] == []


async def test_a_replica_that_waits_shows_what_the_leader_has_published(shared: Shared) -> None:
    await shared.leader("x")
    scene = Scene(shared, await shared.start("y"))
    assert shared.board.document is not None
    scene.published[BOARD] = shared.board.document
    found = await scene.view()
    assert found["leader"]["identity"] == "x"
    assert found["announcers"] is None
    scene.published[BOARD] = b"[damaged"
    assert (await scene.view())["leader"] is None


async def test_while_a_plan_is_held_the_page_shows_both_sides_of_it(shared: Shared) -> None:
    shared.cluster.create("s2", "s3")
    replica = await shared.leader("x")
    scene = Scene(shared, replica)
    await shared.revise(replica, files=(pool("b", "10.1.0.0/24"), EVERYWHERE))
    found = await scene.view()
    assert found["controller"]["newest"]["verdict"] == "held"
    moves = [(row["service"], *row["before"], *row["after"]) for row in found["heldPlan"]]
    assert moves == [(f"shop/s{n}", f"10.9.0.{n}", f"10.1.0.{n}") for n in range(4)]
    # By the files that are in force, not by those that are held.
    assert {row["l2"] for row in found["announcers"]} == {NODE}


async def test_speakers_of_another_class_are_not_ours(shared: Shared) -> None:
    scene = Scene(shared, await shared.leader("x"))
    scene.published = {"a": document(speaker(node="elsewhere", lb_class="other"))}
    found = await scene.view()
    assert [(row["node"], row["state"]) for row in found["nodes"]] == [(NODE, None)]
    assert {row["reason"] for row in found["announcers"]} == {"noSpeaker"}
