"""Figures that pages repeat are those of docs/performance.md, rounded as the page writes them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
MEASURED = (DOCS / "performance.md").read_text("utf-8")
# Thousands are set apart by blanks.
_NUMBER = re.compile(r"\d+(?: \d{3})*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table by the heads of its columns; `label` is its first cell, or the last one above that has any."""

    label: str
    cells: dict[str, str]


def _rows() -> Iterator[Row]:
    label, heads = "", None
    for line in MEASURED.splitlines():
        if not line.startswith("|"):
            heads = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if heads is None:
            heads = cells
        elif not line.startswith("|--"):
            label = cells[0] or label
            yield Row(label, dict(zip(heads, cells, strict=True)))


def numbers(text: str) -> list[float]:
    return [float(found.replace(" ", "")) for found in _NUMBER.findall(text)]


def cell(label: str, column: str, *, services: str = "", which: int = 0) -> float:
    """A figure of a table; where its cell has several, `which`."""
    (found,) = (
        row.cells[column]
        for row in _rows()
        if row.label == label and column in row.cells and row.cells.get("N", "") == services
    )
    return numbers(found)[which]


def said(words: str) -> float:
    """The figure in a sentence: where `#` stands."""
    pattern = re.escape(" ".join(words.split())).replace(r"\ ", r"\s+").replace(r"\#", f"({_NUMBER.pattern})")
    (found,) = re.findall(pattern, MEASURED)
    return numbers(found)[0]


def new_service(column: str, which: int) -> float:
    return cell("created until the first answer, probed", column, which=which)


KILLED, CUT, ALONE, CROWD = "kill -9: new hosts unanswered", "link cut: warm client's loss", "alone", "beside 1 000"
KILLED_FAST, CUT_FAST = "kill -9, fast: new hosts unanswered", "link cut, fast: warm client's loss"
WAITING, SWAPPED = "waiting Services have addresses", "a ConfigMap is swapped"
CHANGED, DELETED = "one changed, until written", "deletion asked for until the last answer"
SPEAKER = said("A speaker with 1 000 addresses takes # MiB"), said("MiB and # % of a core")
HELD = said("The process held # MB"), said("with 1 000 Services, # MB"), said("4 000 and # MB with 10 000")


@pytest.mark.parametrize(
    ("page", "sentence", "figures"),
    [
        pytest.param(
            "operations",
            "10 000 waiting Services are served in # s, 1 000 in # s",
            [cell(WAITING, "p50", services=count) / 1000 for count in ("10 000", "1 000")],
            id="waiting Services",
        ),
        pytest.param(
            "operations",
            "# ms until it is written (95 in 100 within # ms)",
            [cell(CHANGED, column, services="10 000") for column in ("p50", "p95")],
            id="one change",
        ),
        pytest.param(
            "operations",
            "# s from the moment the files are there (95 in 100 within # s)",
            [cell(SWAPPED, column, services="10 000") / 1000 for column in ("p50", "p95")],
            id="a changed ConfigMap",
        ),
        pytest.param(
            "operations",
            "# MB with 1 000 Services, # MB with 4 000, # MB with 10 000",
            HELD,
            id="the controller's memory",
        ),
        pytest.param("operations", "# MiB with 1 000 addresses", SPEAKER[:1], id="a speaker's memory"),
        pytest.param(
            "operations",
            "# % of a core; ready # s after its start",
            (SPEAKER[1], said("and is ready # s after it was started")),
            id="a speaker at rest",
        ),
        pytest.param(
            "operations",
            "# ms, worst # ms; # and # ms beside 1 000 others",
            [new_service(column, which) for column in (ALONE, CROWD) for which in (0, 1)],
            id="a new Service",
        ),
        pytest.param(
            "operations",
            "until the last answer | # ms, worst # ms |",
            [cell(DELETED, ALONE, which=which) for which in (0, 1)],
            id="a deleted Service",
        ),
        pytest.param(
            "operations",
            "# s, worst # s; with `fastFailureDetection` # s, worst # s",
            [cell(row, column) / 1000 for row in (KILLED, KILLED_FAST) for column in ("p50", "worst")],
            id="a dead node",
        ),
        pytest.param(
            "operations", "by one speaker | # |", [cell("ARP, ours", "answered") * 1000], id="questions by ARP"
        ),
        pytest.param(
            "comparison",
            "traffic flows again | # s (worst of 21: # s); # s with fast failure detection",
            (cell(CUT, "p50") / 1000, cell(CUT, "worst") / 1000, cell(CUT_FAST, "p50") / 1000),
            id="a cut link",
        ),
        pytest.param(
            "comparison",
            "a new host is answered | # s (worst of 21: # s); # s with fast failure detection",
            (cell(KILLED, "p50") / 1000, cell(KILLED, "worst") / 1000, cell(KILLED_FAST, "p50") / 1000),
            id="a killed speaker",
        ),
        pytest.param(
            "comparison", "at most # ms | 0.3 to 35 s", [cell("link back: two owners", "worst")], id="two owners"
        ),
        pytest.param(
            "comparison",
            "Go libraries that MetalLB uses | # | # |",
            [cell(row, "answered") * 1000 for row in ("ARP, ours", "ARP, Go")],
            id="ARP answers",
        ),
        pytest.param(
            "comparison",
            "NDP, the same | # | # |",
            [cell(row, "answered") * 1000 for row in ("NDP, ours", "NDP, Go")],
            id="NDP answers",
        ),
        pytest.param(
            "comparison",
            "# µs (ARP), # µs (NDP) | # µs, # µs |",
            [cell(row, "p50") for row in ("ARP, ours", "NDP, ours", "ARP, Go", "NDP, Go")],
            id="half of the answers",
        ),
        pytest.param(
            "comparison",
            "Ours takes # MiB in a speaker with 1 000 addresses, and # to # MB in a controller",
            (SPEAKER[0], HELD[0], HELD[2]),
            id="memory",
        ),
        pytest.param("troubleshooting", "# s by Layer 2", [cell(KILLED, "p50") / 1000], id="a node dies"),
    ],
)
def test_a_page_repeats_what_was_measured(page: str, sentence: str, figures: list[float]) -> None:
    text = " ".join((DOCS / f"{page}.md").read_text("utf-8").split())
    pattern = re.escape(sentence).replace(r"\#", f"({_NUMBER.pattern})")
    (found,) = re.finditer(pattern, text)
    for written, figure in zip(found.groups(), figures, strict=True):
        _, _, decimals = written.partition(".")
        assert abs(numbers(written)[0] - figure) <= 0.5000001 * 10 ** -len(decimals), (written, figure)


def test_what_was_measured_of_metallb_is_the_same_in_both_pages() -> None:
    assert "a cut link costs the client 5.2 to 6.2 s, a new host waits 5.3 to 6.3 s" in " ".join(MEASURED.split())
    assert "two nodes answer for 0.3 to 35 s" in MEASURED
    comparison = (DOCS / "comparison.md").read_text("utf-8")
    assert re.findall(r"\| (\d[\d.]* to [\d.]+ s) \|", comparison) == ["5.2 to 6.2 s", "5.3 to 6.3 s", "0.3 to 35 s"]
    assert {cell(row, "events") for row in (CUT, KILLED, CUT_FAST, KILLED_FAST)} == {21}
