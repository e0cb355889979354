from typing import Any

import pytest

from reconciler.config.documents import Document, parse_documents


def only(text: str, *, strict: bool = True, path: str = "f.yaml") -> Document:
    parsed = parse_documents(path, text.encode(), strict=strict)
    assert parsed.problems == ()
    (document,) = parsed.documents
    return document


def place(document: Document, *pointer: str | int) -> tuple[int, int]:
    origin = document.origin(*pointer)
    return origin.line, origin.column


def key_place(document: Document, *pointer: str | int) -> tuple[int, int]:
    origin = document.key_origin(*pointer)
    return origin.line, origin.column


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("true", True, id="true"),
        pytest.param("FALSE", False, id="false in capitals"),
        pytest.param("tRue", "tRue", id="mixed case is text"),
        pytest.param("~", None, id="a tilde is null"),
        pytest.param("", None, id="nothing is null"),
        pytest.param("Null", None, id="null"),
        pytest.param("0", 0, id="zero"),
        pytest.param("00", 0, id="zero in any base"),
        pytest.param("-07", -7, id="digits that are the same in octal"),
        pytest.param("+12", 12, id="a signed integer"),
        pytest.param("-64512", -64512, id="a negative integer"),
        pytest.param("0x1F", 31, id="hexadecimal is read alike by all"),
        pytest.param("18446744073709551615", 2**64 - 1, id="the largest of 64 bits"),
        pytest.param("-9223372036854775808", -(2**63), id="the smallest of 64 bits"),
        pytest.param("1.0", 1.0, id="a float"),
        pytest.param("1.", 1.0, id="a float without a fraction"),
        pytest.param(".5", 0.5, id="a float without an integer"),
        pytest.param("-1.5e+3", -1500.0, id="an exponent with a sign"),
        pytest.param("65000:10", "65000:10", id="a community is no number of base 60"),
        pytest.param("12:30:45", "12:30:45", id="a time is text"),
        pytest.param("192.0.2.0/24", "192.0.2.0/24", id="a prefix"),
        pytest.param("192.0.2.1", "192.0.2.1", id="an address"),
        pytest.param("2001:db8::/64", "2001:db8::/64", id="an IPv6 prefix"),
        pytest.param("2026-01-01", "2026-01-01", id="a date is text"),
        pytest.param("1.2.3", "1.2.3", id="a version is text"),
        pytest.param("+", "+", id="a sign alone is text"),
        pytest.param(".", ".", id="a dot is text"),
        pytest.param("0x", "0x", id="a prefix alone is text"),
        pytest.param("1e", "1e", id="half an exponent is text"),
        pytest.param("_1", "_1", id="a separator in front is text"),
        pytest.param("<<", "<<", id="a merge sign as a value is text"),
        pytest.param("'yes'", "yes", id="quoted words are text"),
        pytest.param('"010"', "010", id="quoted digits are text"),
        pytest.param("!!str 010", "010", id="digits tagged as text"),
        pytest.param("! '010'", "010", id="quoted digits with the tag that means text"),
        pytest.param("!!int '7'", 7, id="text tagged as an integer"),
        pytest.param("!!float 1", 1.0, id="an integer tagged as a float"),
        pytest.param("!!bool 'true'", True, id="text tagged as a boolean"),
        pytest.param("!!null ''", None, id="text tagged as null"),
        pytest.param("!!map {}", {}, id="a tagged mapping"),
        pytest.param("!!seq []", [], id="a tagged list"),
        pytest.param("!<tag:yaml.org,2002:str> 1", "1", id="a tag in full"),
    ],
)
def test_a_scalar_has_the_value_of_the_core_schema(text: str, value: Any) -> None:
    document = only(f"key: {text}\n")
    assert document.problems == ()
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


@pytest.mark.parametrize("text", ["yes", "010", "1_000", "1e3", "0o17", ".inf", "9" * 30, "80: x", "on: x"])
def test_what_is_ambiguous_is_no_problem_in_manifests_of_a_cluster(text: str) -> None:
    assert parse_documents("f", f"key:\n  {text}\n".encode()).documents[0].problems
    assert only(f"key:\n  {text}\n", strict=False).problems == ()


def test_a_key_that_is_no_text_becomes_what_is_written() -> None:
    assert only("80: a\ntrue: b\n~: c\n", strict=False).value == {"80": "a", "true": "b", "~": "c"}


DOCUMENT = """\
# A comment.
apiVersion: metallb.io/v1beta1
spec:
  addresses:
  - 192.0.2.0/24
  - "198.51.100.0/24"
  nested: {a: [1, {b: ö}], "c d": null}
  text: |
    one
  tagged: !!str 5
"""


@pytest.mark.parametrize(
    ("pointer", "value", "key"),
    [
        pytest.param((), (2, 1), (2, 1), id="the document"),
        pytest.param(("apiVersion",), (2, 13), (2, 1), id="a scalar"),
        pytest.param(("spec",), (4, 3), (3, 1), id="a mapping"),
        pytest.param(("spec", "addresses"), (5, 3), (4, 3), id="a list"),
        pytest.param(("spec", "addresses", 1), (6, 5), (6, 5), id="an element"),
        pytest.param(("spec", "addresses", 2), (5, 3), (5, 3), id="an element that is missing"),
        pytest.param(("spec", "addresses", -1), (5, 3), (5, 3), id="an index below zero"),
        pytest.param(("spec", "nested", "a", 1, "b"), (7, 23), (7, 20), id="deep in flow style"),
        pytest.param(("spec", "nested", "c d"), (7, 35), (7, 28), id="a quoted key"),
        pytest.param(("spec", "nested", "missing", "too"), (7, 11), (7, 11), id="a pointer that leaves the document"),
        pytest.param(("spec", 0), (4, 3), (4, 3), id="an index into a mapping"),
        pytest.param(("spec", "text"), (8, 9), (8, 3), id="a block scalar"),
        pytest.param(("spec", "tagged"), (10, 11), (10, 3), id="a tagged scalar"),
    ],
)
def test_every_value_and_key_knows_its_place(
    pointer: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    document = only(DOCUMENT)
    assert place(document, *pointer) == value
    assert key_place(document, *pointer) == key


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_places_are_the_same_with_any_line_end(end: str) -> None:
    document = only(DOCUMENT.replace("\n", end))
    assert place(document, "spec", "nested", "a", 1, "b") == (7, 23)


def test_a_byte_order_mark_does_not_count_as_a_column() -> None:
    document = only("\ufeffa: {b: c}\n")
    assert place(document, "a", "b") == (1, 8)


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"], ids=["NEL", "LS", "PS"])
def test_a_line_separator_of_yaml_11_ends_no_line_and_is_reported(separator: str) -> None:
    document = only(f"a: 'x{separator}y'\nb: c\n")
    (problem,) = document.problems
    assert (problem.origin.line, problem.origin.column) == (1, 6)
    assert place(document, "b") == (2, 4)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("", [], id="an empty file"),
        pytest.param("# nothing\n", [], id="a comment"),
        pytest.param("---\n---\n...\n---\n# x\n", [], id="separators"),
        pytest.param("...\n...\n", [], id="document ends"),
        pytest.param("null\n", [], id="null"),
        pytest.param("a\n---\nb\n", ["a", "b"], id="two documents"),
        pytest.param("--- a\n--- b\n", ["a", "b"], id="documents on the line of their separator"),
        pytest.param("--- |\n x\n---\ny\n", ["x\n", "y"], id="a block scalar on the line of its separator"),
        pytest.param("a\n...\nb\n", ["a", "b"], id="a document after a document end"),
        pytest.param("%YAML 1.2\n---\na\n...\n# x\n%YAML 1.1\n---\nb\n", ["a", "b"], id="directives"),
        pytest.param("# x\r\n\r\n---\r\na\r\n", ["a"], id="a comment before the first separator"),
        pytest.param("a: |\n  ---\n  b\n", [{"a": "---\nb\n"}], id="an indented separator"),
        pytest.param("a: ---b\n---c: d\n", [{"a": "---b", "---c": "d"}], id="dashes that separate nothing"),
        pytest.param("a\n--- \nb", ["a", "b"], id="a separator with a blank"),
    ],
)
def test_a_file_holds_documents(text: str, values: list[Any]) -> None:
    parsed = parse_documents("f", text.encode())
    assert parsed.problems == ()
    assert [document.value for document in parsed.documents] == values


def test_an_alias_stands_where_it_is_written_and_its_contents_where_the_anchor_is() -> None:
    document = only("a: &a {b: c}\nd: *a\ne: &e x\nf: *e\n")
    assert document.value == {"a": {"b": "c"}, "d": {"b": "c"}, "e": "x", "f": "x"}
    assert [place(document, "d"), place(document, "d", "b"), place(document, "f")] == [(2, 4), (1, 11), (4, 4)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("<<: *x\n  a: 9", {"a": 9, "b": 2}, id="own keys win"),
        pytest.param("a: 1\n  <<: *x", {"a": 1, "b": 2}, id="an equal key above makes no difference"),
        pytest.param("<<: [*y, *x]", {"a": 5, "b": 2, "c": 6}, id="an earlier mapping wins over a later"),
        pytest.param("<<: {a: 3}", {"a": 3}, id="a mapping without an alias"),
        pytest.param("<<: []", {}, id="nothing to merge"),
        pytest.param("'<<': *x", {"<<": {"a": 1, "b": 2}}, id="a quoted sign is a key"),
    ],
)
def test_a_merge_key_merges(text: str, value: Any) -> None:
    document = only(f"x: &x {{a: 1, b: 2}}\nz: &y {{a: 5, c: 6}}\nm:\n  {text}\n")
    assert document.problems == ()
    assert document.value["m"] == value


def test_a_merged_value_stands_where_it_was_written() -> None:
    document = only("x: &x {a: 1}\nm:\n  <<: *x\n")
    assert (place(document, "m", "a"), key_place(document, "m", "a")) == ((1, 11), (1, 8))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a":\t1e3,\n\t"b": "\\/\\u00e9"}', {"a": 1000.0, "b": "/é"}, id="numbers, tabs and escapes"),
        pytest.param('{"a": "\\ud83d\\ude00!"}', {"a": "\U0001f600!"}, id="a pair of surrogates"),
        pytest.param('{"a": "\\\\ud83d"}', {"a": "\\ud83d"}, id="an escaped backslash before what looks like one"),
        pytest.param('{"a": "x\\ud83d"}', {"a": "x\ufffd"}, id="half a pair"),
        pytest.param('{"a": -0, "b": [true, null, 1.5E-2]}', {"a": 0, "b": [True, None, 0.015]}, id="other numbers"),
        pytest.param("[]", [], id="an empty list"),
    ],
)
def test_json_is_read_as_json(text: str, value: Any) -> None:
    document = only(text, path="f.json")
    assert document.problems == ()
    assert document.value == value


def test_a_pair_of_surrogates_moves_no_column() -> None:
    document = only('{"a": "\\ud83d\\ude00", "b": 1}', path="f.json")
    assert place(document, "b") == (1, 28)


def test_a_document_of_many_findings_keeps_the_first_hundred() -> None:
    document = only("- yes\n" * 1000)
    assert [problem.origin.line for problem in document.problems] == list(range(1, 101))
