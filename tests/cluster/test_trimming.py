"""What a snapshot keeps of a node beside its name, labels and conditions."""

import json
from typing import Any

import msgspec
import pytest

from reconciler.cluster.api_object import Place, objects_in
from reconciler.cluster.trimming import Trimmed, snapshot_lines


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"podCIDR": "10.1.0.0/24", "unschedulable": True}, None, id="nothing that is read"),
        pytest.param({"taints": []}, {"taints": []}, id="no taint"),
        pytest.param(
            {"taints": [{"key": "a", "value": "b", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}]},
            {"taints": [{"key": "a"}]},
            id="the key of a taint",
        ),
    ],
)
def test_of_a_node_a_snapshot_keeps_the_keys_of_taints(spec: Any, expected: Any) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": spec}
    kept = Trimmed()
    for found in objects_in(msgspec.Raw(json.dumps(node).encode()), Place("x")):
        kept.add(found)
    (written,) = json.loads(b"".join(snapshot_lines([kept])))["items"]
    assert written.get("spec") == expected
