"""Explicit tags: the few of the core schema (YAML 1.2.2 section 10.3) are honoured, every other one is refused."""

import re

from reconciler.config.findings import Finding, shortened
from reconciler.config.scalars import Plain, read_plain

_CORE = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")


def read_tagged(tag: str, text: str, index: int) -> tuple[Plain, Finding | None]:
    """The value of a scalar with an explicit tag; text and a finding where that cannot be."""
    match tag.removeprefix(_CORE):
        case "!" | "str":
            return text, None
        case "int" if _INTEGER.fullmatch(text):
            return int(text), None
        case "float" if _is_number(text):
            return float(text), None
        case "bool" | "null" as name:
            value, _ = read_plain(text)
            if (isinstance(value, bool) and name == "bool") or (value is None and name == "null"):
                return value, None
        case "int" | "float":
            pass
        case _:
            return text, refuse_tag(tag, index)
    return text, Finding(index, "yaml-unknown-tag", f"{shortened(text)!r} cannot be a {_written(tag)}; remove the tag")


def refuse_tag(tag: str, index: int) -> Finding:
    """For a tag that has no meaning here."""
    return Finding(index, "yaml-unknown-tag", f"the tag {shortened(_written(tag))} has no meaning here; remove it")


def _is_number(text: str) -> bool:
    value, ambiguity = read_plain(text)
    return isinstance(value, int | float) and not isinstance(value, bool) and not ambiguity


def _written(tag: str) -> str:
    return f"!!{tag.removeprefix(_CORE)}" if tag.startswith(_CORE) else tag
