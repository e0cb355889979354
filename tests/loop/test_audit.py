"""The audit finds what was planted, and nothing else: a record in which all is well, and one for each way it is not."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.loop.audit import Findings, audit
from tests.loop.audit_record import Object, Pool, files_data, record_of

CLASS = "example.com/ours"
P = Pool("p", frozenset({"10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"}))
Q = Pool("q", frozenset({"10.0.1.1"}), auto=False)
Seen = tuple[float, Object]


class Story:
    """Events in order, a second apart unless said otherwise; each call is one version of an object."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._now = 0.0
        self.files(P, Q)
        self.leader("a")

    def wait(self, seconds: float) -> None:
        self._now += seconds

    def service(self, name: str, *held: str, age: str = "2026-01-01T00:00:01Z", **wish: Any) -> None:
        """Makes it, or makes it say this: `families`, `pool`, `addresses`, `key`, `port`, `type`."""
        marks = {
            "metallb.io/address-pool": wish.get("pool"),
            "metallb.io/loadBalancerIPs": wish.get("addresses"),
            "metallb.io/allow-shared-ip": wish.get("key"),
        }
        body = {
            "kind": "Service",
            "metadata": {
                "uid": f"uid-{name}",
                "name": name,
                "creationTimestamp": age,
                "annotations": {mark: value for mark, value in marks.items() if value},
            },
            "spec": {
                "type": wish.get("type", "LoadBalancer"),
                "loadBalancerClass": CLASS,
                "ipFamilies": wish.get("families", ["IPv4"]),
                "ports": [{"protocol": "TCP", "port": wish.get("port", 80)}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": address} for address in held]}},
        }
        self._add("MODIFIED", body)

    def delete(self, name: str) -> None:
        last = next(event["object"] for _, event in reversed(self.seen) if event["object"]["metadata"]["name"] == name)
        self._add("DELETED", last)

    def leader(self, name: str) -> None:
        self._add("MODIFIED", {"kind": "Lease", "metadata": {"name": "lease"}, "spec": {"holderIdentity": name}})

    def files(self, *pools: Pool, held: bool = False) -> None:
        data = files_data(pools, held=held)
        self._add("ADDED", {"kind": "ConfigMap", "metadata": {"name": "files"}, "data": data})

    def findings(self) -> Findings:
        return audit(record_of(reversed(self.seen), CLASS))

    def _add(self, what: str, body: Object) -> None:
        self._now += 1
        metadata = {**body["metadata"], "resourceVersion": str(len(self.seen) + 1)}
        self.seen.append((self._now, {"type": what, "object": {**body, "metadata": metadata}}))


# Nothing wrong


def given_and_shared(story: Story) -> None:
    for number, name in enumerate("abc"):
        story.service(name, key="k", port=number)
    for number, name in enumerate("abc"):
        story.service(name, "10.0.0.1", key="k", port=number)


def two_families(story: Story) -> None:
    story.service("a", families=["IPv4", "IPv6"])
    story.service("a", "10.0.0.1", "fd00::1", families=["IPv4", "IPv6"])


def taken_as_it_was_deleted(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.delete("a")
    story.service("b", "10.0.0.1")


def moved_by_its_owner(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.service("a", "10.0.0.1", pool="q")
    story.service("a", "10.0.1.1", pool="q")


def moved_by_the_wish_for_an_address(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.service("a", "10.0.0.1", addresses="10.0.0.3")
    story.service("a", "10.0.0.3", addresses="10.0.0.3")


def moved_by_the_files(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.files(Pool("p", frozenset({"10.0.0.2"})))
    story.service("a", "10.0.0.2")


def moved_by_files_that_did_not_last(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.files(Pool("p", frozenset({"10.0.0.2"})))
    story.files(P, Q)
    story.service("a", "10.0.0.2")


def retired(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.service("a", type="ClusterIP")


def of_somebody_else(story: Story) -> None:
    story.service("a", "203.0.113.1", type="ClusterIP")


def full(story: Story) -> None:
    for number, name in enumerate("abc", 1):
        story.service(name, f"10.0.0.{number}")
    story.service("d")
    # Its own pool is taken, so it keeps what it has.
    story.service("e", "10.0.1.1", pool="q")
    story.service("a", "10.0.0.1", pool="q")


def parted_by_an_edit(story: Story) -> None:
    given_and_shared(story)
    story.service("b", "10.0.0.1", port=1)
    story.service("b", "10.0.0.2", port=1)


def joined_while_the_other_was_edited(story: Story) -> None:
    story.service("a", "10.0.0.1", key="k")
    story.service("b", key="k", port=81)
    story.wait(60)
    story.service("a", "10.0.0.1", key="l")
    story.service("b", "10.0.0.1", key="k", port=81)
    story.service("b", "10.0.0.2", key="k", port=81)


def one_of_two_contested(story: Story) -> None:
    both = ["IPv4", "IPv6"]
    story.service("a", "10.0.0.1", "fd00::1", families=both, key="k")
    story.service("b", "fd00::1", families=["IPv6"], key="k", port=81)
    story.service("b", "fd00::1", families=["IPv6"], key="k", addresses="fd00::1")
    story.service("a", "10.0.0.2", "fd00::2", families=both, key="k")


WELL = [
    one_of_two_contested,
    given_and_shared,
    two_families,
    taken_as_it_was_deleted,
    moved_by_its_owner,
    moved_by_the_wish_for_an_address,
    moved_by_the_files,
    moved_by_files_that_did_not_last,
    retired,
    of_somebody_else,
    full,
    parted_by_an_edit,
    joined_while_the_other_was_edited,
]


@pytest.mark.parametrize("tell", WELL)
def test_nothing_is_found_where_all_is_well(tell: Callable[[Story], None]) -> None:
    story = Story()
    tell(story)
    found = story.findings()
    assert (found.wrong, found.late) == ((), ())


def test_it_is_counted_how_much_there_was_to_see() -> None:
    story = Story()
    given_and_shared(story)
    story.service("d", "10.0.0.2")
    story.service("d", "10.0.0.2", addresses="10.0.0.3")
    story.service("d", "10.0.0.3", addresses="10.0.0.3")
    found = story.findings()
    assert (found.given, found.taken, found.shared) == (5, 1, 1)


# Planted


def given_twice_by_one_leader(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.service("b", "10.0.0.1")
    story.service("b", "10.0.0.2")


def given_twice_long_after_a_leader(story: Story) -> None:
    story.leader("b")
    story.wait(60)
    given_twice_by_one_leader(story)


def given_twice_and_left(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.leader("b")
    story.service("b", "10.0.0.1")


def given_twice_by_a_leader_that_came_again(story: Story) -> None:
    story.service("a", "10.0.0.1")
    # A renewal, or a restart under the same name, is no change of leaders.
    story.leader("a")
    story.service("b", "10.0.0.1")
    story.service("b", "10.0.0.2")


def shared_on_one_port(story: Story) -> None:
    story.service("a", "10.0.0.1", key="k")
    story.service("b", "10.0.0.1", key="k")
    story.service("b", "10.0.0.2", key="k")


def shared_under_two_keys(story: Story) -> None:
    story.service("a", "10.0.0.1", key="k")
    story.service("b", "10.0.0.1", key="l", port=81)
    story.service("b", "10.0.0.2", key="l", port=81)


def parted_by_an_edit_and_left(story: Story) -> None:
    given_and_shared(story)
    story.service("b", "10.0.0.1", port=1)


def joined_long_after_the_other_was_edited(story: Story) -> None:
    story.service("a", "10.0.0.1", key="k")
    story.service("a", "10.0.0.1", key="l")
    story.wait(60)
    story.service("b", "10.0.0.1", key="k", port=81)
    story.service("b", "10.0.0.2", key="k", port=81)


def moved(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.service("a", "10.0.0.2")


def cleared_and_given_again(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.service("a")
    story.service("a", "10.0.0.1")


def moved_after_a_change_of_leaders(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.leader("b")
    story.service("a", "10.0.0.2")


def moved_by_files_that_were_held(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.files(Pool("p", frozenset({"10.0.0.2"})), held=True)
    story.service("a", "10.0.0.2")


def moved_by_files_of_long_ago(story: Story) -> None:
    story.files(Pool("p", frozenset({"10.0.0.2"})))
    story.files(P, Q)
    story.service("a", "10.0.0.1")
    story.service("a", "10.0.0.2")


def moved_because_another_left(story: Story) -> None:
    given_and_shared(story)
    story.delete("a")
    story.service("b", "10.0.0.2", key="k", port=1)


def lost_one_of_two(story: Story) -> None:
    two_families(story)
    story.service("a", "10.0.0.1", "fd00::2", families=["IPv4", "IPv6"])


def given_of_a_pool_that_must_be_asked_for(story: Story) -> None:
    story.service("a")
    story.service("a", "10.0.1.1")


def given_of_no_pool(story: Story) -> None:
    story.service("a", "203.0.113.1")
    story.service("a", "10.0.0.1")


def given_of_another_family(story: Story) -> None:
    story.service("a", "fd00::1")
    story.service("a", "10.0.0.1")


def given_of_files_of_long_ago(story: Story) -> None:
    story.files(Pool("p", frozenset({"10.0.0.1"})))
    story.files(Pool("p", frozenset({"10.0.0.1"})))
    story.service("a", "10.0.0.2")
    story.service("a", "10.0.0.1")


def never_served(story: Story) -> None:
    story.service("a", families=["IPv4", "IPv6"])


def never_served_beside_others(story: Story) -> None:
    for number, name in enumerate("abc", 1):
        story.service(name, f"10.0.0.{number}", key="k")
    story.service("d", key="k", port=81)


def never_served_by_name(story: Story) -> None:
    story.service("a", addresses="10.0.0.2")


def left_with_what_it_did_not_ask_for(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.service("a", "10.0.0.1", pool="q")


def left_with_what_no_pool_has(story: Story) -> None:
    story.service("a", "10.0.0.1")
    story.files(Q)


PLANTED = [
    (given_twice_by_one_leader, "under one leader"),
    (given_twice_long_after_a_leader, "under one leader"),
    (given_twice_and_left, "never repaired"),
    (given_twice_by_a_leader_that_came_again, "under one leader"),
    (shared_on_one_port, "under one leader"),
    (shared_under_two_keys, "under one leader"),
    (parted_by_an_edit_and_left, "never repaired"),
    (joined_long_after_the_other_was_edited, "under one leader"),
    (moved, "a loses 10.0.0.1"),
    (cleared_and_given_again, "a loses 10.0.0.1"),
    (moved_after_a_change_of_leaders, "a loses 10.0.0.1"),
    (moved_by_files_that_were_held, "a loses 10.0.0.1"),
    (moved_by_files_of_long_ago, "a loses 10.0.0.1"),
    (moved_because_another_left, "b loses 10.0.0.1"),
    (lost_one_of_two, "a loses fd00::1"),
    (given_of_a_pool_that_must_be_asked_for, "a is given 10.0.1.1"),
    (given_of_no_pool, "a is given 203.0.113.1"),
    (given_of_another_family, "a is given fd00::1"),
    (given_of_files_of_long_ago, "a is given 10.0.0.2"),
    (never_served, "a holds nothing, but 10.0.0.1, fd00::1 could be given"),
    (never_served_beside_others, "d holds nothing, but 10.0.0.1 could be given"),
    (never_served_by_name, "a holds nothing, but 10.0.0.2 could be given"),
    (left_with_what_it_did_not_ask_for, "a holds 10.0.0.1, but 10.0.1.1 could be given"),
    (left_with_what_no_pool_has, "a holds 10.0.0.1, which no pool has"),
]


@pytest.mark.parametrize(("tell", "finding"), PLANTED, ids=[tell.__name__ for tell, _ in PLANTED])
def test_what_was_planted_is_found(tell: Callable[[Story], None], finding: str) -> None:
    story = Story()
    tell(story)
    wrong = story.findings().wrong
    assert any(finding in one for one in wrong), wrong


# Late


def late(older: str) -> Iterator[Story]:
    """Two that hold one address because of a write that came after another leader took over."""
    story = Story()
    ages = {name: f"2026-01-01T00:00:0{1 if name == older else 2}Z" for name in "ab"}
    story.service("a", age=ages["a"])
    story.service("b", age=ages["b"])
    story.leader("b")
    story.service("a", "10.0.0.1", age=ages["a"])
    story.service("b", "10.0.0.1", age=ages["b"])
    yield story
    story.service("b" if older == "a" else "a", "10.0.0.2", age=ages["b" if older == "a" else "a"])
    yield story


@pytest.mark.parametrize("older", ["a", "b"])
def test_what_comes_late_is_counted_once_it_is_repaired(older: str) -> None:
    unfinished, finished = (story.findings() for story in late(older))
    assert "never repaired" in unfinished.wrong[0]
    assert finished.wrong == ()
    assert len(finished.late) == 1
    assert "10.0.0.1 is held by a and b" in finished.late[0]


def test_the_older_one_keeps_what_was_given_twice() -> None:
    story, _ = late("a")
    story.seen.pop()
    story.service("a", "10.0.0.2", age="2026-01-01T00:00:01Z")
    assert any("the older one has lost it" in one for one in story.findings().wrong)
