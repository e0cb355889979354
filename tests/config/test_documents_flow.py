"""Colons inside brackets, which the C parser refuses and everybody else reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.documents import parse_documents
from reconciler.config.limits import CONFIGURATION
from tests.config.fuzz_loader import fuzz_one


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("[fd00:1::/64, 10.0.0.0/24]", ["fd00:1::/64", "10.0.0.0/24"], id="IPv6 prefixes"),
        pytest.param(
            "{communities: [65000:100, large:1:2:3]}", {"communities": ["65000:100", "large:1:2:3"]}, id="BGP"
        ),
        pytest.param("{at: 2026-01-01T00:00:00Z}", {"at": "2026-01-01T00:00:00Z"}, id="a time"),
        pytest.param("{args: [--url=http://x:80/]}", {"args": ["--url=http://x:80/"]}, id="a URL"),
        pytest.param("{a: b:c, d: 1, e: 'f:g'}", {"a": "b:c", "d": 1, "e": "f:g"}, id="beside other values"),
        pytest.param('["\\ud83d\\ude00", a:b]', ["\N{GRINNING FACE}", "a:b"], id="beside a pair of escapes"),
    ],
)
def test_a_colon_inside_brackets_is_text(text: str, value: object) -> None:
    parsed = parse_documents("a.yaml", text.encode())
    assert [document.value for document in parsed.documents] == [value]
    assert not parsed.problems
    assert not parsed.documents[0].problems


def test_places_are_those_of_the_file() -> None:
    (first, second) = parse_documents("a.yaml", b"x: 1\n---\nspec:\n  addresses: [fd00::/64, yes]\n").documents
    assert str(first.origin("x")) == "a.yaml:1:4"
    assert str(second.origin("spec", "addresses", 0)) == "a.yaml:4:15"
    assert [str(problem.origin) for problem in second.problems] == ["a.yaml:4:26"]


def test_what_is_really_wrong_beside_it_is_found() -> None:
    parsed = parse_documents("a.yaml", b"a: [b:c]\nd: [e\n")
    assert [(str(problem.origin), problem.code) for problem in parsed.problems] == [("a.yaml:3:1", "yaml-syntax")]


def test_a_large_file_asks_for_quotes_instead_of_time() -> None:
    filler = "# " + "x" * 100 + "\n"
    text = filler * (CONFIGURATION.slowly // len(filler) + 1) + "a: [b:c]\n"
    (problem,) = parse_documents("a.yaml", text.encode()).problems
    assert problem.code == "yaml-syntax"
    assert "put this text in quotes" in problem.message


_FRAGMENTS = [
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "-",
    "a",
    "b1",
    '"',
    "'",
    "\\x",
    "\\UFFFFFFFF",
    "\\ud800",
    "*a",
    "#c",
    "fd00::1",
    "0x1",
    "é",
]
_LAYOUT = [
    "\n",
    "\n  ",
    ": ",
    "- ",
    "&a ",
    "!t ",
    "!!str ",
    "? ",
    "|\n  x",
    "> \n y",
    "%YAML 1.1\n",
    "<<: ",
    "---\n",
    "\t",
]


@given(st.lists(st.sampled_from([*_FRAGMENTS, *_LAYOUT]), max_size=25))
@settings(max_examples=400, deadline=None)
def test_nothing_in_such_a_file_does_harm(fragments: list[str]) -> None:
    fuzz_one(("[a:b, " + "".join(fragments)).encode())
