"""Texts made to hang, crash or fill whoever reads them."""

from time import process_time

import pytest

from reconciler.config.documents import Opened, open_containers, parse_documents
from reconciler.config.limits import CLUSTER, CONFIGURATION
from reconciler.model.origin import Problem

# Of the processor, which others may have meanwhile: far more than any of them takes, far less than without the limits.
_SECONDS = 10.0

_LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)
_NESTED = "- &a0 [x]\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, 300))
_LONG_KEY = '? "' + "k" * 500_000 + '"\n'
_TAG = "%TAG !a! tag:x"
_CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\ndata:\n"
_MENTIONED = f"{_CONFIG_MAP}  a: 'apiVersion: metallb.io/\n\n"
_ALIASED = f"{_CONFIG_MAP}  a: &a |\n    apiVersion: metallb.io/v1beta1\n    x: "


def _read(text: str | bytes, *, strict: bool = True) -> tuple[Opened, list[Problem]]:
    started = process_time()
    parsed = parse_documents("f.yaml", text.encode() if isinstance(text, str) else text, strict=strict)
    opened = open_containers(parsed.documents)
    assert process_time() - started < _SECONDS
    inside = [problem for document in opened.documents for problem in document.problems]
    return opened, [*parsed.problems, *opened.problems, *inside]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(_LAUGHS, "yaml-alias-bomb", id="a billion laughs"),
        pytest.param("- &a " + "x" * 1_000_000 + "\n" + "- *a\n" * 10_000, "yaml-alias-bomb", id="a long text"),
        pytest.param("a: &a\n- [*a]\n", "yaml-alias-bomb", id="an alias of itself"),
        pytest.param(_NESTED, "yaml-too-deep", id="alias in alias"),
        pytest.param("[" * 1_000_000, "yaml-too-deep", id="brackets"),
        pytest.param("[\n" * 1_000_000, "yaml-too-deep", id="brackets on lines"),
        pytest.param("{a: " * 300_000, "yaml-too-deep", id="braces"),
        pytest.param("- " * 100_000, "yaml-too-deep", id="dashes"),
        pytest.param("? " * 100_000, "yaml-too-deep", id="question marks"),
        pytest.param("".join(" " * i + "a:\n" for i in range(2000)), "yaml-too-deep", id="indentation"),
        pytest.param("[" + "1," * 500_000 + "]", "yaml-too-large", id="many values"),
        pytest.param("a: 1\n" * 200_000, "yaml-too-large", id="one key many times"),
        pytest.param("a: &a {x: 1}\nb:\n" + "  <<: *a\n" * 100_000, "yaml-too-large", id="many merge keys"),
        pytest.param("---\na\n" * 30_000, "yaml-too-large", id="many documents"),
        pytest.param("---\n" * 1_000_000, "yaml-too-large", id="many empty documents"),
        pytest.param("x" * (CONFIGURATION.octets + 1), "yaml-too-large", id="a large file"),
        pytest.param("a: " + "x" * (CONFIGURATION.scalar + 1), "yaml-too-large", id="a long scalar"),
        pytest.param(f"{_TAG}\n" * 300_000 + "---\na\n", "yaml-too-large", id="tag directives"),
        pytest.param("a\n...\x85" + f"{_TAG}\x85" * 300_000, "yaml-too-large", id="tag directives after NEL"),
        pytest.param("a: " + "1" * 2_000_000, "yaml-ambiguous-scalar", id="a million digits"),
        pytest.param("a: 1e" + "9" * 90, "yaml-ambiguous-scalar", id="a huge exponent"),
        pytest.param("a: !!int " + "1" * 1_000_000, "yaml-unknown-tag", id="a million digits, tagged"),
        pytest.param("a: !" + "x" * 1_000_000 + " 1", "yaml-unknown-tag", id="a long tag"),
        pytest.param("a: *" + "x" * 1_000_000, "yaml-unknown-alias", id="a long alias"),
        pytest.param(f"{_LONG_KEY}: 1\n{_LONG_KEY}: 2\n", "yaml-duplicate-key", id="a long key"),
        pytest.param('"' * 1_000_001, "yaml-syntax", id="double quotes"),
        pytest.param("'" * 1_000_001, "yaml-syntax", id="single quotes"),
        pytest.param("a: b: " + "{{ " * 600_000, "yaml-syntax", id="openings of templates"),
        pytest.param("\r" * 3_000_000 + "a: [", "yaml-syntax", id="carriage returns"),
        pytest.param(b"\xff" * 5_000_000, "yaml-encoding", id="octets that are no text"),
        pytest.param(bytes(5_000_000), "yaml-encoding", id="zeros"),
        pytest.param(f"{_ALIASED}{'y' * 900_000}\n" + "  b: *a\n" * 99, "yaml-alias-bomb", id="a ConfigMap"),
        pytest.param(_MENTIONED + "apiVersion: " * 90_000 + "'\n", "yaml-syntax", id="data"),
    ],
)  # fmt: skip
def test_a_hostile_text_costs_little_and_says_why(text: str | bytes, code: str) -> None:
    _, problems = _read(text)
    assert problems[0].code == code
    assert len(problems) <= 101
    assert max(len(problem.message) for problem in problems) < 400


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# x\r\n" * 500_000 + "---\n" * 100, id="comments before a separator"),
        pytest.param("\r\n" * 1_000_000 + "a: 1\n---\n", id="blank lines before a document"),
        pytest.param("...\n" * 500_000, id="document ends"),
        pytest.param("a: >\n" + "  x\n\n" * 100_000, id="a folded scalar"),
        pytest.param("a: 'x" + "''" * 500_000 + "'", id="doubled quotes"),
        pytest.param(_CONFIG_MAP + "  a: 'apiVersion" + " " * 1_000_000 + "'\n", id="blanks in data"),
        pytest.param("".join(f"- &a{i} x\n" for i in range(50_000)), id="anchors"),
    ],
)
def test_a_long_text_is_read_in_time(text: str) -> None:
    assert _read(text)[1] == []


def test_a_file_of_broken_documents_is_left_after_a_hundred() -> None:
    _, problems = _read("---\n[\n" * 1_000)
    assert [problem.code for problem in problems] == ["yaml-syntax"] * CONFIGURATION.broken + ["yaml-too-large"]


def test_the_data_of_a_config_map_may_repeat_only_so_much() -> None:
    text = _ALIASED + "y" * 4_000 + "\n" + "".join(f"  b{i}: *a\n" for i in range(3000))
    opened, problems = _read(text)
    assert [problem.code for problem in problems] == ["yaml-too-large"]
    assert len(opened.documents) < CONFIGURATION.octets // 4_000


def test_manifests_of_a_cluster_may_be_larger() -> None:
    assert CLUSTER.document_nodes > 100_000 * 50
    _, problems = _read("[" + "1," * 300_000 + "]", strict=False)
    assert problems == []
