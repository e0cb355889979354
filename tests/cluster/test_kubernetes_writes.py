"""What actions become on a real API server: exactly what was decided, on exactly what was looked at."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from reconciler.cluster.connection import Connection
from reconciler.cluster.kinds import SERVICES
from reconciler.cluster.listing import read_all
from reconciler.cluster.objects import ASSIGNED_CONDITION, POOL_ANNOTATION
from reconciler.cluster.port import ClusterError, Conflict, NotLeading
from reconciler.cluster.status_writes import StatusWriter
from reconciler.cluster.store import Store
from reconciler.model.observed import AssignedCondition, ObservedState, Service, ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordCondition, StatusWrite
from tests.builders import addresses
from tests.cluster.live_cluster import Live, following, service_in
from tests.controlplane.api import Api
from tests.controlplane.fault_proxy import FaultProxy
from tests.controlplane.faults import Answer, Cut
from tests.controlplane.harness import ControlPlane

ASSIGNED = AssignedCondition("True", "Assigned", 'from pool "gold"')
REFUSED = AssignedCondition("False", "PoolExhausted", "no address is left")
THEIR_CONDITION = {
    "type": "example.com/Checked",
    "status": "True",
    "reason": "Seen",
    "message": "theirs",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


class Written:
    """A Service of a test, as this program and as anybody else sees it."""

    def __init__(self, live: Live, api: Api, namespace: str) -> None:
        self.live = live
        self.cluster = live.cluster
        self.key = ServiceKey(f"{namespace}/web")
        self._api = api
        self._namespace = namespace
        api.create_service(namespace, "web")

    async def look(self) -> Service:
        """The Service in memory, once it is what the API server has."""

        def is_current(observed: ObservedState) -> bool:
            found = service_in(observed, self.key)
            return found is not None and found.resource_version == self.version

        found = service_in(await self.live.until(is_current), self.key)
        assert found is not None
        return found

    @property
    def stored(self) -> dict[str, Any]:
        return self._api.get("services", self._namespace, "web")

    @property
    def version(self) -> str:
        return str(self.stored["metadata"]["resourceVersion"])

    @property
    def ingress(self) -> list[dict[str, Any]]:
        return list(self.stored["status"]["loadBalancer"].get("ingress", []))

    @property
    def pool(self) -> str | None:
        annotation = self.stored["metadata"].get("annotations", {}).get(POOL_ANNOTATION)
        return annotation if annotation is None else str(annotation)

    @property
    def conditions(self) -> dict[str, dict[str, Any]]:
        return {condition["type"]: condition for condition in self.stored["status"].get("conditions", [])}

    @property
    def condition(self) -> dict[str, Any] | None:
        return self.conditions.get(ASSIGNED_CONDITION)

    def others_write(self, status: Mapping[str, object]) -> None:
        self._api.patch_status(self._namespace, "web", status)

    def others_annotate(self, **annotations: str) -> None:
        self._api.patch("services", self._namespace, "web", {"metadata": {"annotations": annotations}})

    def others_change(self, **spec: object) -> None:
        self._api.patch("services", self._namespace, "web", {"spec": spec})

    def others_delete(self) -> None:
        self._api.delete("services", self._namespace, "web")

    async def assign(self, text: str, condition: AssignedCondition | None = ASSIGNED, pool: str = "gold") -> None:
        await self.cluster.apply(self.assigning(await self.look(), text, condition, pool))

    async def clear(self, condition: AssignedCondition | None = None) -> None:
        await self.cluster.apply(self.clearing(await self.look(), condition))

    async def record(self, condition: AssignedCondition | None) -> None:
        await self.cluster.apply(self.recording(await self.look(), condition))

    @staticmethod
    def assigning(
        looked_at: Service, text: str, condition: AssignedCondition | None = ASSIGNED, pool: str = "gold"
    ) -> AssignAddresses:
        return AssignAddresses(
            looked_at.key,
            looked_at.ingress,
            addresses(text),
            pool,
            looked_at.resource_version,
            "assigned",
            "because",
            condition,
        )

    @staticmethod
    def clearing(looked_at: Service, condition: AssignedCondition | None = None) -> ClearAddresses:
        return ClearAddresses(
            looked_at.key, looked_at.ingress, looked_at.resource_version, "no-pools", "because", condition
        )

    @staticmethod
    def recording(looked_at: Service, condition: AssignedCondition | None) -> RecordCondition:
        return RecordCondition(looked_at.key, looked_at.resource_version, condition)


@pytest.fixture
async def web(control_plane: ControlPlane, api: Api, namespace: str) -> AsyncIterator[Written]:
    async with following(control_plane.kubeconfig("admin")) as live:
        yield Written(live, api, namespace)


# What is written


async def test_an_assignment_is_on_the_service(web: Written) -> None:
    await web.assign("192.0.2.1 2001:db8::1")
    assert [entry["ip"] for entry in web.ingress] == ["192.0.2.1", "2001:db8::1"]
    assert web.pool == "gold"
    assert web.condition is not None
    assert (web.condition["status"], web.condition["reason"]) == ("True", "Assigned")
    assert web.condition["message"] == 'from pool "gold"'
    assert web.condition["lastTransitionTime"].endswith("Z")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([], id="nothing"),
        pytest.param([{"ip": "192.0.2.9"}, {"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}], id="more addresses"),
        pytest.param([{"ip": "2001:db8::1"}, {"ip": "192.0.2.1"}], id="another order"),
        pytest.param([{"hostname": "lb.example.com"}], id="a host name"),
        pytest.param([{"hostname": "lb.example.com", "ip": "192.0.2.1", "ipMode": "VIP"}], id="both in one entry"),
        pytest.param(
            [{"ip": "192.0.2.9", "ipMode": "Proxy", "ports": [{"port": 80, "protocol": "TCP"}]}], id="modes and ports"
        ),
    ],
)
async def test_an_assignment_replaces_whatever_others_left(web: Written, before: list[dict[str, object]]) -> None:
    web.others_write({"loadBalancer": {"ingress": before}})
    await web.assign("192.0.2.1 2001:db8::1")
    assert web.ingress == [{"ip": "192.0.2.1", "ipMode": "VIP"}, {"ip": "2001:db8::1", "ipMode": "VIP"}]


@pytest.mark.parametrize("then", ["192.0.2.1", "2001:db8::1 192.0.2.1", "192.0.2.1 2001:db8::1 192.0.2.2"])
async def test_our_own_addresses_shrink_turn_and_grow(web: Written, then: str) -> None:
    await web.assign("192.0.2.1 2001:db8::1")
    await web.assign(then)
    assert [entry["ip"] for entry in web.ingress] == then.split()


async def test_another_pool_is_written_beside_the_same_address(web: Written) -> None:
    await web.assign("192.0.2.1")
    await web.assign("192.0.2.1", AssignedCondition("True", "Assigned", 'from pool "silver"'), "silver")
    assert web.pool == "silver"
    assert web.condition is not None
    assert web.condition["message"] == 'from pool "silver"'


@pytest.mark.parametrize("before", [[{"ip": "192.0.2.1"}], [{"hostname": "lb.example.com"}, {"ip": "192.0.2.1"}]])
async def test_a_clear_leaves_no_trace(web: Written, before: list[dict[str, object]]) -> None:
    await web.assign("192.0.2.2")
    web.others_write({"loadBalancer": {"ingress": before}})
    await web.clear()
    assert (web.ingress, web.pool, web.conditions) == ([], None, {})


async def test_a_clear_can_leave_the_reason(web: Written) -> None:
    await web.assign("192.0.2.1")
    await web.clear(REFUSED)
    assert (web.ingress, web.pool) == ([], None)
    assert web.condition is not None
    assert (web.condition["status"], web.condition["reason"]) == ("False", "PoolExhausted")


async def test_a_service_of_another_type_by_now_is_cleared(web: Written) -> None:
    await web.assign("192.0.2.1")
    web.others_change(type="ClusterIP")
    await web.clear()
    assert (web.ingress, web.pool, web.conditions) == ([], None, {})


async def test_a_condition_alone_leaves_addresses_and_annotation(web: Written) -> None:
    await web.assign("192.0.2.1")
    await web.record(REFUSED)
    assert [entry["ip"] for entry in web.ingress] == ["192.0.2.1"]
    assert web.pool == "gold"
    await web.record(None)
    assert [entry["ip"] for entry in web.ingress] == ["192.0.2.1"]
    assert (web.pool, web.condition) == ("gold", None)


async def test_what_others_wrote_stays(web: Written) -> None:
    web.others_write({"conditions": [THEIR_CONDITION]})
    web.others_annotate(theirs="kept")
    spec = web.stored["spec"]
    await web.assign("192.0.2.1")
    await web.record(REFUSED)
    await web.record(None)
    await web.assign("192.0.2.2")
    await web.clear()
    assert web.conditions == {THEIR_CONDITION["type"]: THEIR_CONDITION}
    assert web.stored["metadata"]["annotations"] == {"theirs": "kept"}
    assert web.stored["spec"] == spec


async def test_the_transition_time_changes_with_the_status_only(web: Written) -> None:
    await web.record(REFUSED)
    # As if it had been written long ago: the API counts whole seconds only.
    long_ago = "2026-01-01T00:00:00Z"
    assert web.condition is not None
    web.others_write({"conditions": [{**web.condition, "lastTransitionTime": long_ago}]})
    await web.record(AssignedCondition("False", "NoPools", "else"))
    assert web.condition is not None
    assert (web.condition["reason"], web.condition["lastTransitionTime"]) == ("NoPools", long_ago)
    await web.assign("192.0.2.1")
    assert web.condition is not None
    assert web.condition["lastTransitionTime"] > long_ago


async def test_a_write_that_changes_nothing_is_not_sent(web: Written) -> None:
    await web.assign("192.0.2.1")
    before = web.version
    # What is sent now would be refused.
    web.live.leading.may_write = False
    await web.assign("192.0.2.1")
    await web.record(ASSIGNED)
    assert web.version == before


# On what it is written


async def test_what_was_written_is_observed_at_once(web: Written) -> None:
    looked_at = await web.look()
    await web.cluster.apply(web.assigning(looked_at, "192.0.2.1"))
    found = await web.live.service(web.key)
    assert found is not None
    assert (found.ingress, found.allocated_pool) == (addresses("192.0.2.1"), "gold")
    assert found.condition is not None
    assert found.resource_version == web.version


async def test_a_plan_may_write_a_service_twice(web: Written) -> None:
    await web.assign("192.0.2.1")
    looked_at = await web.look()
    await web.cluster.apply(web.clearing(looked_at, REFUSED))
    await web.cluster.apply(web.assigning(looked_at, "192.0.2.2"))
    assert [entry["ip"] for entry in web.ingress] == ["192.0.2.2"]


async def test_the_first_of_two_may_have_nothing_to_write(web: Written) -> None:
    looked_at = await web.look()
    await web.cluster.apply(web.clearing(looked_at))
    await web.cluster.apply(web.assigning(looked_at, "192.0.2.2"))
    assert [entry["ip"] for entry in web.ingress] == ["192.0.2.2"]


@pytest.mark.parametrize("is_seen", [False, True], ids=["before we hear of it", "after we heard of it"])
@pytest.mark.parametrize(
    "meddle",
    [
        pytest.param(lambda web: web.others_annotate(theirs="new"), id="an annotation"),
        pytest.param(lambda web: web.others_change(externalTrafficPolicy="Local"), id="the spec"),
        pytest.param(lambda web: web.others_write({"conditions": [THEIR_CONDITION]}), id="a condition"),
        pytest.param(lambda web: web.others_write({"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}), id="ingress"),
    ],
)
@pytest.mark.parametrize("written", [0, 1], ids=["first write", "second write"])
async def test_whoever_wrote_in_between_is_not_overwritten(
    web: Written, meddle: Any, *, is_seen: bool, written: int
) -> None:
    await web.assign("192.0.2.1")
    looked_at = await web.look()
    if written:
        await web.cluster.apply(web.clearing(looked_at, REFUSED))
    meddle(web)
    theirs = web.stored
    if is_seen:
        await web.look()
    with pytest.raises(Conflict):
        await web.cluster.apply(web.assigning(looked_at, "192.0.2.2"))
    assert web.stored == theirs


async def test_a_version_that_was_never_observed_is_a_conflict(web: Written) -> None:
    looked_at = await web.look()
    await web.cluster.apply(web.assigning(looked_at, "192.0.2.1"))
    older = AssignAddresses(web.key, (), addresses("192.0.2.2"), "gold", "1", "assigned", "because", ASSIGNED)
    with pytest.raises(Conflict, match="version 1 was looked at"):
        await web.cluster.apply(older)


@pytest.mark.parametrize("is_seen", [False, True], ids=["before we hear of it", "after we heard of it"])
@pytest.mark.parametrize("write", [Written.assigning, Written.clearing, Written.recording])
async def test_a_service_that_is_gone_is_a_conflict(web: Written, write: Any, *, is_seen: bool) -> None:
    await web.assign("192.0.2.1")
    looked_at = await web.look()
    actions: dict[Any, StatusWrite] = {
        Written.assigning: web.assigning(looked_at, "192.0.2.2"),
        Written.clearing: web.clearing(looked_at),
        Written.recording: web.recording(looked_at, REFUSED),
    }
    web.others_delete()
    if is_seen:
        await web.live.until(lambda observed: service_in(observed, web.key) is None)
    with pytest.raises(Conflict, match="not there any more"):
        await web.cluster.apply(actions[write])


# When it is not written


async def test_who_does_not_lead_writes_nothing(web: Written) -> None:
    looked_at = await web.look()
    web.live.leading.may_write = False
    before = web.stored
    actions = (web.assigning(looked_at, "192.0.2.1"), web.recording(looked_at, REFUSED))
    for action in actions:
        with pytest.raises(NotLeading):
            await web.cluster.apply(action)
    assert web.stored == before
    web.live.leading.may_write = True
    await web.cluster.apply(actions[0])
    assert [entry["ip"] for entry in web.ingress] == ["192.0.2.1"]


async def test_a_refusal_of_the_server_is_told_in_its_words(web: Written) -> None:
    web.others_change(type="ClusterIP")
    looked_at = await web.look()
    with pytest.raises(ClusterError, match=r"/services/web/status .*422 Invalid.*spec\.type") as refused:
        await web.cluster.apply(web.assigning(looked_at, "192.0.2.1"))
    assert not isinstance(refused.value, Conflict)


async def test_a_missing_right_is_named(control_plane: ControlPlane, web: Written) -> None:
    stranger = await Connection.open(kubeconfig=str(control_plane.kubeconfig("nobody")))
    services = Store(SERVICES, pytest.fail)
    await read_all(web.live.connection, services)
    writer = StatusWriter(stranger, services, may_write=lambda: True)
    with pytest.raises(ClusterError, match='cannot patch resource "services/status"') as refused:
        await writer.write(web.assigning(await web.look(), "192.0.2.1"))
    assert not isinstance(refused.value, Conflict)
    await stranger.close()


async def test_a_lost_answer_is_an_error_and_the_next_look_tells(
    control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    with FaultProxy(control_plane) as proxy:
        async with following(control_plane.kubeconfig("admin", server=proxy.url)) as live:
            web = Written(live, api, namespace)
            looked_at = await web.look()
            lost = proxy.when(Cut(), method="PATCH", path=namespace)
            with pytest.raises(ClusterError) as unknown:
                await live.cluster.apply(web.assigning(looked_at, "192.0.2.1"))
            assert not isinstance(unknown.value, Conflict)
            # It was carried out, and not sent again.
            assert lost.done == 1
            proxy.clear()
            found = await web.look()
            assert found.ingress == addresses("192.0.2.1")
            with pytest.raises(Conflict):
                await live.cluster.apply(web.assigning(looked_at, "192.0.2.2"))
            await live.cluster.apply(web.assigning(found, "192.0.2.2"))
    assert [entry["ip"] for entry in web.ingress] == ["192.0.2.2"]


async def test_who_loses_the_lead_while_a_write_waits_does_not_send_it(
    control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    with FaultProxy(control_plane) as proxy:
        async with following(control_plane.kubeconfig("admin", server=proxy.url)) as live:
            web = Written(live, api, namespace)
            looked_at = await web.look()

            def stop_leading() -> None:
                live.leading.may_write = False

            refused = proxy.when(Answer(429, retry_after=1), method="PATCH", path=namespace, call=stop_leading)
            with pytest.raises(NotLeading):
                await live.cluster.apply(web.assigning(looked_at, "192.0.2.1"))
            assert refused.befallen == 1
    assert web.ingress == []


async def test_writes_of_the_gone_are_forgotten(
    web: Written, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web.assign("192.0.2.1")
    api.create_service(namespace, "other")
    other = ServiceKey(f"{namespace}/other")
    found = service_in(await web.live.until(lambda observed: service_in(observed, other) is not None), other)
    assert found is not None
    web.others_delete()
    await web.live.until(lambda observed: service_in(observed, web.key) is None)
    monkeypatch.setattr("reconciler.cluster.status_writes._SLACK", -1_000_000)
    await web.cluster.apply(web.assigning(found, "192.0.2.2"))
    assert list(web.cluster._writer._last) == [other]
