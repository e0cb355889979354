"""What a store makes of lists, events and answers to writes: values, identity, and whether anybody needs to know."""

import json
from collections.abc import Iterable

import msgspec
import pytest

from reconciler.cluster import wire
from reconciler.cluster.api_errors import ApiError, Expired
from reconciler.cluster.endpoint_store import EndpointStore
from reconciler.cluster.kinds import NAMESPACES, NODES, SERVICES
from reconciler.cluster.port import ClusterError
from reconciler.cluster.store import Change, Outcome, Store
from reconciler.model.observed import Endpoint, NodeName, Service, ServiceKey
from tests.builders import addresses
from tests.cluster.api_objects import Json, a_bookmark, a_page, a_service, a_slice, an_error, an_event


class Services(Store[wire.Service, Service]):
    """A store of Services that remembers what it reported."""

    def __init__(self, *known: Json, version: int = 10) -> None:
        self.reports: list[str] = []
        super().__init__(SERVICES, self.reports.append)
        if known:
            self.tell_list(known, version)

    def tell_list(self, items: Iterable[Json], version: int) -> Outcome:
        self.begin_list()
        self.add_page(a_page(items, version))
        return self.end_list(str(version))

    def keys(self) -> list[str]:
        return [service.key for service in self.snapshot()]


def changed(change: Change, key: str = "shop/web") -> Outcome:
    return Outcome(change, key)


# Events


def test_values_are_sorted_by_key_whatever_the_order_of_events() -> None:
    store = Services()
    for name in ("m", "a", "z", "k"):
        store.apply(an_event("ADDED", a_service(name, 3)))
    store.apply(an_event("DELETED", a_service("m", 4)))
    assert store.keys() == ["shop/a", "shop/k", "shop/z"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(an_event("ADDED", a_service("new", 11)), changed(Change.VALUE, "shop/new"), id="a new object"),
        pytest.param(
            an_event("MODIFIED", a_service("web", 11, ingress="192.0.2.1")), changed(Change.VALUE), id="a value"
        ),
        pytest.param(an_event("MODIFIED", a_service("web", 11)), changed(Change.VERSION), id="nothing but its version"),
        pytest.param(an_event("MODIFIED", a_service("web", 10)), changed(Change.NOTHING), id="nothing at all"),
        pytest.param(
            an_event("ADDED", a_service("web", 9, ingress="192.0.2.1")), changed(Change.NOTHING), id="the past"
        ),
        pytest.param(an_event("DELETED", a_service("web", 11)), changed(Change.VALUE), id="a deletion"),
        pytest.param(an_event("DELETED", a_service("web", 9)), changed(Change.NOTHING), id="a deletion in the past"),
        pytest.param(
            an_event("DELETED", a_service("x", 11)), changed(Change.NOTHING, "shop/x"), id="what was not there"
        ),
        pytest.param(a_bookmark(11), Outcome(Change.NOTHING), id="a bookmark"),
    ],
)
def test_an_event_tells_how_much_it_matters(event: bytes, expected: Outcome) -> None:
    assert Services(a_service("web", 10)).apply(event) == expected


def test_the_newest_version_is_kept_for_the_next_write_and_all_else_stands() -> None:
    store = Services(a_service("web", 10, labels={"a": "1"}))
    (before,) = store.snapshot()
    store.apply(an_event("MODIFIED", a_service("web", 11, labels={"a": "1"})))
    (after,) = store.snapshot()
    assert after == msgspec.structs.replace(before, resource_version="11")
    assert after.labels is before.labels


@pytest.mark.parametrize(
    "event",
    [
        an_event("MODIFIED", a_service("web", 10)),
        an_event("DELETED", a_service("other", 12)),
        a_bookmark(12),
    ],
    ids=["the same again", "a deletion of nothing", "a bookmark"],
)
def test_a_snapshot_stays_the_same_object_while_nothing_changes(event: bytes) -> None:
    store = Services(a_service("web", 10))
    snapshot, mapping = store.snapshot(), store.by_key()
    store.apply(event)
    assert store.snapshot() is snapshot
    assert store.by_key() is mapping


def test_a_snapshot_that_was_handed_out_never_changes() -> None:
    store = Services(a_service("web", 10))
    snapshot, mapping = store.snapshot(), store.by_key()
    store.apply(an_event("DELETED", a_service("web", 11)))
    assert (len(snapshot), len(mapping), len(store.snapshot()), len(store.by_key())) == (1, 1, 0, 0)


def test_others_stay_the_same_objects_when_one_changes() -> None:
    store = Services(a_service("a", 1), a_service("b", 2), a_service("c", 3))
    before = store.snapshot()
    store.apply(an_event("MODIFIED", a_service("b", 4, ingress="192.0.2.1")))
    after = store.snapshot()
    assert [old is new for old, new in zip(before, after, strict=True)] == [True, False, True]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(an_event("ADDED", a_service("x", 42)), "42", id="an object"),
        pytest.param(an_event("DELETED", a_service("x", 43)), "43", id="a deletion"),
        pytest.param(a_bookmark(44), "44", id="a bookmark"),
        pytest.param(an_event("MODIFIED", a_service("web", "")), "10", id="none: where it was"),
        pytest.param(an_event("ADDED", a_service("x", 45) | {"spec": 7}), "45", id="an object that cannot be read"),
    ],
)
def test_a_watch_goes_on_from_the_last_version_seen(event: bytes, expected: str) -> None:
    store = Services(a_service("web", 10), version=10)
    store.apply(event)
    assert store.resume_version == expected


@pytest.mark.parametrize(
    ("line", "error", "status"),
    [
        pytest.param(an_error(410, "Expired", "too old resource version: 1 (12)"), Expired, 410, id="expired"),
        pytest.param(an_error(500, "InternalError", "etcd"), ApiError, 500, id="an error of the server"),
        pytest.param(an_event("ERROR", {}), ApiError, 500, id="an error without a word"),
    ],
)
def test_an_error_event_is_raised_and_changes_nothing(line: bytes, error: type[ApiError], status: int) -> None:
    store = Services(a_service("web", 10))
    with pytest.raises(error) as caught:
        store.apply(line)
    assert caught.value.status == status
    assert "/api/v1/services" in str(caught.value)
    assert (store.keys(), store.resume_version) == (["shop/web"], "10")


@pytest.mark.parametrize("line", [b"", b"<html>", b"{}", b'{"type":"ADDED"}', b'{"type":"ADDED","object":{'])
def test_what_is_no_event_is_an_error(line: bytes) -> None:
    with pytest.raises(ClusterError, match="not an event"):
        Services().apply(line)


# What cannot be read

BROKEN = a_service("web", 11, ingress="192.0.2.9") | {"spec": {"type": 7}}


def test_an_object_that_cannot_be_read_is_reported_and_stays_as_it_was() -> None:
    store = Services(a_service("web", 10, ingress="192.0.2.1"))
    assert store.apply(an_event("MODIFIED", BROKEN)) == Outcome(Change.NOTHING)
    assert [service.ingress for service in store.snapshot()] == [addresses("192.0.2.1")]
    assert store.decode_failures == 1
    (report,) = store.reports
    assert report.startswith("Service shop/web cannot be read: ")
    assert "$.spec.type" in report


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(BROKEN, id="a field of another type"),
        pytest.param(
            a_service("web", 11) | {"metadata": {"name": "web", "namespace": "shop", "labels": 3}}, id="labels"
        ),
        pytest.param(
            {"metadata": {"name": "web", "namespace": "shop", "annotations": {"metallb.io/address-pool": 7}}},
            id="an annotation of ours",
        ),
    ],
)
def test_one_object_of_a_list_that_cannot_be_read_stops_no_other(broken: Json) -> None:
    store = Services(a_service("web", 10, ingress="192.0.2.1"), a_service("old", 9))
    outcome = store.tell_list([a_service("a", 11), broken, a_service("z", 12)], 13)
    assert outcome.change is Change.VALUE
    assert store.keys() == ["shop/a", "shop/web", "shop/z"]
    assert store.snapshot()[1].ingress == addresses("192.0.2.1")
    assert store.decode_failures == 1
    assert len(store.reports) == 1


@pytest.mark.parametrize("nobody", [{}, {"metadata": {}}, {"metadata": 1}, 7])
def test_an_object_without_a_name_is_reported(nobody: object) -> None:
    store = Services(a_service("web", 10))
    store.apply(json.dumps({"type": "ADDED", "object": nobody}).encode())
    store.apply(json.dumps({"type": "DELETED", "object": nobody}).encode())
    store.note_written(json.dumps(nobody).encode())
    store.begin_list()
    store.add_page(json.dumps({"metadata": {}, "items": [nobody, a_service("web", 10)]}).encode())
    store.end_list("11")
    assert store.keys() == ["shop/web"]
    assert store.decode_failures == 4
    assert {report.partition(":")[0] for report in store.reports} == {"Service without a name cannot be read"}


def test_a_deletion_is_understood_when_the_rest_of_the_object_is_not() -> None:
    store = Services(a_service("web", 10))
    assert store.apply(an_event("DELETED", BROKEN)) == changed(Change.VALUE)
    assert store.keys() == []


@pytest.mark.parametrize(
    "page", [b"", b"[]", b'{"items":[]}', b'{"metadata":{},"items":{}}', b'{"metadata":{},"items":[{]}']
)
def test_what_is_no_list_is_an_error_and_changes_nothing(page: bytes) -> None:
    store = Services(a_service("web", 10))
    store.begin_list()
    with pytest.raises(ClusterError, match="list of /api/v1/services"):
        store.add_page(page)
    assert store.keys() == ["shop/web"]


def test_a_page_without_a_list_is_refused() -> None:
    store = Services(a_service("web", 10))
    with pytest.raises(ClusterError, match="no beginning"):
        store.add_page(a_page([]))
    with pytest.raises(ClusterError, match="no beginning"):
        store.end_list("11")
    assert store.keys() == ["shop/web"]


# Lists


def test_a_list_stands_for_everything_that_was_known() -> None:
    store = Services(a_service("gone", 1), a_service("kept", 2), a_service("changed", 3))
    kept = store.get("shop/kept")
    outcome = store.tell_list([a_service("kept", 2), a_service("changed", 12), a_service("new", 13)], 20)
    assert outcome == Outcome(Change.VALUE)
    assert store.keys() == ["shop/changed", "shop/kept", "shop/new"]
    assert store.get("shop/kept") is kept
    assert store.resume_version == "20"


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param([a_service("a", 1), a_service("b", 2)], Change.NOTHING, id="the same"),
        pytest.param([a_service("b", 2), a_service("a", 1)], Change.NOTHING, id="the same in another order"),
        pytest.param([a_service("a", 1), a_service("b", 5)], Change.VERSION, id="another version"),
        pytest.param(
            [a_service("a", 1), a_service("b", 2, ingress="192.0.2.1")],
            Change.VALUE,
            id="another value, at the same version",
        ),
        pytest.param([a_service("a", 1)], Change.VALUE, id="one less"),
        pytest.param([a_service("a", 1), a_service("b", 2), a_service("c", 1)], Change.VALUE, id="one more"),
        pytest.param([a_service("a", 1), a_service("c", 1)], Change.VALUE, id="another one"),
    ],
)
def test_a_list_tells_how_much_it_matters(items: list[Json], expected: Change) -> None:
    store = Services(a_service("a", 1), a_service("b", 2))
    snapshot = store.snapshot()
    assert store.tell_list(items, 20) == Outcome(expected)
    assert (store.snapshot() is snapshot) == (expected is Change.NOTHING)


def test_nothing_is_replaced_before_the_list_has_ended() -> None:
    store = Services(a_service("web", 10))
    store.begin_list()
    store.add_page(a_page([a_service("new", 11)]))
    assert (store.keys(), store.resume_version) == (["shop/web"], "10")


def test_a_list_that_starts_again_forgets_the_pages_before() -> None:
    store = Services()
    store.begin_list()
    store.add_page(a_page([a_service("void", 11)]))
    store.begin_list()
    store.add_page(a_page([a_service("web", 11)]))
    store.end_list("12")
    assert store.keys() == ["shop/web"]


def test_a_server_that_came_back_older_is_believed() -> None:
    store = Services(a_service("web", 100, ingress="192.0.2.1"), version=200)
    store.tell_list([a_service("web", 50)], 60)
    assert [(service.resource_version, service.ingress) for service in store.snapshot()] == [("50", ())]
    assert store.resume_version == "60"


def test_a_server_that_came_back_empty_is_believed() -> None:
    store = Services(a_service("web", 100))
    assert store.tell_list([], 3) == Outcome(Change.VALUE)
    assert store.snapshot() == ()


# Answers to our writes


def written(name: str, version: int, ingress: str = "192.0.2.1") -> bytes:
    return json.dumps(a_service(name, version, ingress=ingress)).encode()


def test_what_we_wrote_is_seen_at_once_and_its_echo_wakes_nobody() -> None:
    store = Services(a_service("web", 10))
    assert store.note_written(written("web", 11)) == changed(Change.VALUE)
    snapshot = store.snapshot()
    assert [service.ingress for service in snapshot] == [addresses("192.0.2.1")]
    assert store.apply(an_event("MODIFIED", a_service("web", 11, ingress="192.0.2.1"))) == changed(Change.NOTHING)
    assert store.snapshot() is snapshot
    assert store.resume_version == "11"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param(9, changed(Change.NOTHING), id="something newer is known"),
        pytest.param(10, changed(Change.NOTHING), id="it is known already"),
        pytest.param(11, changed(Change.VALUE), id="it is newer"),
    ],
)
def test_an_answer_counts_only_if_it_is_newer(version: int, expected: Outcome) -> None:
    assert Services(a_service("web", 10)).note_written(written("web", version)) == expected


def test_an_answer_does_not_move_the_watch_forward() -> None:
    store = Services(a_service("web", 10), version=10)
    store.note_written(written("web", 15))
    assert store.resume_version == "10"


def test_events_from_before_our_write_do_not_undo_it() -> None:
    store = Services(a_service("web", 10))
    store.note_written(written("web", 15))
    store.apply(an_event("MODIFIED", a_service("web", 12)))
    assert [service.resource_version for service in store.snapshot()] == ["15"]


def test_an_answer_that_comes_after_the_deletion_brings_nothing_back() -> None:
    store = Services(a_service("web", 10))
    store.apply(an_event("DELETED", a_service("web", 17)))
    assert store.note_written(written("web", 15)) == changed(Change.NOTHING)
    assert store.snapshot() == ()


def test_what_was_written_while_a_list_was_under_way_is_newer_than_the_list() -> None:
    store = Services(a_service("web", 10), a_service("other", 10))
    store.begin_list()
    store.add_page(a_page([a_service("web", 10), a_service("other", 10)]))
    store.note_written(written("web", 15))
    store.note_written(written("new", 16))
    store.end_list("12")
    assert [(service.key, service.resource_version) for service in store.snapshot()] == [
        ("shop/new", "16"),
        ("shop/other", "10"),
        ("shop/web", "15"),
    ]


def test_a_list_that_is_newer_than_what_was_written_meanwhile_counts() -> None:
    store = Services(a_service("web", 10), a_service("gone", 10))
    store.begin_list()
    store.note_written(written("web", 15))
    store.note_written(written("gone", 16))
    store.add_page(a_page([a_service("web", 18, ingress="192.0.2.8")]))
    store.end_list("20")
    assert [(service.key, service.resource_version) for service in store.snapshot()] == [("shop/web", "18")]


def test_what_was_written_before_a_list_gives_way_to_it() -> None:
    store = Services(a_service("web", 10))
    store.note_written(written("web", 90))
    store.tell_list([a_service("web", 10)], 12)
    assert [service.resource_version for service in store.snapshot()] == ["10"]


def test_versions_that_are_no_numbers_are_not_compared() -> None:
    store = Services(a_service("web", "b"))
    assert store.apply(an_event("MODIFIED", a_service("web", "a"))) == changed(Change.VERSION)
    assert store.note_written(json.dumps(a_service("web", "c")).encode()) == changed(Change.VERSION)


# Sharing


def test_equal_parts_of_objects_are_kept_once() -> None:
    store = Services(a_service("a", 1, labels={"app": "web"}), a_service("b", 2, labels={"app": "web"}))
    one, other = store.snapshot()
    assert one.labels is other.labels
    assert one.ports is other.ports


def test_parts_of_objects_that_are_gone_are_not_kept_for_ever() -> None:
    store = Services()
    for turn in range(12_000):
        store.apply(an_event("ADDED", a_service("web", turn, labels={"turn": str(turn)})))
    assert len(store._kept) < 12_000


# Other kinds


def test_namespaces_and_nodes_are_known_by_their_names() -> None:
    reports: list[str] = []
    namespaces, nodes = Store(NAMESPACES, reports.append), Store(NODES, reports.append)
    namespaces.apply(an_event("ADDED", {"metadata": {"name": "shop", "labels": {"tier": "gold"}}}))
    nodes.apply(an_event("ADDED", {"metadata": {"name": "n1"}, "status": {"conditions": []}}))
    assert namespaces.by_key() == {"shop": (("tier", "gold"),)}
    assert [(node.name, node.ready) for node in nodes.snapshot()] == [("n1", True)]
    assert reports == []


def test_the_heartbeat_of_a_node_is_no_change() -> None:
    store = Store(NODES, lambda _: None)
    ready = {"type": "Ready", "status": "True"}
    node = {"metadata": {"name": "n1", "resourceVersion": "1"}, "status": {"conditions": [ready]}}
    store.apply(an_event("ADDED", node))
    snapshot = store.snapshot()
    later = {
        "metadata": {"name": "n1", "resourceVersion": "2"},
        "status": {"conditions": [ready | {"lastHeartbeatTime": "2026-01-02T03:04:05Z"}]},
    }
    assert store.apply(an_event("MODIFIED", later)) == Outcome(Change.NOTHING, "n1")
    assert store.snapshot() is snapshot
    assert store.resume_version == "2"


WEB, API = ServiceKey("shop/web"), ServiceKey("shop/api")


def on(*nodes: str) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(NodeName(node), serving=True) for node in nodes)


def test_the_slices_of_a_service_are_put_together() -> None:
    store = EndpointStore(lambda _: None)
    store.begin_list()
    store.add_page(
        a_page([a_slice("web-b", 2, "web", "n2"), a_slice("web-a", 1, "web", "n1"), a_slice("x", 3, None, "n9")])
    )
    store.end_list("5")
    assert store.endpoints() == {WEB: on("n1", "n2")}

    first = store.endpoints()
    store.apply(an_event("ADDED", a_slice("api", 6, "api", "n3")))
    assert store.endpoints() == {WEB: on("n1", "n2"), API: on("n3")}
    assert store.endpoints()[WEB] is first[WEB]
    assert first == {WEB: on("n1", "n2")}

    store.apply(an_event("DELETED", a_slice("web-a", 7, "web")))
    store.apply(an_event("MODIFIED", a_slice("web-b", 8, "api", "n4")))
    assert store.endpoints() == {API: on("n3", "n4")}

    store.begin_list()
    store.add_page(a_page([a_slice("web-c", 9, "web")]))
    store.end_list("9")
    assert store.endpoints() == {WEB: ()}
