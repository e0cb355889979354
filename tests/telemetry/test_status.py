"""What a controller says about itself, and what others may conclude from it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.allocation.allocate import allocate
from reconciler.model.origin import Origin, Problem, Related
from reconciler.plan.guard import Verdict
from reconciler.telemetry.status import (
    HELD,
    LARGEST_DOCUMENT,
    PASSED,
    REFUSED,
    ClusterState,
    ControllerStatus,
    LastPass,
    NewestRevision,
    PublishedVerdict,
    document,
    newest_revision,
    status_json,
    verdict_of,
)
from tests.builders import desired, observed, pool, service
from tests.telemetry.builders import DIGEST, HELD_VERDICT, NOON, OVERLAP, POOLS, held, status


def shown(found: ControllerStatus) -> Any:
    return json.loads(status_json(found))


def published(found: ControllerStatus, limit: int = LARGEST_DOCUMENT) -> Any:
    return json.loads(document(found, limit))


def test_services_are_counted_by_what_became_of_them() -> None:
    assert shown(status())["counts"] == {
        "services": 5,
        "assigned": 4,
        "pending": 1,
        "refusedByReason": {"unknown-pool": 2},
    }


def test_pools_tell_how_full_they_are_and_a_shared_address_counts_once() -> None:
    gold, spare, vast = shown(status())["pools"]
    assert gold == {
        "pool": "gold",
        "assignedIPv4": 3,
        "availableIPv4": 5,
        "assignedIPv6": 1,
        "availableIPv6": (1 << 64) - 1,
        "services": 4,
    }
    assert (spare["assignedIPv4"], spare["availableIPv4"], spare["services"]) == (0, 2, 0)
    assert vast["availableIPv6"] == 1 << 80


def test_no_pool_has_less_than_nothing_to_give() -> None:
    shrunk = desired(pool("gold", "192.0.2.7/32"))
    crowd = observed(service("a/a", ingress="192.0.2.1"), service("a/b", ingress="192.0.2.2"))
    pinned = allocate(POOLS, crowd)
    (fill,) = shown(status(decided_on=shrunk, allocation=pinned))["pools"]
    assert (fill["assignedIPv4"], fill["availableIPv4"]) == (2, 0)


def test_the_services_of_our_class_are_listed_one_by_one() -> None:
    services = {row["service"]: row for row in shown(status())["services"]}
    assert list(services) == ["shop/api", "shop/lost", "shop/new", "shop/web", "shop/wish"]
    assert services["shop/new"] == {
        "service": "shop/new",
        "addresses": ["192.0.2.0", "2001:db8::"],
        "pool": "gold",
        "reason": None,
        "message": None,
    }
    lost, wish = services["shop/lost"], services["shop/wish"]
    assert (lost["addresses"], lost["pool"], lost["reason"]) == ([], None, "unknown-pool")
    assert (wish["addresses"], wish["reason"]) == (["192.0.2.3"], "unknown-pool")
    assert "silver" in wish["message"]


def test_before_the_first_pass_nothing_is_claimed() -> None:
    found = shown(status(decided_on=None, allocation=None, observed=None, in_force=None, newest=NewestRevision()))
    assert (found["revision"], found["pools"], found["services"]) == (None, [], None)
    assert found["counts"]["services"] == 0


def test_a_held_plan_names_its_digest_and_services() -> None:
    guard = published(held())["guard"]
    assert (guard["held"], guard["digest"]) == (True, DIGEST)
    assert guard["affected"] == ["shop/api", "shop/web"]
    assert DIGEST in guard["reason"]


def test_a_plan_that_passed_leaves_nothing_of_the_guard() -> None:
    passed = Verdict(digest=DIGEST, affected=HELD_VERDICT.affected)
    guard = published(status(verdict=passed))["guard"]
    assert guard == {
        "held": False,
        "revision": None,
        "reason": None,
        "digest": None,
        "affected": [],
        "approvedPlan": None,
    }


def test_problems_are_shown_with_their_line_and_the_other_place() -> None:
    (problem,) = published(status(problems=[OVERLAP]))["problems"]
    assert (problem["path"], problem["line"], problem["column"]) == ("pools/a.yaml", 14, 7)
    assert (problem["severity"], problem["code"]) == ("error", "pool-overlap")
    assert problem["related"] == [
        {"path": "pools/b.yaml", "line": 9, "column": 7, "note": 'pool "rack-b" takes it here'}
    ]


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"last_pass": LastPass(finished_at=NOON + timedelta(1), duration_seconds=9.0)}, id="a pass"),
        pytest.param({"last_pass": LastPass(reasons=("schedule",))}, id="what woke it"),
        pytest.param({"observed": None}, id="whether Services are listed"),
    ],
)
def test_what_every_pass_changes_does_not_change_the_published_document(facts: dict[str, Any]) -> None:
    assert document(status(**facts)) == document(status())


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"last_pass": LastPass(error="the API server is away")}, id="the error of a pass"),
        pytest.param({"cluster": ClusterState(synced=True, away_since=NOON)}, id="a cluster that does not answer"),
        pytest.param({"problems": [OVERLAP]}, id="a problem"),
        pytest.param({"leader": "controller-b"}, id="the leader"),
        pytest.param({"allocation": allocate(POOLS, observed())}, id="how many Services there are"),
        pytest.param({"state_dir_problem": "read-only"}, id="a last good configuration that is not kept"),
    ],
)
def test_what_has_a_cause_changes_the_published_document(facts: dict[str, Any]) -> None:
    assert document(status(**facts)) != document(status())


def test_the_published_document_never_lists_services() -> None:
    assert published(status())["services"] is None
    assert b"shop/new" not in document(status())


def test_both_documents_have_the_same_keys_in_the_same_order() -> None:
    assert list(published(status())) == list(shown(status()))
    assert list(published(status()))[:2] == ["formatVersion", "role"]


# What does not fit


def crowded(entries: int, length: int) -> ControllerStatus:
    long = 'ü"\\' * (length // 3)
    problems = [
        Problem(Origin(f"{n}-{long}", 1, 1), "field-type", long, related=(Related(Origin(long, 1, 1), long),) * 9)
        for n in range(entries)
    ]
    affected = frozenset(f"{n:05}-{long}/web" for n in range(entries))
    verdict = Verdict(held=True, reason=long, digest=DIGEST, affected=affected)  # type: ignore[arg-type]  # made-up keys
    newest = NewestRevision(revision=f"sha256:{'0' * 64}", verdict=HELD, since=NOON, message=long)
    return status(
        newest=newest,
        verdict=verdict,
        problems=problems,
        identity=long,
        leader=long,
        lb_class=long,
        last_pass=LastPass(error=long),
        state_dir_problem=long,
    )


@pytest.mark.parametrize(
    ("entries", "length"),
    [
        pytest.param(10_000, 40, id="many entries"),
        pytest.param(3, 200_000, id="long texts"),
        pytest.param(300, 1_500, id="both"),
    ],
)
def test_whatever_does_not_fit_is_cut_and_said(entries: int, length: int) -> None:
    found = crowded(entries, length)
    octets = document(found)
    assert len(octets) <= LARGEST_DOCUMENT
    cut = json.loads(octets)
    assert cut["cut"].startswith("left out to keep this small: ")
    assert cut["guard"]["digest"] == DIGEST
    assert list(cut) == list(published(status()))
    verdict = verdict_of(octets)
    assert verdict is not None
    assert (verdict.revision, verdict.verdict, verdict.digest) == (f"sha256:{'0' * 64}", HELD, DIGEST)


def test_what_was_cut_is_counted() -> None:
    cut = published(crowded(10_000, 40))
    left_out = 10_000 - len(cut["problems"])
    assert f"{left_out} of problems" in cut["cut"]
    assert len(cut["guard"]["affected"]) == len(cut["problems"])


def test_what_fits_is_not_cut() -> None:
    assert published(crowded(10, 40))["cut"] is None


def test_thirty_kibibytes_are_enough_for_the_rest() -> None:
    assert len(document(crowded(300, 1_500), 30 * 1024)) <= 30 * 1024


@given(
    st.integers(0, 60),
    st.text(alphabet=st.characters(), max_size=40),
    st.integers(30, 60).map(lambda kibibytes: kibibytes * 1024),
)
def test_the_document_is_json_within_its_limit_whatever_is_in_it(entries: int, text: str, limit: int) -> None:
    problems = [Problem(Origin(text * 50, n, 1), "x", text * 99) for n in range(entries)]
    octets = document(status(problems=problems, identity=text, lb_class=text), limit)
    assert len(octets) <= limit
    assert json.loads(octets)["newest"]["verdict"] == PASSED
    assert verdict_of(octets) == verdict_of(document(status()))


def test_a_file_name_that_is_no_unicode_is_escaped() -> None:
    found = status(problems=[Problem(Origin("\udcff.yaml", 1, 1), "x", "bad")])
    assert published(found)["problems"][0]["path"] == "\\udcff.yaml"
    assert verdict_of(document(found)) is not None


# What others read in it


@pytest.mark.parametrize("verdict", [PASSED, HELD, REFUSED])
def test_the_verdict_is_read_back(verdict: str) -> None:
    newest = NewestRevision(revision="sha256:two", verdict=verdict, since=NOON)
    assert verdict_of(document(status(newest=newest))) == PublishedVerdict(
        revision="sha256:two", verdict=verdict, since=NOON, in_force="sha256:one"
    )


def test_the_digest_of_a_held_plan_is_read_back() -> None:
    found = verdict_of(document(held()))
    assert found is not None
    assert (found.verdict, found.digest, found.in_force) == (HELD, DIGEST, "sha256:one")


def test_files_that_cannot_be_read_have_a_verdict_without_a_revision() -> None:
    newest = NewestRevision(verdict=REFUSED, message="config: no such directory")
    found = verdict_of(document(status(newest=newest)))
    assert found == PublishedVerdict(verdict=REFUSED, in_force="sha256:one")


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="no end"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no newest"),
        pytest.param(b'{"newest": null}', id="null"),
        pytest.param(b'{"newest": {"revision": 1, "verdict": "passed"}}', id="a revision that is a number"),
        pytest.param(b'{"newest": {"revision": "a", "verdict": "perhaps"}}', id="a verdict nobody knows"),
        pytest.param(document(held())[:-40], id="the end is missing"),
    ],
)
def test_a_damaged_document_has_no_verdict(damaged: bytes) -> None:
    assert verdict_of(damaged) is None


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(b'"guard": 7, "pools": "x", "revision": {}', id="damage elsewhere"),
        pytest.param(b'"formatVersion": 9, "more": []', id="a later version"),
    ],
)
def test_what_else_is_in_the_document_does_not_matter(around: bytes) -> None:
    found = verdict_of(b'{"newest": {"revision": "a", "verdict": "passed", "also": 1}, ' + around + b"}")
    assert found == PublishedVerdict(revision="a", verdict=PASSED)


@given(st.binary(max_size=200))
def test_arbitrary_octets_have_no_verdict_and_raise_nothing(octets: bytes) -> None:
    assert verdict_of(octets) is None


@pytest.mark.parametrize(
    ("revision", "verdict", "since"),
    [
        pytest.param("a", PASSED, NOON, id="nothing new"),
        pytest.param("b", PASSED, NOON + timedelta(hours=1), id="another revision"),
        pytest.param("a", HELD, NOON + timedelta(hours=1), id="another verdict"),
        pytest.param(None, None, NOON + timedelta(hours=1), id="nothing any more"),
    ],
)
@pytest.mark.parametrize("kind", [NewestRevision, PublishedVerdict])
def test_since_when_a_verdict_stands(
    kind: type[NewestRevision | PublishedVerdict], revision: str | None, verdict: str | None, since: Any
) -> None:
    before = kind(revision="a", verdict=PASSED, since=NOON)
    found = newest_revision(revision, verdict, before=before, now=NOON + timedelta(hours=1, microseconds=5))
    assert (found.revision, found.verdict, found.since) == (revision, verdict, since)


def test_the_first_verdict_stands_since_now() -> None:
    assert newest_revision("a", PASSED, before=None, now=NOON).since == NOON
