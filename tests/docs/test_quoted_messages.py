"""What pages quote of the program, it says: whatever stands in italics in their tables."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# In the first column; what is put into a message is left out there with an ellipsis.
_ROW = re.compile(r"^\| ([^|]*\*[^|]*) \|", re.MULTILINE)
_QUOTED = re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")


@cache
def _texts() -> str:
    """Every string of the program."""
    trees = (ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "reconciler").rglob("*.py")))
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(text for text in constants if isinstance(text, str))


@pytest.mark.parametrize("page", ["bgp", "troubleshooting"])
def test_what_a_page_quotes_is_said(page: str) -> None:
    rows = _ROW.findall((ROOT / "docs" / f"{page}.md").read_text("utf-8"))
    quoted = [quote for row in rows for quote in _QUOTED.findall(row)]
    assert len(quoted) > 5
    parts = [part for quote in quoted for part in quote.split("…") if part.strip()]
    assert [part for part in parts if part.strip() not in _texts()] == []
