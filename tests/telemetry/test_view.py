"""The facts of the page, as a value and as JSON."""

import json
from typing import Any

from msgspec.structs import replace

from reconciler.model.observed import NodeName, ServiceKey
from reconciler.telemetry.ownership import Ownership, ServiceAnnouncers
from reconciler.telemetry.speaker_condition import conditions_of
from reconciler.telemetry.view import HeldChange, Line, controller_view, held_changes, view_json
from tests.builders import desired, observed, pool, service
from tests.placement.builders import node
from tests.telemetry.builders import SESSION, speaker, status


def test_what_a_held_plan_would_do_to_each_service() -> None:
    state = observed(
        service("shop/kept", ingress="192.0.2.1"),
        service("shop/lost", ingress="192.0.2.9", requested_ips="192.0.2.9"),
        service("shop/moved", ingress="192.0.2.8"),
        service("shop/untouched", ingress="192.0.2.2"),
    )
    affected = [ServiceKey(f"shop/{name}") for name in ("moved", "kept", "lost", "gone")]
    found = held_changes(desired(pool("p", "192.0.2.0/30")), state, "", affected)
    assert [(row.service, row.before, row.after, row.silenced) for row in found] == [
        ("shop/gone", (), (), False),
        ("shop/kept", ("192.0.2.1",), ("192.0.2.1",), True),
        ("shop/lost", ("192.0.2.9",), (), False),
        ("shop/moved", ("192.0.2.8",), ("192.0.2.0",), False),
    ]
    assert found[3].cause == Line(path="p.yaml", line=1, column=1)
    assert found[3].message == '["192.0.2.8"] is not allowed in config: no pool contains 192.0.2.8'


def written(**facts: Any) -> Any:
    """The JSON of a view, read."""
    usual = {"leader": None, "held_plan": None, "nodes": (), "speakers": (), "owned": None, "notes": ()}
    return json.loads(view_json(controller_view(facts.pop("status", status()), **{**usual, **facts})))


def test_every_key_is_there_and_named_as_documented() -> None:
    speakers = conditions_of([speaker(sessions=(SESSION,))])
    row = ServiceAnnouncers(service=ServiceKey("shop/api"), l2=None, bgp=0)
    change = HeldChange(service=ServiceKey("shop/api"))
    found = written(
        nodes=(node("worker-1"), node("worker-9")),
        speakers=speakers,
        owned=Ownership((row,), ((NodeName("worker-1"),),)),
        held_plan=(change,),
        notes=("x",),
    )
    assert set(found) == {
        *("formatVersion", "controller", "leader", "heldPlan", "nodes", "announcers", "announcingNodeSets", "notes")
    }
    assert found["heldPlan"] == [
        {"service": "shop/api", "before": [], "after": [], "silenced": False, "message": None, "cause": None}
    ]
    assert found["announcers"] == [{"service": "shop/api", "l2": None, "bgp": 0, "reason": None, "message": None}]
    assert [(row["node"], row["state"]) for row in found["nodes"]] == [("worker-1", "ready"), ("worker-9", None)]
    assert set(found["nodes"][0]) == {
        *("node", "state", "troubles", "revision", "version", "members", "services", "addressesIPv4", "addressesIPv6"),
        *("links", "conflicts", "sessions"),
    }
    assert found["controller"]["services"][0]["service"] == "shop/api"


def test_a_name_that_is_no_unicode_and_a_number_beyond_64_bits_can_be_written() -> None:
    # As Python reads the name of a file that is no UTF-8.
    found = written(status=replace(status(), identity="a\udcff"))
    assert found["controller"]["identity"] == r"a\udcff"
    assert max(row["availableIPv6"] for row in found["controller"]["pools"]) == 1 << 80
