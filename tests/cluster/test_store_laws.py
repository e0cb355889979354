"""Whatever is told in whatever order: a store ends up as a plain dictionary would."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cluster import wire
from reconciler.cluster.endpoint_store import EndpointStore
from reconciler.cluster.kinds import SERVICES
from reconciler.cluster.store import Change, Outcome, Store
from reconciler.model.observed import Service
from tests.cluster.api_objects import Json, a_bookmark, a_page, a_service, a_slice, an_event

Services = Store[wire.Service, Service]

NAMES = st.sampled_from(["a", "b", "c", "d"])
INGRESS = st.sampled_from(["", "192.0.2.1", "192.0.2.2"])


@dataclass
class Server:
    """What an API server would hold and tell, as plainly as possible."""

    version: int = 100
    objects: dict[str, Json] = field(default_factory=dict)
    told: list[bytes] = field(default_factory=list)

    def put(self, name: str, ingress: str) -> bytes:
        self.version += 1
        event = "MODIFIED" if name in self.objects else "ADDED"
        self.objects[name] = a_service(name, self.version, ingress=ingress)
        self.told.append(an_event(event, self.objects[name]))
        return json.dumps(self.objects[name]).encode()

    def delete(self, name: str) -> None:
        if found := self.objects.pop(name, None):
            self.version += 1
            found["metadata"]["resourceVersion"] = str(self.version)
            self.told.append(an_event("DELETED", found))

    def bookmark(self) -> None:
        self.told.append(a_bookmark(self.version))

    def facts(self) -> list[tuple[str, str, str]]:
        return sorted(
            (
                f"shop/{name}",
                found["metadata"]["resourceVersion"],
                " ".join(entry["ip"] for entry in found["status"]["loadBalancer"]["ingress"]),
            )
            for name, found in self.objects.items()
        )

    def relist(self, store: Services) -> None:
        """A list of the present, in pages of two; what was still to be told is part of it."""
        self.told.clear()
        items = list(self.objects.values())
        store.begin_list()
        for start in range(0, max(len(items), 1), 2):
            store.add_page(a_page(items[start : start + 2], self.version))
        store.end_list(str(self.version))


def facts_of(store: Services) -> list[tuple[str, str, str]]:
    return [(s.key, s.resource_version, " ".join(map(str, s.ingress))) for s in store.snapshot()]


def without_versions(snapshot: tuple[Service, ...]) -> list[Service]:
    return [msgspec.structs.replace(service, resource_version="") for service in snapshot]


def check_outcome(store: Services, tell: Callable[[], Outcome]) -> None:
    """What is said of a change is what can be seen of it."""
    before = store.snapshot()
    change = tell().change
    after = store.snapshot()
    same_value = without_versions(before) == without_versions(after)
    assert (change is Change.NOTHING) == (before is after)
    assert (change is Change.VALUE) == (not same_value)
    old = {service.key: service for service in before}
    assert all(service is old[service.key] for service in after if service == old.get(service.key))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "write", "delete"]), NAMES, INGRESS),
        st.tuples(st.sampled_from(["tell", "bookmark", "relist"]), NAMES, INGRESS),
    ),
    max_size=40,
)


@given(STEPS)
def test_a_store_ends_up_as_what_the_server_holds(steps: list[tuple[str, str, str]]) -> None:
    server, store = Server(), Store(SERVICES, lambda _: None)
    server.relist(store)
    for step, name, ingress in steps:
        match step:
            case "put":
                server.put(name, ingress)
            case "write":
                answer = server.put(name, ingress)
                check_outcome(store, partial(store.note_written, answer))
                found = store.get(f"shop/{name}")
                assert found is not None
                assert found.resource_version == str(server.version)
            case "delete":
                server.delete(name)
            case "bookmark":
                server.bookmark()
            case "relist":
                server.relist(store)
                assert facts_of(store) == server.facts()
            case "tell" if server.told:
                check_outcome(store, partial(store.apply, server.told.pop(0)))
    for line in server.told:
        check_outcome(store, partial(store.apply, line))
    assert facts_of(store) == server.facts()
    assert store.by_key() == {service.key: service for service in store.snapshot()}


@given(STEPS)
def test_a_list_and_a_resumed_watch_lead_to_the_same(steps: list[tuple[str, str, str]]) -> None:
    server, listed, resumed = Server(), Store(SERVICES, lambda _: None), Store(SERVICES, lambda _: None)
    server.relist(resumed)
    for step, name, ingress in steps:
        if step in {"put", "write"}:
            server.put(name, ingress)
        elif step == "delete":
            server.delete(name)
    for line in server.told:
        resumed.apply(line)
    server.relist(listed)
    assert facts_of(listed) == facts_of(resumed)
    assert listed.resume_version == resumed.resume_version == str(server.version)


SLICES = st.sampled_from(["a", "b", "c"])


@given(
    st.lists(
        st.tuples(SLICES, st.sampled_from([None, "web", "api", "gone"]), st.lists(SLICES, max_size=3)), max_size=30
    )
)
def test_endpoints_are_those_of_all_slices(steps: list[tuple[str, str | None, list[str]]]) -> None:
    store = EndpointStore(lambda _: None)
    slices: dict[str, tuple[str, list[str]]] = {}
    for version, (name, service, nodes) in enumerate(steps, 1):
        if service == "gone":
            slices.pop(name, None)
            store.apply(an_event("DELETED", a_slice(name, version, None)))
        else:
            slices.pop(name, None)
            if service:
                slices[name] = (service, nodes)
            store.apply(an_event("MODIFIED", a_slice(name, version, service, *nodes)))
    expected: dict[str, list[str]] = {}
    for _, (service, nodes) in sorted(slices.items()):
        expected.setdefault(f"shop/{service}", []).extend(nodes)
    assert {key: [e.node for e in endpoints] for key, endpoints in store.endpoints().items()} == expected
