import pytest

from reconciler.model.observed import ObservedState
from reconciler.model.selectors import Labels

_NAME = ("kubernetes.io/metadata.name", "web")


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        pytest.param(None, (_NAME,), id="when the snapshot lacks it"),
        pytest.param((), (_NAME,), id="when it has no labels"),
        pytest.param((("tier", "front"),), (_NAME, ("tier", "front")), id="when a manifest gives others"),
        pytest.param((_NAME,), (_NAME,), id="once, when it is there"),
    ],
)
def test_a_namespace_has_the_label_of_its_name(written: Labels | None, labels: Labels) -> None:
    namespaces = {} if written is None else {"web": written}
    assert ObservedState(namespaces=namespaces).namespace_labels("web") == labels
