"""Links of the pages that are not on the site: they lead to a file of this checkout, and to a heading of it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Of decisions and pages of docs/ the build of the site knows more, but not what leads out of docs/.
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "kustomize/**/*.md", "config-examples/**/*.md")
    for path in ROOT.glob(pattern)
)
_CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    broken = []
    # Where the text of a link is code, the link stays.
    for link in _LINK.findall(_CODE.sub("code", text)):
        path, _, fragment = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (fragment and fragment not in _anchors(there)):
            broken.append(link)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    """As the places where repositories are read name them; a heading that comes twice is not linked to."""
    headings = _HEADING.findall(re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
