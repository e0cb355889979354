"""
Draws the Mermaid blocks of docs/ as pictures for the site: `python docs/site/draw.py`, from the top of a checkout.

Needs npm, which fetches the Mermaid library into build/, and Chromium. Each picture carries the digest of what it was
drawn of, so that a build of the site tells when one is not up to date.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from site_hooks import DOCS, MERMAID, ROOT, SCHEMES, digest, picture_of

_VERSION = "11.17.2"
_LIBRARY = ROOT / "build" / "mermaid" / "package" / "dist" / "mermaid.min.js"
_THEMES = {"light": "neutral", "dark": "dark"}
# Text of pictures, not of HTML inside of them: a picture that a page embeds shows no HTML.
_DRAW = """async ([name, theme, source]) => {
    mermaid.initialize({
        startOnLoad: false, theme: theme, deterministicIds: true, htmlLabels: false, securityLevel: "strict",
        fontFamily: "sans-serif", flowchart: {htmlLabels: false}, state: {htmlLabels: false},
    });
    const drawn = await mermaid.render(name, source);
    const picture = new DOMParser().parseFromString(drawn.svg, "text/html").querySelector("svg");
    const [, , width, height] = picture.getAttribute("viewBox").split(" ");
    picture.setAttribute("width", Math.ceil(width));
    picture.setAttribute("height", Math.ceil(height));
    return new XMLSerializer().serializeToString(picture);
}"""


def blocks() -> Iterator[tuple[Path, int, str]]:
    """Each Mermaid block of docs/: its page, its number on it from 1, and its source."""
    for path in sorted(DOCS.rglob("*.md")):
        for number, block in enumerate(MERMAID.finditer(path.read_text(encoding="utf-8")), 1):
            yield path.relative_to(DOCS), number, block[1]


def main() -> None:
    """Draw all of them anew."""
    _fetch_library()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.add_script_tag(path=_LIBRARY)
        for path, number, source in blocks():
            for scheme in SCHEMES:
                target = DOCS / picture_of(path, number, scheme)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(_drawn(page, f"{path.stem}-{number}", scheme, source), encoding="utf-8")
        browser.close()


def _drawn(page: Page, name: str, scheme: str, source: str) -> str:
    picture = page.evaluate(_DRAW, [name, _THEMES[scheme], source])
    return f"<!-- of {digest(source)} -->\n{picture}\n"


def _fetch_library() -> None:
    if not _LIBRARY.exists():
        folder = _LIBRARY.parents[2]
        folder.mkdir(parents=True, exist_ok=True)
        for command in (["npm", "pack", "--silent", f"mermaid@{_VERSION}"], ["tar", "-xzf", f"mermaid-{_VERSION}.tgz"]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - no word is anybody's


if __name__ == "__main__":
    main()
