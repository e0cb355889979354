from pathlib import Path

import pytest

from tests.config.builders import load_folder

_FOLDER = Path(__file__).parent / "malformed" / "semantic"
_INPUTS = sorted(path for path in _FOLDER.iterdir() if path.suffix != ".expected")


def test_the_corpus_is_complete() -> None:
    assert len(_INPUTS) >= 40
    assert {path.with_suffix(".expected") for path in _INPUTS} == set(_FOLDER.glob("*.expected"))


@pytest.mark.parametrize("path", _INPUTS, ids=lambda path: path.name)
def test_a_malformed_configuration_yields_the_expected_findings_and_no_others(path: Path) -> None:
    found = load_folder(path).problems
    lines = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    expected = [line.split(" ", 3) for line in lines]
    places = [[str(problem.origin), problem.severity.value, problem.code] for problem in found]
    assert places == [line[:3] for line in expected]
    for problem, (*_, fragment) in zip(found, expected, strict=True):
        assert fragment in problem.message
