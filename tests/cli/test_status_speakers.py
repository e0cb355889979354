"""What `reconciler status` shows of speakers."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.cli.naming import CONTROLLER_STATUS, speaker_status
from reconciler.cluster.role_files import RoleFiles
from reconciler.telemetry import status as controllers
from reconciler.telemetry.speaker_status import (
    AnnouncementRow,
    LinkRow,
    MemberRow,
    MemberState,
    SpeakerStatus,
    document,
)
from reconciler.telemetry.status import REFUSED, ClusterState, LastPass, NewestRevision
from tests.cli.builders import HOSTILE
from tests.cli.conftest import Run
from tests.telemetry.builders import CONFLICT, HANDOVER, NOON, OVERLAP, REFUSING, SESSION, speaker, status, waiting

EXPECTED = Path(__file__).parent / "expected"
REWRITE = "RECONCILER_REWRITE_EXPECTED"
ALIVE = tuple(MemberRow(node=f"worker-{n}", state=MemberState.ALIVE) for n in (1, 2, 3))
LINKS = (LinkRow(name="eth0", mac="02:00:00:00:00:0a"),)


def well(node: str, **facts: Any) -> SpeakerStatus:
    """A speaker about which there is nothing to say."""
    one = AnnouncementRow(services=("shop/api",), address="192.0.2.1")
    return speaker(**{"node": node, "members": ALIVE, "links": LINKS, "announcements": [one], **facts})


STATES = {
    "well": [well("worker-1"), well("worker-2"), well("worker-3", announcements=())],
    "unwell": [
        well("worker-1", conflicts=[CONFLICT], handovers=[HANDOVER], members=(*ALIVE[:2], ALIVE[2])),
        waiting(
            node="worker-2",
            links=[LinkRow(name="eth0", carrier=False), LinkRow(name="eth1", used=False, reason="down")],
        ),
        speaker(node="worker-3", not_ready="the cluster is not synced", revision=None, newest=NewestRevision()),
        well("worker-4", drained=True, revision="sha256:old", newest=NewestRevision(revision="sha256:old")),
        well(
            "worker-5",
            newest=NewestRevision(revision="sha256:bad", verdict=REFUSED, message="pools/a.yaml:14:7: overlap"),
            problems=[OVERLAP],
            last_pass=LastPass(error="the files cannot be read"),
            cluster=ClusterState(synced=True, away_since=NOON),
            state_dir_problem="/state is read-only",
        ),
        well("worker-7", newest=NewestRevision(message="config: no such directory")),
        well("worker-6", leaving=True, members=(MemberRow(node="storage-1", state=MemberState.ABSENT),)),
    ],
    "bgp": [
        well("worker-1", sessions=[SESSION, REFUSING], listening_problem="TCP port 179 is taken"),
        well(
            "worker-2",
            announcements=(),
            sessions=[
                replace(SESSION, wanted=1, told=1, last_error="it was away before"),
                replace(SESSION, peer="tor-b", bfd="down", bfd_problem="the peer sends no BFD packets"),
                replace(REFUSING, peer="core", remote="eth1", vrf=None, bfd=None, problem="eth1 is not there"),
            ],
            members=[*ALIVE[:2], MemberRow(node="worker-3", state=MemberState.ABSENT)],
        ),
        well("worker-3", sessions=[SESSION]),
        well("worker-4", sessions=[replace(REFUSING, peer="tor-a", last_error=None)]),
    ],
}


@pytest.fixture
def shown(reconciler: Run, tmp_path: Path) -> Any:
    """What `status` prints when these have published, beside a controller that is well."""
    cluster = tmp_path / "cluster"
    cluster.mkdir()

    def show(*speakers: SpeakerStatus, more: str = "", controller: bool = True) -> str:
        async def publish() -> None:
            files = RoleFiles(cluster)
            if controller:
                await files.publish(CONTROLLER_STATUS, controllers.document(status()))
            for found in speakers:
                await files.publish(speaker_status(found.node, found.lb_class), document(found))

        asyncio.run(publish())
        exit_status, out, err = reconciler(f"status --cluster dir:{cluster} {more}")
        assert (exit_status, err) == (0, "")
        return out

    return show


def speakers_in(text: str) -> str:
    return text[text.index("Speakers ") : text.index("Services ")] if "Speakers " in text else ""


@pytest.mark.parametrize("name", STATES)
def test_text_is_as_expected(shown: Any, name: str) -> None:
    path = EXPECTED / f"status-speakers-{name}.txt"
    found = speakers_in(shown(*STATES[name]))
    if os.environ.get(REWRITE):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_a_cluster_without_speakers_looks_as_before(shown: Any) -> None:
    assert "peaker" not in shown()


def test_sessions_that_are_well_are_told_in_one_colour(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.cli.status.wants_color", lambda _: True)
    assert "\x1b[32m1 of 1 established" in shown(well("worker-1", sessions=[SESSION]))
    assert "\x1b[33m1 of 2 established" in shown(well("worker-1", sessions=[SESSION, REFUSING]))


def test_of_many_sessions_those_with_troubles_are_shown(shown: Any) -> None:
    many = [replace(SESSION, peer=f"peer-{n:03}") for n in range(99)]
    found = speakers_in(shown(well("worker-1", sessions=[*many, replace(REFUSING, peer="zzz")])))
    assert "99 of 100 established" in found
    assert "  zzz " in found
    assert "and 40 more sessions: --output json lists all of them" in found


def test_one_that_is_dead_is_not_taken_for_one_that_is_ready(shown: Any) -> None:
    missing = (*ALIVE[:2], MemberRow(node="worker-3", state=MemberState.ABSENT))
    found = speakers_in(
        shown(well("worker-1", members=missing), well("worker-2", members=missing), well("worker-3", revision="old"))
    )
    assert found.startswith("Speakers  2 of 3 ready\n")
    assert "  worker-3  missing " in found
    assert "      not heard of by worker-1, worker-2\n" in found


def test_speakers_without_a_controller_are_shown_and_it_is_missed(shown: Any) -> None:
    text = shown(well("worker-1"), controller=False)
    assert "No controller has published its status" in text
    assert "1 of 1 ready" in text


def test_those_of_another_class_are_left_out(shown: Any) -> None:
    theirs = well("worker-9", lb_class="example.com/x")
    assert "worker-9" not in shown(well("worker-1"), theirs)
    asked = shown(more="--lb-class example.com/x")
    assert "worker-9" in asked
    assert "worker-1" not in asked


def test_of_many_those_with_troubles_are_shown(shown: Any) -> None:
    many = [well(f"node-{n:03}") for n in range(100)]
    found = speakers_in(shown(*many, replace(well("zzz"), not_ready="it has only just begun")))
    assert "100 of 101 ready" in found
    assert "zzz" in found
    assert "and 61 more speakers: --output json lists all of them" in found
    assert len(found.splitlines()) < 60


def test_json_has_what_they_have_published(shown: Any) -> None:
    found = json.loads(shown(well("worker-1"), more="--output json"))
    documents = {row["name"]: row["document"] for row in found["published"]}
    assert documents["lb-reconciler-status-worker-1"] == json.loads(document(well("worker-1")))


def test_a_damaged_document_is_said_and_ends_nothing(shown: Any, tmp_path: Path) -> None:
    shown(well("worker-1"))
    (tmp_path / "cluster/status/lb-reconciler-status-worker-1.json").write_text('{"role": "speaker"}', encoding="utf-8")
    assert "what it published cannot be read" in shown(well("worker-2"))


def test_nothing_that_somebody_else_wrote_reaches_a_terminal_unescaped(shown: Any) -> None:
    text = shown(
        well(
            "worker-1",
            not_ready=HOSTILE,
            revision=HOSTILE,
            newest=NewestRevision(revision=HOSTILE, message=HOSTILE),
            links=[LinkRow(name=HOSTILE, used=False, reason="down")],
            conflicts=[replace(CONFLICT, address=HOSTILE, message=HOSTILE)],
            members=[MemberRow(node=HOSTILE, state=MemberState.SILENT)],
            last_pass=LastPass(error=HOSTILE),
            listening_problem=HOSTILE,
            sessions=[replace(REFUSING, peer=HOSTILE, remote=HOSTILE, vrf=HOSTILE, bfd=HOSTILE, last_error=HOSTILE)],
        )
    )
    assert not [character for character in text if not character.isprintable() and character != "\n"]


def test_only_a_terminal_is_coloured(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = shown(*STATES["unwell"])
    monkeypatch.setattr("reconciler.cli.status.wants_color", lambda _: True)
    coloured = shown()
    assert coloured != plain
    for code in ("0", "1", "31", "32", "33"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain
