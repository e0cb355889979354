"""The site is whole: every page is in it, every link leads somewhere, and nothing comes from elsewhere."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser

from tests.docs.html_page import Found, read

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_URL = re.compile(r"url\(\s*['\"]?(?!data:)([^'\")]+)")


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Found]:
    """Every page of the site. What a web server shows for a page that is not there has paths of its own."""
    found = {path: read(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    return {path: page for path, page in found.items() if path.name != "404.html"}


def test_every_page_is_in_it(site: Path) -> None:
    sources = {path.relative_to(DOCS) for folder in (DOCS, DOCS / "decisions") for path in folder.glob("*.md")}
    expected = {path.with_name("index.html" if path.name == "README.md" else f"{path.stem}.html") for path in sources}
    assert {path.relative_to(site) for path in site.rglob("*.html")} == expected | {Path("404.html")}


def test_every_link_leads_to_a_page_and_a_place_on_it(
    pages: dict[Path, Found], record_property: Callable[[str, object], None]
) -> None:
    broken, external = [], set()
    for path, page in pages.items():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme:
                # Only counted: whether somebody else's server answers is no fact about this checkout.
                external.add(link)
                continue
            there = (path.parent / unquote(target.path)).resolve() if target.path else path
            known = there.is_file() and (not target.fragment or _has(pages.get(there), target.fragment))
            broken += [] if known else [f"{path.name}: {link}"]
    record_property("external_links", len(external))
    assert broken == []
    assert {urlsplit(link).scheme for link in external} <= {"https"}


def _has(page: Found | None, fragment: str) -> bool:
    return page is not None and unquote(fragment) in page.anchors


def test_no_page_loads_anything_from_elsewhere(site: Path, pages: dict[Path, Found]) -> None:
    loaded = {(path, what) for path, page in pages.items() for what in page.loaded}
    loaded |= {(path, what) for path in site.rglob("*.css") for what in _URL.findall(path.read_text("utf-8"))}
    assert len(loaded) > len(pages)
    missing = [what for path, what in loaded if not (path.parent / unquote(urlsplit(what).path)).resolve().is_file()]
    assert missing == []


def test_a_browser_shows_the_pictures_and_asks_nobody(site: Path, browser: Browser) -> None:
    asked: list[str] = []
    context = browser.new_context(color_scheme="dark", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "concepts.html").as_uri())
    shown = page.locator("article img:visible")
    sizes = shown.evaluate_all("found => found.map(image => [image.alt.length, image.naturalWidth])")
    assert [min(each) > 0 for each in sizes] == [True, True]
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data", "blob"}
    context.close()
