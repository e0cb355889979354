"""The state of a role as a ConfigMap on a real API server: created, replaced, left alone, and explained."""

from collections.abc import AsyncIterator

import pytest

from reconciler.cluster.connection import Connection
from reconciler.cluster.port import ClusterError, NotLeading
from reconciler.cluster.status_configmap import StatusConfigMaps
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane

NAME = "lb-reconciler-status-controller"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[Connection]:
    opened = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(connection: Connection, namespace: str, clock: Clock) -> StatusConfigMaps:
    return StatusConfigMaps(connection, namespace=namespace, clock=clock)


def version(api: Api, namespace: str) -> str:
    found = api.get("configmaps", namespace, NAME)["metadata"]["resourceVersion"]
    assert isinstance(found, str)
    return found


async def test_nothing_is_published_at_first(board: StatusConfigMaps) -> None:
    assert await board.published(NAME) is None


async def test_a_document_is_read_as_it_was_published(board: StatusConfigMaps, api: Api, namespace: str) -> None:
    for document in (b'{"revision": "a"}', '{"revision": "\u00fc"}'.encode()):
        await board.publish(NAME, document)
        assert await board.published(NAME) == document
    found = api.get("configmaps", namespace, NAME)
    assert found["data"] == {"status.json": '{"revision": "\u00fc"}'}
    assert found["metadata"]["labels"]["app.kubernetes.io/name"] == "lb-reconciler"


async def test_each_name_has_a_document_of_its_own(board: StatusConfigMaps) -> None:
    await board.publish(NAME, b"1")
    await board.publish("another", b"2")
    assert (await board.published(NAME), await board.published("another")) == (b"1", b"2")


async def test_a_document_that_says_the_same_is_not_written(
    board: StatusConfigMaps, connection: Connection, api: Api, namespace: str
) -> None:
    await board.publish(NAME, b"{}")
    before = version(api, namespace)
    await board.publish(NAME, b"{}")
    # Nor by a process that has just started; a write by it would show in the version or be forbidden.
    await StatusConfigMaps(connection, namespace=namespace, may_write=lambda: False).publish(NAME, b"{}")
    assert version(api, namespace) == before


async def test_what_others_keep_in_it_stays(board: StatusConfigMaps, api: Api, namespace: str) -> None:
    theirs = {"metadata": {"name": NAME, "labels": {"team": "net"}}, "data": {"notes": "mine"}}
    api.create("configmaps", namespace, theirs)
    assert await board.published(NAME) is None
    await board.publish(NAME, b"{}")
    found = api.get("configmaps", namespace, NAME)
    assert found["data"] == {"notes": "mine", "status.json": "{}"}
    assert found["metadata"]["labels"]["team"] == "net"


async def test_a_deleted_document_comes_back_with_the_next_change(
    board: StatusConfigMaps, api: Api, namespace: str
) -> None:
    await board.publish(NAME, b"1")
    api.delete("configmaps", namespace, NAME)
    await board.publish(NAME, b"2")
    assert await board.published(NAME) == b"2"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda api, namespace: api.delete("configmaps", namespace, NAME), id="deleted"),
        pytest.param(
            lambda api, namespace: api.patch("configmaps", namespace, NAME, {"data": {"status.json": "?"}}),
            id="overwritten",
        ),
    ],
)
async def test_what_others_did_to_it_is_mended_after_a_while(
    board: StatusConfigMaps, api: Api, namespace: str, clock: Clock, damage: object
) -> None:
    await board.publish(NAME, b"1")
    assert callable(damage)
    damage(api, namespace)
    clock.now += 61
    await board.publish(NAME, b"1")
    assert await board.published(NAME) == b"1"


async def test_who_does_not_lead_writes_nothing(connection: Connection, namespace: str) -> None:
    leads = True
    board = StatusConfigMaps(connection, namespace=namespace, may_write=lambda: leads)
    await board.publish(NAME, b"1")
    leads = False
    with pytest.raises(NotLeading):
        await board.publish(NAME, b"2")
    with pytest.raises(NotLeading):
        await board.publish("another", b"2")
    assert (await board.published(NAME), await board.published("another")) == (b"1", None)
    leads = True
    await board.publish(NAME, b"2")
    assert await board.published(NAME) == b"2"


async def test_a_missing_namespace_is_named(connection: Connection) -> None:
    board = StatusConfigMaps(connection, namespace="nowhere-status")
    with pytest.raises(ClusterError, match=r'no namespace "nowhere-status".*create it'):
        await board.publish(NAME, b"{}")


async def test_missing_rights_are_named(control_plane: ControlPlane, namespace: str) -> None:
    stranger = await Connection.open(kubeconfig=str(control_plane.kubeconfig("nobody")))
    board = StatusConfigMaps(stranger, namespace=namespace)
    with pytest.raises(ClusterError, match=f'no right to get ConfigMaps in namespace "{namespace}"'):
        await board.publish(NAME, b"{}")
    await stranger.close()


async def test_a_document_that_is_no_text_is_refused(board: StatusConfigMaps) -> None:
    with pytest.raises(ClusterError, match="no UTF-8"):
        await board.publish(NAME, b"\xff")
    await board.publish(NAME, b"{}")
    assert await board.published(NAME) == b"{}"


async def test_what_a_node_publishes_goes_with_it(connection: Connection, api: Api, namespace: str) -> None:
    node = api.create("nodes", None, {"metadata": {"name": namespace}})
    await StatusConfigMaps(connection, namespace=namespace, node=namespace).publish("of-a-node", b"{}")
    (owner,) = api.get("configmaps", namespace, "of-a-node")["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "v1", "kind": "Node", "name": namespace, "uid": node["metadata"]["uid"]}
    api.delete("nodes", None, namespace)


async def test_a_node_that_nobody_knows_publishes_all_the_same(
    connection: Connection, board: StatusConfigMaps, api: Api, namespace: str
) -> None:
    await StatusConfigMaps(connection, namespace=namespace, node="nowhere").publish("of-a-node", b"{}")
    await board.publish(NAME, b"{}")
    for name in ("of-a-node", NAME):
        assert "ownerReferences" not in api.get("configmaps", namespace, name)["metadata"]
