import json
from textwrap import indent
from typing import Any

import pytest

from reconciler.config.documents import Opened, open_containers, parse_documents

POOL = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata:\n  name: gold\n"
OTHER = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n"


def opened(text: str) -> Opened:
    parsed = parse_documents("f.yaml", text.encode())
    assert parsed.problems == ()
    return open_containers(parsed.documents)


def config_map(data: str) -> str:
    # Kind and version last, so that the lines of a row begin with the first.
    return f"{data.rstrip()}\nkind: ConfigMap\napiVersion: v1\nmetadata: {{name: c}}\n"


def block(key: str, text: str) -> str:
    return f"  {key}: |\n{indent(text, '    ')}"


def list_of(*items: str, kind: str = "List", version: str = "v1") -> str:
    entries = "".join("- " + indent(item, "  ")[2:] for item in items)
    return f"kind: {kind}\napiVersion: {version}\nitems:\n{entries}"


def kinds(found: Opened) -> list[Any]:
    return [document.value["kind"] for document in found.documents]


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        pytest.param(f"data:\n  a: |\n{indent(POOL, '    ')}", 4, 11, id="a literal block"),
        pytest.param(f"data:\n  a: |-   # why\n\n\n{indent(POOL, '      ')}", 6, 13, id="a block after blank lines"),
        pytest.param(f"data:\n  a: |2+\n{indent(POOL, '    ')}\n\n", 4, 11, id="a block that says its indentation"),
        pytest.param(f"data:\n  a: !!str &x |\n{indent(POOL, '    ')}", 4, 11, id="a block with a tag and an anchor"),
        pytest.param(f"data: {{a: {json.dumps(POOL)}}}", 1, 50, id="double quotes"),
        pytest.param(
            f'data: {{a: "\\u0023é\\x0a{json.dumps(POOL)[1:]}}}', 1, 61, id="double quotes with other escapes"
        ),
        pytest.param("data:\n  a: '" + POOL.replace("\n", "\n\n    ") + "'", 4, 11, id="single quotes over lines"),
        pytest.param(
            "data:\n  a: '# it''s\n\n    " + POOL.replace("\n", "\n\n    ") + "'", 6, 11, id="a doubled quote"
        ),
        pytest.param(
            "data:\n  a: >\n" + indent(POOL, "    ").replace("\n", "\n\n"), 2, 6, id="the start of a folded one"
        ),
        pytest.param(f"x: &x |\n{indent(POOL, '  ')}data:\n  a: *x", 7, 6, id="an alias"),
    ],
)
def test_a_place_in_the_data_of_a_config_map_is_a_place_in_the_file(data: str, line: int, column: int) -> None:
    (document,) = opened(config_map(data)).documents
    origin = document.origin("kind")
    assert document.value["kind"] == "IPAddressPool"
    assert (origin.path, origin.line, origin.column) == ("f.yaml", line, column)


@pytest.mark.parametrize("end", ["\r\n", "\r"], ids=["CRLF", "CR"])
def test_a_place_in_a_config_map_does_not_depend_on_line_ends(end: str) -> None:
    (document,) = opened(config_map("data:\n" + block("a", POOL)).replace("\n", end)).documents
    assert (document.origin("kind").line, document.origin("kind").column) == (4, 11)


@pytest.mark.parametrize(
    ("text", "expected", "foreign"),
    [
        pytest.param(config_map("data:\n" + block("a", POOL)), ["IPAddressPool"], 0, id="a ConfigMap of ours"),
        pytest.param(
            config_map("data:\n" + block("b.txt", POOL) + block("a", "x: ["[:2])), ["IPAddressPool"], 1, id="any key"
        ),
        pytest.param(
            config_map("data:\n" + block("a", POOL + "---\n" + OTHER)), ["IPAddressPool", "Secret"], 0, id="two"
        ),
        pytest.param(config_map("data:\n" + block("a", OTHER)), ["ConfigMap"], 0, id="documents of others"),
        pytest.param(config_map("data:\n" + block("a.yaml", "{{ [")), ["ConfigMap"], 0, id="values that are no YAML"),
        pytest.param(config_map("data: {a: 5}"), ["ConfigMap"], 0, id="values that are no text"),
        pytest.param(config_map("data: []"), ["ConfigMap"], 0, id="data that is no mapping"),
        pytest.param(config_map("binaryData: {a: YXBp}"), ["ConfigMap"], 0, id="binary data"),
        pytest.param(
            config_map("data:\n" + block("run.sh", f"cat <<EOF | kubectl apply -f -\n{POOL}EOF\n")),
            ["ConfigMap"],
            0,
            id="a script that writes a pool",
        ),
        pytest.param(
            config_map("data:\n" + block("values.yaml", "extra:\n- " + indent(POOL, "  ")[2:])),
            ["ConfigMap"],
            0,
            id="a pool inside of something else",
        ),
        pytest.param(list_of(POOL, OTHER), ["IPAddressPool", "Secret"], 0, id="a List"),
        pytest.param(list_of(), [], 0, id="an empty List"),
        pytest.param("kind: List\nitems: []\n", [], 0, id="a List of no items"),
        pytest.param(list_of(list_of(POOL), POOL), ["IPAddressPool"] * 2, 0, id="a List in a List"),
        pytest.param(list_of(config_map("data:\n" + block("a", list_of(POOL)))), ["IPAddressPool"], 0, id="all of it"),
        pytest.param(
            list_of("metadata: {name: p}\n", kind="IPAddressPoolList", version="metallb.io/v1beta1"),
            ["IPAddressPool"],
            0,
            id="a List named after its kind",
        ),
        pytest.param(list_of("x: y\n", kind="PodList"), ["PodList"], 0, id="a List of others"),
    ],
)
def test_containers_are_opened(text: str, expected: list[str], foreign: int) -> None:
    found = opened(text)
    assert found.problems == ()
    assert (kinds(found), found.foreign) == (expected, foreign)


def test_an_item_without_a_kind_keeps_its_places() -> None:
    (document,) = opened(list_of("metadata: {name: p}\n", kind="CommunityList", version="metallb.io/v1beta1")).documents
    assert document.value == {"apiVersion": "metallb.io/v1beta1", "kind": "Community", "metadata": {"name": "p"}}
    assert (document.origin("metadata", "name").line, document.origin("kind").line) == (4, 4)


def test_a_value_of_ours_that_is_no_yaml_is_a_problem() -> None:
    found = opened(config_map("data:\n" + block("a.yaml", POOL + "spec: [\n")))
    assert [(problem.origin.line, problem.code) for problem in found.problems] == [(8, "yaml-syntax")]
    assert found.documents == ()


def test_a_list_of_others_keeps_quiet_about_itself() -> None:
    assert opened("items:\n- {kind: Secret}\nkind: List\nkind: List\n").problems == ()
    assert opened(f"items:\n- {indent(POOL, '  ')[2:]}kind: List\nkind: List\n").problems != ()


def test_a_problem_belongs_to_the_item_it_stands_in() -> None:
    text = list_of("kind: A\nx: yes\n", POOL, "kind: B\nx: [off, on]\n")
    assert [len(document.problems) for document in opened(text).documents] == [1, 0, 2]


def test_containers_are_opened_four_levels_deep() -> None:
    text = POOL
    for _ in range(4):
        text = list_of(text)
    assert kinds(opened(text)) == ["IPAddressPool"]
    (problem,) = opened(list_of(text)).problems
    assert problem.code == "yaml-too-deep"
