"""Names of objects: legal ones are kept, others become legal, and none is given twice."""

import re
from collections import defaultdict

_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_ILLEGAL = re.compile(r"[^a-z0-9.]+")
_LONGEST, _LONGEST_MADE = 253, 63


def is_legal(name: str) -> bool:
    """Whether an object may have that name (RFC 1123, at most 253 characters)."""
    return len(name) <= _LONGEST and _SUBDOMAIN.fullmatch(name) is not None


def legal(text: str) -> str:
    """The text as a name: in lower case, every run of other characters a dash; empty where nothing is left of it."""
    parts = (part.strip("-") for part in _ILLEGAL.sub("-", text.lower()).split("."))
    return ".".join(filter(None, parts))[:_LONGEST_MADE].strip("-.")


class Names:
    """The names that are taken, by kind."""

    def __init__(self) -> None:
        self._taken: dict[str, set[str]] = defaultdict(set)

    def reserve(self, kind: str, name: str) -> None:
        """Keep a name for an object that has it already."""
        self._taken[kind].add(name)

    def make(self, kind: str, wanted: str) -> str:
        """A legal name as close to the wanted one as can be, and give it away: `gold`, `gold-2`, `gold-3`."""
        base = legal(wanted) or kind.lower()
        name, number = base, 1
        while name in self._taken[kind]:
            number += 1
            suffix = f"-{number}"
            name = f"{base[: _LONGEST_MADE - len(suffix)].rstrip('-.')}{suffix}"
        self._taken[kind].add(name)
        return name
