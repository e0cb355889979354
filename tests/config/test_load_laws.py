import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.kinds import KINDS, Kind
from reconciler.model.origin import Severity
from tests.config.builders import load_texts
from tests.config.damage import damaged

_kinds = st.sampled_from([kind.name for kind in KINDS.values()] + ["Pool"])
_versions = st.sampled_from([kind.api_version for kind in KINDS.values()] + ["metallb.io/v9", ""])
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(damaged(), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_damaged_document_is_loaded_or_refused_with_a_place(cases: list[tuple[Kind, Any]]) -> None:
    texts = [json.dumps(value) + "\n" for _, value in cases]
    loaded = load_texts(*texts)
    assert (loaded.desired is None) == any(problem.severity is Severity.ERROR for problem in loaded.problems)
    assert list(loaded.problems) == sorted(set(loaded.problems))
    lines = "---\n".join(texts).splitlines()
    for problem in loaded.problems:
        assert 1 <= problem.origin.line <= len(lines)
        assert 1 <= problem.origin.column <= len(lines[problem.origin.line - 1]) + 1
        assert problem.message.isprintable()


@given(_versions, _kinds, _anything, _anything)
@settings(max_examples=200, deadline=None)
def test_any_metadata_and_spec_are_loaded_or_refused(version: str, kind: str, metadata: Any, spec: Any) -> None:
    document = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    loaded = load_texts(json.dumps(document))
    assert loaded.desired is None or loaded.documents == 1
