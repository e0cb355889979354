"""Whom to ask for the group."""

import pytest

from reconciler.membership.seeds import endpoint, host_of, is_name, worth_asking


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1:7947"),
        ("192.0.2.1:9000", "192.0.2.1:9000"),
        ("2001:db8::1", "[2001:db8::1]:7947"),
        ("[2001:db8::1]", "[2001:db8::1]:7947"),
        ("[2001:0DB8:0::1]:9000", "[2001:db8::1]:9000"),
        ("speaker-1.example.com", "speaker-1.example.com:7947"),
        ("speaker-1:9000", "speaker-1:9000"),
        (" 192.0.2.1\n", "192.0.2.1:7947"),
        ("192.0.2.1:", "192.0.2.1:7947"),
    ],
)
def test_a_seed_may_name_a_port(text: str, expected: str) -> None:
    assert endpoint(text, 7947) == expected
    # What was written once is written the same again.
    assert endpoint(expected, 1) == expected


@pytest.mark.parametrize(
    ("text", "host"), [("192.0.2.1:7947", "192.0.2.1"), ("[2001:db8::1]:7947", "2001:db8::1"), ("n1:7947", "n1")]
)
def test_the_host_of_an_address(text: str, host: str) -> None:
    assert host_of(text) == host
    assert is_name(text) == (host == "n1")


def test_members_are_not_asked_and_nobody_twice() -> None:
    assert worth_asking(["b:1", "a:1", "b:1", "c:1"], present={"c:1", "d:1"}) == ["a:1", "b:1"]
