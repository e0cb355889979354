"""What a page of the site links to, loads, and can be linked to by. No I/O."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_LOADED = {"img": "src", "script": "src", "source": "src", "iframe": "src", "video": "src", "object": "data"}


@dataclass(slots=True)
class Found:
    """Of one page: targets of links, what a browser fetches to show it, and its anchors."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)


def read(text: str) -> Found:
    """Read the HTML of a page."""
    reader = _Reader()
    reader.feed(text)
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = Found()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.found.anchors |= {attributes[name] for name in ("id", "name") if name in attributes}
        if tag == "a" and "href" in attributes:
            self.found.links.append(attributes["href"])
        elif tag == "link" and attributes.get("rel") not in {"canonical", "next", "prev"}:
            self.found.loaded.append(attributes["href"])
        elif attributes.get(_LOADED.get(tag, "")):
            self.found.loaded.append(attributes[_LOADED[tag]])
