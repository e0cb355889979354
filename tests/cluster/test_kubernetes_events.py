"""Events on Services of a real API server: said once, about the right object, and by nobody who does not lead."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from reconciler.cluster.port import NotLeading
from reconciler.model.observed import AssignedCondition, Service, ServiceKey
from reconciler.plan.actions import AssignAddresses, RecordCondition, RecordEvent
from tests.builders import addresses
from tests.cluster.live_cluster import PATIENCE, Live, following, service_in
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane

REFUSED = AssignedCondition("False", "PoolExhausted", "no address is left")


@pytest.fixture
async def live(control_plane: ControlPlane) -> AsyncIterator[Live]:
    async with following(control_plane.kubeconfig("admin")) as made:
        yield made


@pytest.fixture
async def web(live: Live, api: Api, namespace: str) -> Service:
    api.create_service(namespace, "web")
    key = ServiceKey(f"{namespace}/web")
    found = service_in(await live.until(lambda observed: service_in(observed, key) is not None), key)
    assert found is not None
    return found


def saying(service: Service, message: str = "no available IPs") -> RecordEvent:
    return RecordEvent(service.key, "Warning", "AllocationFailed", message)


async def events(live: Live, api: Api, service: Service) -> list[dict[str, Any]]:
    """All that was said about a Service by now, as `kubectl describe` finds it."""
    await live.events.flush(PATIENCE)
    fields = {"kind": "Service", "namespace": service.namespace, "name": service.name, "uid": service.uid}
    selector = ",".join(f"involvedObject.{field}={value}" for field, value in fields.items())
    return api.objects("events", service.namespace, fieldSelector=selector)


async def test_an_event_is_found_by_its_service(live: Live, api: Api, web: Service) -> None:
    await live.cluster.apply(saying(web))
    [event] = await events(live, api, web)
    assert event["involvedObject"]["uid"] == api.get("services", web.namespace, "web")["metadata"]["uid"]
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "AllocationFailed", "no available IPs")


async def test_what_was_said_is_not_said_again(live: Live, api: Api, web: Service) -> None:
    for _ in range(2):
        await live.cluster.apply(saying(web))
        await live.cluster.apply(saying(web, "something else"))
        found = await events(live, api, web)
        assert sorted((event["message"], event["count"]) for event in found) == [
            ("no available IPs", 1),
            ("something else", 1),
        ]


@pytest.mark.parametrize("is_condition", [True, False], ids=["a condition", "addresses"])
async def test_it_is_said_again_after_a_write(live: Live, api: Api, web: Service, *, is_condition: bool) -> None:
    await live.cluster.apply(saying(web))
    await live.cluster.apply(
        RecordCondition(web.key, web.resource_version, REFUSED)
        if is_condition
        else AssignAddresses(
            web.key, (), addresses("192.0.2.1"), "gold", web.resource_version, "assigned", "because", None
        )
    )
    await live.cluster.apply(saying(web))
    [event] = await events(live, api, web)
    assert event["count"] == 2


async def test_a_write_of_nothing_is_no_write(live: Live, api: Api, web: Service) -> None:
    await live.cluster.apply(saying(web))
    await live.cluster.apply(RecordCondition(web.key, web.resource_version, None))
    await live.cluster.apply(saying(web))
    [event] = await events(live, api, web)
    assert event["count"] == 1


async def test_nothing_is_said_of_a_service_that_is_gone(live: Live, api: Api, web: Service) -> None:
    api.delete("services", web.namespace, "web")
    await live.until(lambda observed: service_in(observed, web.key) is None)
    await live.cluster.apply(saying(web))
    assert await events(live, api, web) == []


async def test_a_service_that_is_made_anew_is_spoken_of_as_itself(live: Live, api: Api, web: Service) -> None:
    await live.cluster.apply(saying(web))
    assert len(await events(live, api, web)) == 1
    api.delete("services", web.namespace, "web")
    api.create_service(web.namespace, "web")
    uid = api.get("services", web.namespace, "web")["metadata"]["uid"]

    def is_new(service: Service | None) -> bool:
        return service is not None and service.uid == uid

    again = service_in(await live.until(lambda observed: is_new(service_in(observed, web.key))), web.key)
    assert again is not None
    await live.cluster.apply(saying(again))
    [event] = await events(live, api, again)
    assert event["count"] == 1


async def test_who_does_not_lead_says_nothing(live: Live, api: Api, web: Service) -> None:
    live.leading.may_write = False
    with pytest.raises(NotLeading):
        await live.cluster.apply(saying(web))
    assert await events(live, api, web) == []


async def test_who_leads_again_says_it_again(live: Live, api: Api, web: Service) -> None:
    await live.cluster.apply(saying(web))
    assert len(await events(live, api, web)) == 1
    live.leading.may_write = False
    with pytest.raises(NotLeading):
        await live.cluster.apply(RecordCondition(web.key, web.resource_version, REFUSED))
    live.leading.may_write = True
    await live.cluster.apply(saying(web))
    [event] = await events(live, api, web)
    assert event["count"] == 2


async def test_what_was_said_of_the_gone_is_forgotten(
    live: Live, api: Api, web: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.cluster.kubernetes._SLACK", -1_000_000)
    await live.cluster.apply(saying(web))
    api.create_service(web.namespace, "other")
    await live.until(lambda observed: service_in(observed, ServiceKey(f"{web.namespace}/other")) is not None)
    assert list(live.cluster._said) == [web.key]
    api.delete("services", web.namespace, "web")
    await live.until(lambda observed: service_in(observed, web.key) is None)
    assert list(live.cluster._said) == []
