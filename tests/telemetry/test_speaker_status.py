"""What a speaker says about itself: at the moment of asking, and for everybody to read."""

import json
import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from reconciler.bgp.events import State
from reconciler.l2.link_selection import NotUsed
from reconciler.telemetry.sessions import SessionRow
from reconciler.telemetry.speaker_status import (
    MOST_ANNOUNCEMENTS,
    AnnouncementRow,
    AnnouncementState,
    ConflictRow,
    LinkRow,
    MemberRow,
    MemberState,
    SpeakerStatus,
    document,
    status_json,
)
from reconciler.telemetry.status import (
    HELD,
    LARGEST_DOCUMENT,
    PASSED,
    REFUSED,
    ClusterState,
    LastPass,
    NewestRevision,
    verdict_of,
)
from tests.telemetry.builders import CONFLICT, HANDOVER, NOON, OVERLAP, REFUSING, SESSION, speaker, waiting

DOCUMENTED = Path(__file__).parents[2] / "docs/status.md"


def shown(found: SpeakerStatus) -> Any:
    return json.loads(status_json(found))


def published(found: SpeakerStatus) -> Any:
    return json.loads(document(found))


def test_what_is_announced_is_counted() -> None:
    counts = shown(speaker(conflicts=[CONFLICT], handovers=[HANDOVER]))["counts"]
    assert counts == {
        "services": 2,
        "addressesIPv4": 1,
        "addressesIPv6": 1,
        "handovers": 1,
        "conflicts": 1,
        "members": 2,
        "sessions": 0,
        "established": 0,
        "prefixes": 0,
    }


@pytest.mark.parametrize(
    ("state", "counted"),
    [
        pytest.param(AnnouncementState.ANNOUNCED, 1, id="announced"),
        pytest.param(AnnouncementState.LINGERING, 1, id="still answered for"),
        pytest.param(AnnouncementState.PROBING, 0, id="not yet"),
        pytest.param(AnnouncementState.IN_USE, 0, id="another host has it"),
    ],
)
def test_only_what_is_answered_for_counts(state: AnnouncementState, counted: int) -> None:
    row = AnnouncementRow(services=("a/a",), address="192.0.2.1", state=state)
    counts = shown(speaker(announcements=[row]))["counts"]
    assert (counts["services"], counts["addressesIPv4"]) == (counted, counted)


def test_an_address_that_two_hosts_claim_is_one_conflict() -> None:
    rows = [CONFLICT, replace(CONFLICT, interface="eth1"), replace(CONFLICT, address="192.0.2.2")]
    assert shown(speaker(conflicts=rows))["counts"]["conflicts"] == 2


def test_everything_is_sorted() -> None:
    found = shown(speaker(conflicts=[replace(CONFLICT, address="192.0.2.2"), CONFLICT]))
    assert [row["node"] for row in found["members"]] == ["worker-1", "worker-2", "worker-3"]
    assert [row["name"] for row in found["links"]] == ["eth0", "eth1", "veth1"]
    assert [row["address"] for row in found["conflicts"]] == ["192.0.2.1", "192.0.2.2"]
    assert [row["services"] for row in found["announcements"]] == [["shop/api", "shop/web"], ["shop/new"], ["shop/web"]]


def test_addresses_and_services_are_listed_when_somebody_asks() -> None:
    found = shown(speaker())
    assert found["announcements"][0] == {
        "services": ["shop/api", "shop/web"],
        "address": "192.0.2.1",
        "protocol": "l2",
        "interfaces": [],
        "prefix": None,
        "peers": [],
        "state": "announced",
        "since": "2026-01-01T12:00:00Z",
    }
    assert found["declined"] == [
        {"service": "shop/far", "protocol": "l2", "reason": "notOwner", "message": "worker-2 is closer"}
    ]
    assert shown(speaker(declined=()))["declined"] == []
    assert shown(speaker(declined=None))["announcements"] is None


def test_the_document_says_nothing_of_single_addresses() -> None:
    found = published(speaker())
    assert (found["announcements"], found["declined"]) == (None, None)
    assert found["counts"]["services"] == 2


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"last_pass": LastPass(finished_at=NOON + timedelta(hours=1))}, id="another pass"),
        pytest.param({"declined": None}, id="nobody asked for details"),
        pytest.param(
            {
                "sessions": [
                    replace(SESSION, received=8),
                    replace(
                        REFUSING,
                        state=State.CONNECT,
                        since=NOON + timedelta(hours=1),
                        last_error_at=NOON + timedelta(hours=1),
                        retry_at=None,
                    ),
                ]
            },
            id="another attempt, and what a peer tells",
        ),
        pytest.param(
            {
                "members": [
                    MemberRow(node="worker-1", state=MemberState.ALIVE, loaded="two", in_use="two"),
                    MemberRow(node="worker-2", state=MemberState.ALIVE, leaving=True),
                    MemberRow(node="worker-3", state=MemberState.ABSENT),
                ]
            },
            id="what other members say for themselves",
        ),
        pytest.param(
            {
                "links": [
                    LinkRow(name="eth0", mac="02:00:00:00:00:0a"),
                    LinkRow(name="eth1", mac="02:00:00:00:00:0b", carrier=False),
                    LinkRow(name="veth2", used=False, reason="excluded by ^veth.*"),
                ]
            },
            id="an interface that is not used",
        ),
    ],
)
def test_the_document_is_the_same_while_nothing_has_happened(facts: dict[str, Any]) -> None:
    usual = {"sessions": [SESSION, REFUSING]}
    assert document(speaker(**{**usual, **facts})) == document(speaker(**usual))


@pytest.mark.parametrize(
    "facts",
    [
        {"not_ready": "the cluster is not synced"},
        {"leaving": True},
        {"drained": True},
        {"revision": "sha256:zero"},
        {"newest": NewestRevision(verdict=REFUSED, since=NOON)},
        {"problems": [OVERLAP]},
        {"members": [MemberRow(node="worker-3", state=MemberState.SILENT)]},
        {"links": [LinkRow(name="eth0", carrier=False)]},
        {"conflicts": [CONFLICT]},
        {"handovers": [HANDOVER]},
        {"sessions": [SESSION]},
        {"listening_problem": "TCP port 179 is taken"},
        {"announcements": ()},
        {"last_pass": LastPass(error="it went wrong")},
        {"cluster": ClusterState(synced=True, away_since=NOON)},
        {"state_dir_problem": "read-only"},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_the_document_changes_with_whatever_matters(facts: dict[str, Any]) -> None:
    assert document(speaker(**facts)) != document(speaker())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(SESSION, replace(SESSION, told=3), id="routes told"),
        pytest.param(SESSION, replace(SESSION, bfd="down"), id="BFD"),
        pytest.param(SESSION, replace(SESSION, state=State.IDLE), id="the session"),
        pytest.param(REFUSING, replace(REFUSING, last_error="it does not answer"), id="another reason"),
        pytest.param(REFUSING, replace(REFUSING, problem="no such address"), id="a problem"),
    ],
)
def test_the_document_tells_what_becomes_of_a_session(before: SessionRow, after: SessionRow) -> None:
    assert document(speaker(sessions=[before])) != document(speaker(sessions=[after]))


def test_sessions_are_counted_and_sorted() -> None:
    found = shown(speaker(sessions=[REFUSING, SESSION]))
    assert [row["peer"] for row in found["sessions"]] == ["tor-a", "tor-b"]
    counts = found["counts"]
    assert (counts["sessions"], counts["established"], counts["prefixes"]) == (2, 1, 2)


def test_a_session_is_told_under_the_names_of_the_field() -> None:
    (row,) = shown(speaker(sessions=[SESSION]))["sessions"]
    assert row == {
        "peer": "tor-a",
        "remote": "192.0.2.254:179",
        "vrf": None,
        "state": "established",
        "since": "2026-01-01T12:00:00Z",
        "downSince": None,
        "localASN": 64512,
        "remoteASN": 64500,
        "remoteRouterID": "192.0.2.254",
        "holdTime": 90.0,
        "gracefulRestart": False,
        "families": ["IPv4", "IPv6"],
        "wanted": 3,
        "told": 2,
        "received": 7,
        "lastError": None,
        "lastErrorAt": None,
        "retryAt": None,
        "problem": None,
        "bfd": "up",
        "bfdSince": "2026-01-01T12:00:00Z",
        "bfdProblem": None,
    }


def test_what_was_published_can_be_read_again() -> None:
    found = msgspec.json.decode(document(speaker(sessions=[SESSION, REFUSING])), type=SpeakerStatus)
    assert [row.state for row in found.sessions] == [State.ESTABLISHED, State.IDLE]


@pytest.mark.parametrize(
    ("row", "trouble"),
    [
        pytest.param(SESSION, None, id="none"),
        pytest.param(replace(SESSION, last_error="it was down before"), None, id="what is over is none"),
        pytest.param(replace(SESSION, bfd_problem="no BFD"), "no BFD", id="BFD"),
        pytest.param(replace(SESSION, problem="no next hop"), "no next hop", id="a route that cannot be told"),
        pytest.param(REFUSING, "tor-b refuses the connection", id="the last error"),
        pytest.param(replace(REFUSING, problem="no such source"), "no such source", id="what keeps us from trying"),
    ],
)
def test_what_is_wrong_with_a_session(row: SessionRow, trouble: str | None) -> None:
    assert row.trouble == trouble


def test_routes_are_listed_and_counted_by_their_sessions() -> None:
    row = AnnouncementRow(services=("a/a",), address="192.0.2.1", protocol="bgp", prefix="192.0.2.1/32", peers=("t",))
    found = shown(speaker(announcements=[row]))
    assert found["announcements"][0]["prefix"] == "192.0.2.1/32"
    assert found["counts"] == shown(speaker(announcements=()))["counts"]


def test_more_announcements_than_anybody_reads_are_not_listed() -> None:
    rows = [AnnouncementRow(services=("a/a",), address=f"a{n}") for n in range(MOST_ANNOUNCEMENTS + 2)]
    found = speaker(announcements=rows)
    assert found.announcements is not None
    assert len(found.announcements) == MOST_ANNOUNCEMENTS
    assert found.cut == "2 of announcements are not listed"
    assert json.loads(document(found))["cut"] is None


def test_members_that_are_missing_are_named_in_the_document() -> None:
    assert [(row["node"], row["state"]) for row in published(speaker())["members"]] == [("worker-3", "absent")]


def test_a_document_has_a_limit() -> None:
    conflicts = [
        ConflictRow(address=f"192.0.{n // 256}.{n % 256}", mac="02:00:00:00:00:ff", interface="eth0", message="x" * 500)
        for n in range(5000)
    ]
    octets = document(speaker(conflicts=conflicts))
    assert len(octets) <= LARGEST_DOCUMENT
    found = json.loads(octets)
    assert re.search(r"\d+ of conflicts", found["cut"])
    assert found["counts"]["conflicts"] == 5000
    assert len(status_json(speaker(conflicts=conflicts))) > LARGEST_DOCUMENT


@pytest.mark.parametrize(
    ("newest", "waits"),
    [
        pytest.param(NewestRevision(revision="sha256:one", verdict=PASSED), False, id="it is in use"),
        pytest.param(NewestRevision(revision="sha256:two", verdict=PASSED), True, id="others have not got it"),
        pytest.param(NewestRevision(revision="sha256:two"), True, id="there is no verdict"),
        pytest.param(NewestRevision(revision="sha256:two", verdict=HELD), False, id="it is held"),
        pytest.param(NewestRevision(revision="sha256:two", verdict=REFUSED), False, id="it is refused"),
        pytest.param(NewestRevision(), False, id="the files cannot be read"),
    ],
)
def test_whether_a_revision_waits(newest: NewestRevision, waits: bool) -> None:
    assert speaker(newest=newest).waits is waits


def test_what_is_not_valid_waits_for_nobody() -> None:
    assert waiting().waits
    assert not waiting(problems=[OVERLAP]).waits


def test_what_a_speaker_publishes_reads_like_a_controllers() -> None:
    found = verdict_of(document(waiting()))
    assert found is not None
    assert (found.revision, found.verdict, found.in_force) == ("sha256:two", PASSED, "sha256:one")


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("`members.state`", MemberState),
        ("`announcements.state`", AnnouncementState),
        ("`links.reason`", NotUsed),
        ("`sessions.state`", State),
    ],
)
def test_the_documentation_explains_every_word(heading: str, words: type[StrEnum]) -> None:
    assert [cell.strip("`") for cell in first_cells(table(heading))] == list(words)


def table(heading: str) -> str:
    """The rows of the table of that heading in what the documentation says of a speaker."""
    section = DOCUMENTED.read_text("utf-8").partition("## A speaker")[2].partition("\n## ")[0]
    return section.partition(f"| {heading} |")[2].partition("\n\n")[0]


def first_cells(rows: str) -> list[str]:
    return re.findall(r"^\| (`[^|]+`) \|", rows, re.MULTILINE)


def test_the_documentation_lists_exactly_the_keys_that_there_are() -> None:
    section = table("key")
    listed = [key for cell in first_cells(section) for key in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(shown(speaker()))
    rows = shown(speaker(conflicts=[CONFLICT], handovers=[HANDOVER], problems=[OVERLAP]))
    for key in ("members", "links", "counts", "announcements", "declined", "conflicts", "handovers"):
        row = rows[key] if isinstance(rows[key], dict) else rows[key][0]
        (line,) = re.findall(rf"^\| `{key}` \| .*$", section, re.MULTILINE)
        assert not [name for name in row if f"`{name}`" not in line], key


def test_the_documentation_lists_exactly_the_keys_of_a_session() -> None:
    listed = [key for cell in first_cells(table("key of a session")) for key in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(shown(speaker(sessions=[SESSION]))["sessions"][0])
