"""Values, comments and places of a source text."""

import pytest

from reconciler.migration.findings import Findings
from reconciler.migration.nodes import Mapping, plain
from reconciler.migration.reading import Source, read_documents
from tests.migration.builders import imported


def _read(text: str) -> tuple[list[object], list[str]]:
    findings = Findings()
    documents = read_documents(Source("a.yaml", text), findings)
    return [plain(document.node) for document in documents], [str(found) for found in findings.sorted()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("yes", True, id="a truth value of YAML 1.1"),
        pytest.param("Off", False, id="another"),
        pytest.param("010", 8, id="an octal number"),
        pytest.param("0x10", 16, id="a hexadecimal number"),
        pytest.param("-5", -5, id="a negative number"),
        pytest.param("65000:100", "65000:100", id="no number of base 60"),
        pytest.param("2026-01-01", "2026-01-01", id="no date"),
        pytest.param("'010'", "010", id="text in quotes"),
        pytest.param("!!str 10", "10", id="text by tag"),
        pytest.param("~", None, id="null"),
        pytest.param("1.5", 1.5, id="a fraction"),
    ],
)
def test_scalars_are_what_kubectl_takes_them_for(text: str, value: object) -> None:
    assert _read(f"a: {text}") == ([{"a": value}], [])


def test_aliases_and_merged_keys_are_opened() -> None:
    text = "base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}\nsame: *b\nmany: {<<: [{x: 5}, *b]}\n"
    assert _read(text)[0] == [
        {"base": {"x": 1, "y": 2}, "mine": {"y": 3, "x": 1}, "same": {"x": 1, "y": 2}, "many": {"x": 5, "y": 2}}
    ]


def test_the_last_of_equal_keys_counts_and_is_reported() -> None:
    values, found = _read("a: 1\nb: 2\na: 3\n")
    assert values == [{"a": 3, "b": 2}]
    assert len(found) == 1
    assert "yaml-duplicate-key" in found[0]


_BOMB = "p: hunter2\na0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("password: hunter2\n  bad: [", id="bad syntax"),
        pytest.param("password: hunter2\nx: *nowhere\n", id="an unknown alias"),
        pytest.param('password: hunter2\nx: "\\UFFFFFFFF"\n', id="an escape beyond Unicode"),
        pytest.param("password: hunter2\nx: " + "[" * 600, id="nested without end"),
        pytest.param(_BOMB, id="aliases of aliases"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_quotes_nothing(text: str) -> None:
    found = imported(text)
    assert any(code.endswith("!") for code in found.codes)
    assert "hunter2" not in str(found.problems)


def test_places_are_those_of_the_file() -> None:
    findings = Findings()
    (document,) = read_documents(Source("a.yaml", "a:\n  - b: 1\n    c: 2\n"), findings)
    assert isinstance(document.node, Mapping)
    (item,) = document.node.items("a")
    assert isinstance(item.node, Mapping)
    assert str(item.node.entries[1].origin) == "a.yaml:3:5"


COMMENTED = """\
# who looks after it: network team

# the addresses
apiVersion: metallb.io/v1beta1 # stable
kind: IPAddressPool
metadata:
  name: gold # costs extra
  # written by the server
  uid: x
  # for selectors
  labels: {tier: gold} # flow
spec:
  # all of rack A
  addresses: # in order
    # first
    - 192.0.2.0/28 # A1
    - "192.0.2.32/28"
    # the last # of them
    - '192.0.2.64/28'   # "#3"
  autoAssign: off
# at the end
---
# the next
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: gold
  annotations:
    note: |
      # no comment
      text # neither
spec:
  nodeSelectors:
    # rack A
    - matchLabels: # these
        rack: a
    - # rack B
      matchLabels: {rack: b}
# done
"""
POOL = """\
# who looks after it: network team
# the addresses
apiVersion: metallb.io/v1beta1  # stable
kind: IPAddressPool
metadata:
  name: gold  # costs extra
  # for selectors
  labels:  # flow
    tier: gold
spec:
  # all of rack A
  addresses:  # in order
    # first
    - 192.0.2.0/28  # A1
    - 192.0.2.32/28
    # the last # of them
    - 192.0.2.64/28  # "#3"
  autoAssign: false
# at the end
"""
ADVERTISEMENT = """\
# the next
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: gold
  annotations:
    note: "# no comment\\ntext # neither\\n"
spec:
  nodeSelectors:
    # rack A
    - matchLabels:  # these
        rack: a
    # rack B
    - matchLabels:
        rack: b
# done
"""


def test_comments_stay_with_what_they_were_said_of() -> None:
    found = imported(COMMENTED)
    assert found.texts["pools.yaml"].text == POOL
    assert found.texts["l2-advertisements.yaml"].text == ADVERTISEMENT
    assert found.codes == []


def test_an_import_of_the_result_is_the_result() -> None:
    assert imported(POOL, ADVERTISEMENT).texts["pools.yaml"].text == POOL
    assert imported(POOL, ADVERTISEMENT).texts["l2-advertisements.yaml"].text == ADVERTISEMENT


def test_every_line_knows_where_it_came_from() -> None:
    written = imported(COMMENTED).texts["pools.yaml"]
    by_text = dict(zip(written.text.splitlines(), written.origins, strict=True))
    assert str(by_text['    - 192.0.2.64/28  # "#3"']) == "a.yaml:19:7"
    assert str(by_text["  autoAssign: false"]) == "a.yaml:20:15"
