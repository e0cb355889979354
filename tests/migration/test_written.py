"""What is written is read back as the same by our loader, without a doubt about any word of it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.migration.findings import Findings
from reconciler.migration.manifests import Manifest, write
from reconciler.migration.nodes import Mapping, from_plain, plain
from reconciler.migration.reading import Source, read_documents
from reconciler.migration.scalars import read_plain, written
from reconciler.model.origin import Origin
from tests.migration.builders import read_back

_WORDS = (
    "yes Off fd00:: ~ 010 0x1f 1e3 65000:100 12:30 1_000 .inf null 2026-01-01 90s 1.5 ::1 fd00::/64 "
    "192.0.2.1-192.0.2.9 y N true --- ... = << [x] {x} *a &a !a %a @a `a | > ' \" \\ ? a: - # \U0001f600 \ufeff \x07"
)
_ODD = [
    "",
    "- a",
    "a: b",
    "a #b",
    "a\nb",
    "\x85",
    "\u2028",
    " a",
    "a ",
    "fd00:: - fd00::1",
    "fd00::1 - fd00::2",
    "192.0.2.1 - 192.0.2.9",
]
_HARD = st.sampled_from([*_WORDS.split(" "), *_ODD])
_TEXTS = st.one_of(_HARD, st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
_LEAVES = st.one_of(_TEXTS, st.integers(-(2**62), 2**62), st.booleans())
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(_TEXTS, _VALUES, min_size=1, max_size=4)
_HERE = Origin("a.yaml", 1, 1)


def _text(value: dict[str, Any]) -> str:
    root = from_plain(value, _HERE)
    assert isinstance(root, Mapping)
    return write([Manifest("X", "x", root, _HERE)]).text


@settings(deadline=None)
@given(_OBJECTS)
def test_whatever_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert read_back(_text(value)) == [value]


@settings(deadline=None)
@given(_OBJECTS)
def test_both_readers_take_it_for_the_same(value: dict[str, Any]) -> None:
    findings = Findings()
    (document,) = read_documents(Source("a.yaml", _text(value)), findings)
    assert (plain(document.node), findings.sorted()) == (value, ())


@given(_TEXTS)
def test_a_text_is_a_text_to_kubectl(text: str) -> None:
    shown = written(text)
    assert shown.startswith('"') or read_plain(shown) == text


def test_what_people_write_is_not_quoted() -> None:
    plainly = [
        "gold",
        "rack-a",
        "192.0.2.0/24",
        "192.0.2.1-192.0.2.9",
        "2001:db8::/32",
        "fd00::1-fd00::9",
        "90s",
        "eth0",
    ]
    assert [written(text) for text in plainly] == plainly
    assert [written(text) for text in ("65000:100", "on", "1")] == ['"65000:100"', '"on"', '"1"']
