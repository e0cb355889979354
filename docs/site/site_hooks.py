"""
What MkDocs does not do by itself: the list of decisions, links out of docs/, and diagrams as pictures.

The pages stay as they read best in the repository. A link to a file outside of docs/ works there; on the site, which
does not have that file, its path stands instead. A Mermaid block is drawn there; the site shows the picture that
`python docs/site/draw.py` drew of it, so that it needs no script from elsewhere.
"""

import hashlib
import logging
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
SCHEMES = ("light", "dark")
MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Not a picture, and not what stands in a line of code.
_LINK_OUT = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)]*)?\)")
_TITLE = re.compile(r"^\s*accTitle:\s*(.+)$", re.MULTILINE)

# Below this name a warning fails a strict build.
_log = logging.getLogger("mkdocs.hooks.site")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add every page of decisions/ to the navigation, in order of its file name."""
    decisions = next(entry["Decisions"] for entry in config.nav or [] if "Decisions" in entry)
    listed = set(decisions)
    pages = (str(path.relative_to(DOCS)) for path in sorted((DOCS / "decisions").glob("*.md")))
    decisions.extend(page for page in pages if page not in listed)
    return config


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make of a page as the repository has it the page of the site."""
    del config, files
    path = Path(page.file.src_uri)
    found = iter(range(1, len(markdown)))
    drawn = MERMAID.sub(lambda block: _picture(block[1], path, next(found)), markdown)
    return _LINK_OUT.sub(lambda link: _path_instead(link, path), drawn)


def digest(source: str) -> str:
    """What a picture carries to show of which source it was drawn."""
    return hashlib.sha256(source.encode()).hexdigest()


def picture_of(page: Path, number: int, scheme: str) -> Path:
    """Where the picture of a Mermaid block is, below docs/. Blocks of a page count from 1."""
    return Path("images", "diagrams", f"{page.stem}-{number}.{scheme}.svg")


def _picture(source: str, page: Path, number: int) -> str:
    title = _TITLE.search(source)
    described = title[1] if title else f"Diagram {number} of this page"
    up = "../" * (len(page.parts) - 1)
    pictures = [picture_of(page, number, scheme) for scheme in SCHEMES]
    for picture in pictures:
        drawn = DOCS / picture
        if not drawn.is_file() or digest(source) not in drawn.read_text(encoding="utf-8"):
            _log.warning("%s: diagram %d is not drawn: python docs/site/draw.py", page, number)
    # Material shows one of the two, by these fragments.
    return "\n".join(
        f"![{described}]({up}{picture}#only-{scheme})" for picture, scheme in zip(pictures, SCHEMES, strict=True)
    )


def _path_instead(link: re.Match[str], page: Path) -> str:
    text, target = link[1], (DOCS / page.parent / link[2]).resolve()
    if target.is_relative_to(DOCS) or not target.exists():
        return link[0]
    path = f"`{target.relative_to(ROOT)}{'/' if target.is_dir() else ''}`"
    return path if text.strip("`/") == path.strip("`/") else f"{text} ({path})"
