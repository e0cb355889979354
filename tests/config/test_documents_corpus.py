from pathlib import Path

import pytest

from reconciler.config.documents import open_containers, parse_documents
from reconciler.model.origin import Problem

_FOLDER = Path(__file__).parent / "malformed" / "yaml"
_INPUTS = sorted(path for path in _FOLDER.iterdir() if path.suffix != ".expected")


def _octets(path: Path) -> bytes:
    """Octets that an editor or git would not keep are written in hexadecimal."""
    return bytes.fromhex(path.read_text(encoding="utf-8")) if path.suffix == ".hex" else path.read_bytes()


def _line(problem: Problem) -> str:
    related = "".join(f" @{found.origin.line}:{found.origin.column} {found.note}" for found in problem.related)
    return f"{problem.origin.line}:{problem.origin.column} {problem.code} {problem.message}{related}"


def test_the_corpus_is_complete() -> None:
    assert len(_INPUTS) >= 35
    assert {path.with_suffix(".expected") for path in _INPUTS} == set(_FOLDER.glob("*.expected"))


@pytest.mark.parametrize("path", _INPUTS, ids=lambda path: path.name)
def test_a_malformed_text_yields_the_expected_findings_and_no_others(path: Path) -> None:
    parsed = parse_documents(path.name, _octets(path))
    opened = open_containers(parsed.documents)
    inside = [problem for document in opened.documents for problem in document.problems]
    found = sorted([*parsed.problems, *opened.problems, *inside])
    assert [_line(problem) for problem in found] == path.with_suffix(".expected").read_text("utf-8").splitlines()
    assert {problem.origin.path for problem in found} == {path.name}
