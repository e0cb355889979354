"""The names under which roles are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.naming import CONTROLLER_STATUS, named, speaker_status

NODES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?){0,3}", fullmatch=True)


def test_a_class_becomes_a_part_of_a_name() -> None:
    assert named("a", "") == "a"
    assert named("a", "example.com/Fast_1").startswith("a-example-com-fast-1-")
    assert named("a", "x/y") != named("a", "x.y")


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("worker-1", "lb-reconciler-status-worker-1"),
        ("controller", "lb-reconciler-status-node.controller"),
        ("controller-2.example.com", "lb-reconciler-status-node.controller-2.example.com"),
        ("node.controller", "lb-reconciler-status-node.node.controller"),
    ],
)
def test_what_a_node_publishes_is_named_after_it(node: str, expected: str) -> None:
    assert speaker_status(node, "") == expected


@given(NODES | st.just("controller"), NODES | st.just("node.controller"), st.sampled_from(["", "a/b"]))
def test_no_two_roles_share_a_name(one: str, other: str, lb_class: str) -> None:
    names = {speaker_status(one, lb_class), speaker_status(other, lb_class), named(CONTROLLER_STATUS, lb_class)}
    assert len(names) == (2 if one == other else 3)


def test_a_name_is_never_longer_than_the_api_takes() -> None:
    long = ".".join(["a" * 60] * 4)
    names = {speaker_status(f"{long}{end}", "example.com/x") for end in ("a", "b")}
    assert len(names) == 2
    assert all(len(name) <= 253 for name in names)
