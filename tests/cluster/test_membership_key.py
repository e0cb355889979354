"""The speakers' key as a Secret on a real API server: made once, the same for all, and never replaced or shown."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from reconciler.cluster.api_errors import ApiConflict
from reconciler.cluster.connection import Connection
from reconciler.cluster.membership_key import MembershipSecret
from reconciler.cluster.port import ClusterError
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane

NAME = "lb-reconciler-membership"
KEY = bytes(range(32))


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[Connection]:
    opened = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    yield opened
    await opened.close()


@pytest.fixture
def keys(connection: Connection, namespace: str) -> MembershipSecret:
    return MembershipSecret(connection, namespace=namespace, name=NAME)


def put(api: Api, namespace: str, data: dict[str, str] | None) -> None:
    api.create("secrets", namespace, {"metadata": {"name": NAME}, "data": data})


async def test_there_is_none_until_somebody_makes_it(keys: MembershipSecret) -> None:
    assert await keys.membership_key() is None
    made = await keys.ensure_membership_key()
    assert len(made) == 32
    assert await keys.membership_key() == await keys.ensure_membership_key() == made


async def test_what_the_api_shows_of_it(keys: MembershipSecret, api: Api, namespace: str) -> None:
    made = await keys.ensure_membership_key()
    found = api.get("secrets", namespace, NAME)
    assert (found["type"], found["data"]) == ("Opaque", {"key": b64encode(made).decode()})
    assert found["metadata"]["labels"]["app.kubernetes.io/name"] == "lb-reconciler"


async def test_of_many_that_make_it_at_once_one_does(connection: Connection, namespace: str) -> None:
    many = [MembershipSecret(connection, namespace=namespace, name=NAME) for _ in range(8)]
    made = await asyncio.gather(*(keys.ensure_membership_key() for keys in many))
    assert len(set(made)) == 1


async def test_one_that_somebody_put_there_is_used(keys: MembershipSecret, api: Api, namespace: str) -> None:
    put(api, namespace, {"key": b64encode(KEY).decode(), "notes": "bWluZQ=="})
    before = api.get("secrets", namespace, NAME)
    assert await keys.ensure_membership_key() == KEY
    assert api.get("secrets", namespace, NAME) == before


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(None, 'it has no key "key"', id="no data"),
        pytest.param({"password": "eA=="}, 'it has no key "key"', id="another key"),
        pytest.param({"key": ""}, 'its key "key" has 0 octets instead of 32', id="an empty one"),
        pytest.param(
            {"key": b64encode(KEY + b"\n").decode()}, "has 33 octets instead of 32", id="a line feed too many"
        ),
    ],
)
async def test_one_of_the_wrong_size_is_refused_and_left_alone(
    keys: MembershipSecret, api: Api, namespace: str, data: dict[str, str] | None, why: str
) -> None:
    put(api, namespace, data)
    before = api.get("secrets", namespace, NAME)
    for ask in (keys.membership_key, keys.ensure_membership_key):
        with pytest.raises(ClusterError, match=why) as refused:
            await ask()
        assert "delete it, and the controller makes a new one" in str(refused.value)
    assert api.get("secrets", namespace, NAME) == before


async def test_no_message_shows_what_is_in_it(
    keys: MembershipSecret, api: Api, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = b64encode(b"correct horse").decode()
    put(api, namespace, {"key": secret})
    with pytest.raises(ClusterError) as refused:
        await keys.membership_key()
    api.delete("secrets", namespace, NAME)
    made = b64encode(await keys.ensure_membership_key()).decode()
    said = f"{refused.value!r} {refused.value.__cause__!r} {caplog.text}"
    assert f'Secret "{namespace}/{NAME}" with the speakers\' key is created' in said
    assert secret not in said
    assert made not in said
    assert "correct" not in said


async def test_a_missing_namespace_is_named(connection: Connection) -> None:
    keys = MembershipSecret(connection, namespace="nowhere", name=NAME)
    with pytest.raises(ClusterError, match='there is no namespace "nowhere"'):
        await keys.ensure_membership_key()


async def test_one_that_is_deleted_again_and_again_is_given_up(
    keys: MembershipSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def somebody_was_first(_: bytes) -> None:
        raise ApiConflict("exists", status=409)

    monkeypatch.setattr(keys, "_create", somebody_was_first)
    with pytest.raises(ClusterError, match="who deletes it"):
        await keys.ensure_membership_key()
