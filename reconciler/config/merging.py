"""
The merge key `<<` (https://yaml.org/type/merge.html), which kubectl honours although YAML 1.2 dropped it.

A key of the mapping itself wins over a merged one, and an earlier mapping of a list over a later. kubectl's reader goes
by order of writing instead: what is merged overrules the keys above it. Where that makes a difference it is reported.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from reconciler.config.findings import Finding, shortened

_CODE = "yaml-merge-key"


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge key at `index`; `sources` are the mappings it names with their marks, `keys_above` those before it."""

    index: int
    sources: tuple[tuple[dict[str, Any], Any], ...] = ()
    keys_above: frozenset[str] = frozenset()
    is_mapping: bool = True

    def of(self, value: Any, mark: Any, so_far: dict[str, Any] | list[Any]) -> "Merge":
        """The merge key with its value, when it stands after the keys `so_far`."""
        values, marks = (value, mark[1]) if isinstance(value, list) else ([value], [mark])
        sources = tuple((v, m) for v, m in zip(values, marks, strict=True) if isinstance(v, dict))
        return replace(self, sources=sources, keys_above=frozenset(so_far), is_mapping=len(sources) == len(values))


def merged(merge: Merge, value: Any, mark: Any) -> Iterator[Finding]:
    """Add to a mapping, and to its mark, what it merges."""
    if not merge.is_mapping:
        yield Finding(merge.index, _CODE, "'<<' merges a mapping or a list of mappings, and this is neither")
    _, marks, keys = mark
    own = set(value)
    for source, (_, source_marks, source_keys) in merge.sources:
        for key, merged_value in source.items():
            if key in own:
                if key in merge.keys_above and merged_value != value[key]:
                    yield _overruled(key, keys[key], merge)
            elif key not in value:
                value[key] = merged_value
                marks[key] = source_marks[key]
                keys[key] = source_keys[key]


def _overruled(key: str, index: int, merge: Merge) -> Finding:
    message = f"kubectl takes the \"{shortened(key)}\" that '<<' below it merges instead of this; move '<<' to the top"
    return Finding(index, _CODE, message, merge.index, "merged here")
