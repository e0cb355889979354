"""What the pages tell people to type exists: commands, options, make targets, directories to apply."""

from pathlib import Path

import pytest

from tests.docs.fences import commands
from tests.docs.shapes import ROOT, kustomizations, programs, wrong_with
from tests.docs.test_links import PAGES

_SHOWN = {
    page: [words for command in commands(page.read_text("utf-8")) for words in programs(command.typed)]
    for page in PAGES
}


@pytest.mark.parametrize("page", [page for page, shown in _SHOWN.items() if shown], ids=lambda path: path.stem)
def test_what_a_page_says_can_be_typed(page: Path) -> None:
    wrong = [f"{' '.join(words)}: {why}" for words in _SHOWN[page] if (why := wrong_with(words)) is not None]
    assert wrong == []
    applied = [path for words in _SHOWN[page] for path in kustomizations(words)]
    assert [path for path in applied if not (ROOT / path / "kustomization.yaml").is_file()] == []


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        pytest.param("reconciler diff --confg x", "no such option: ['--confg']", id="an option"),
        pytest.param("reconciler dif", "no such command: dif", id="a command"),
        pytest.param("make image IMAGE=x", None, id="a target with a variable"),
        pytest.param("make imge", "no such target: ['imge']", id="a target"),
        pytest.param("cat x | reconciler validate - # why", None, id="the second of two"),
    ],
)
def test_a_mistake_would_be_noticed(typed: str, why: str | None) -> None:
    assert [wrong_with(words) for words in programs(typed)] == [why]


def test_what_is_shown_is_found() -> None:
    assert sum(len(shown) for shown in _SHOWN.values()) > 50
    assert sum(len(kustomizations(words)) for shown in _SHOWN.values() for words in shown) > 4
