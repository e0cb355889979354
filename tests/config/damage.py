"""Complete documents of every kind, and the same with a few values damaged."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from reconciler.config.documents import parse_documents
from reconciler.config.kinds import KINDS, Kind

_KINDS = Path(__file__).resolve().parents[2] / "config-examples" / "kinds"
# A field that may be left out stands there behind a "#" without a blank.
_OPTIONAL = re.compile(r"^(\s*)#(?=\S)", re.MULTILINE)


def example(kind: Kind) -> str:
    """The commented file of a kind, with everything that is optional switched on."""
    return _OPTIONAL.sub(r"\1", (_KINDS / f"{kind.name.lower()}.yaml").read_text(encoding="utf-8"))


def value_of(text: str) -> Any:
    """The value of a text that is one document."""
    (document,) = parse_documents("example.yaml", text.encode()).documents
    return document.value


# Values that sit on the edges of the keywords: types that resemble each other, bounds, formats, extra keys.
_scalars = st.sampled_from(
    [0, 1, -1, 32, 33, 179, 4294967295, 4294967296, 1.0, 1.5, True, False, "", "In", "in", "90s", "1d", "p", "internal"]
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "matchLabels", "key", "operator", "values", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Kind, Any]:
    """A complete document of some kind with a few values replaced, added or removed."""
    kind = draw(st.sampled_from([kind for kind in KINDS.values() if kind.instead is None]))
    value = deepcopy(value_of(example(kind)))
    for _ in range(draw(st.integers(0, 3))):
        parent = value
        while True:
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(parent[key], dict | list) and draw(st.booleans()):
                parent = parent[key]
                continue
            if isinstance(parent, dict) and draw(st.booleans()):
                del parent[key]
                parent[draw(st.sampled_from(["x", "spec", "name"]))] = draw(_values)
            else:
                parent[key] = draw(_values)
            break
    return kind, value
