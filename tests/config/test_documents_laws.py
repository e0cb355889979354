import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.documents import parse_documents
from tests.config.fuzz_loader import fuzz_one

_FOLDER = Path(__file__).parent / "malformed" / "yaml"
_SEEDS = [path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.suffix in {".yaml", ".json"}]
_PIECES = ("a: ", "b:\n", "- ", "  ", "? ", ": ", "{", "}", "[", "]", ", ", "'", '"', "|", ">", "|-\n", "#", "\\", "\t")
_LINES = (
    "\n",
    "\r\n",
    "---\n",
    "...\n",
    "%TAG ! x\n",
    "kind: List\n",
    "kind: ConfigMap\n",
    "apiVersion: v1\n",
    "items:\n",
)
_WORDS = ("&a ", "*a", "<<: ", "!!int ", "!x ", "yes", "010", "1e3", "~", "\\u00e9", "\\ud83d", "data:\n", "- |\n")
_ODD = (
    "\x85",
    "\u2028",
    "\ufeff",
    "\U0001f600",
    "\x00",
    "apiVersion: metallb.io/v1beta1\n",
    "kind: IPAddressPoolList\n",
)
_FRAGMENTS = st.sampled_from((*_PIECES, *_LINES, *_WORDS, *_ODD))
# Left out: control characters, which JSON allows unescaped, and private ones, which cannot stand beside surrogates.
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co", "Zl", "Zp"]), max_size=20)
_NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_octets_give_problems_or_documents(data: bytes) -> None:
    fuzz_one(data)


@given(st.lists(_FRAGMENTS, max_size=40).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_fragments_of_yaml_give_problems_or_documents(text: str) -> None:
    fuzz_one(text.encode())


@given(st.sampled_from(_SEEDS), st.data())
@settings(max_examples=300, deadline=None)
def test_any_change_of_a_file_gives_problems_or_documents(seed: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(start + 8, len(seed))))
    fuzz_one(seed[:start] + data.draw(st.binary(max_size=8) | _FRAGMENTS.map(str.encode)) + seed[end:])


@given(_JSON, st.booleans(), st.sampled_from([None, 2, "\t"]))
@settings(max_examples=300, deadline=None)
def test_json_means_to_us_what_it_means_to_json(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps({"value": value}, ensure_ascii=ascii_only, indent=indent)
    parsed = parse_documents("f.json", text.encode())
    assert parsed.problems == ()
    (document,) = parsed.documents
    assert document.problems == ()
    assert document.value == json.loads(text)


@given(st.lists(st.text("ab\n:", max_size=8), max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_broken_document_hides_no_other(texts: list[str]) -> None:
    broken = "".join(f"---\nx: '{text}\n" for text in texts)
    parsed = parse_documents("f.yaml", f"{broken}---\nlast: one\n".encode())
    assert parsed.documents[-1].value == {"last": "one"}
    assert len(parsed.problems) == len(texts)
