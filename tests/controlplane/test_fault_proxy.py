import json
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from tests.controlplane.api import Api, ApiError, path_of, wait_until
from tests.controlplane.fault_proxy import FaultProxy
from tests.controlplane.faults import Answer, Cut, Delay, Drop, Fault, Hold, Pass, Swallow
from tests.controlplane.harness import ControlPlane


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with FaultProxy(control_plane) as running:
        yield running


@pytest.fixture
def through(proxy: FaultProxy, control_plane: ControlPlane) -> Iterator[Api]:
    """A client that comes through the proxy."""
    client = Api(proxy.url, control_plane.token("admin"), None)
    yield client
    client.close()


@pytest.fixture
def hasty(proxy: FaultProxy, control_plane: ControlPlane) -> Iterator[Api]:
    """The same, with little patience."""
    client = Api(proxy.url, control_plane.token("admin"), None, patience=0.3)
    yield client
    client.close()


class Watch:
    """A watch of the Services of a namespace through the proxy, those that exist first."""

    def __init__(self, proxy: FaultProxy, token: str, namespace: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", urlsplit(proxy.url).port or 0, timeout=30)
        path = f"{path_of('services', namespace)}?watch=1"
        self._connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        self._answer: HTTPResponse = self._connection.getresponse()
        self.names: list[str] = []
        self.ended = Event()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._answer:
                event: dict[str, Any] = json.loads(line)
                self.names.append(event["object"]["metadata"]["name"])
        except (OSError, ValueError, HTTPException):
            pass
        self._answer.close()
        self._connection.close()
        self.ended.set()


@pytest.fixture
def watch(proxy: FaultProxy, control_plane: ControlPlane, namespace: str) -> Iterator[Watch]:
    running = Watch(proxy, control_plane.token("admin"), namespace)
    yield running
    proxy.refuse()
    assert running.ended.wait(30)


def test_what_is_not_disturbed_arrives(proxy: FaultProxy, through: Api, namespace: str) -> None:
    through.create_service(namespace, "web", annotations={"example.com/long": "x" * 200_000})
    through.create_service(namespace, "api")
    through.delete("services", namespace, "api")
    assert [one["metadata"]["name"] for one in through.objects("services", namespace)] == ["web"]
    assert [method for method, _ in proxy.requests] == ["POST", "POST", "DELETE", "GET"]


def test_a_refused_client_comes_in_again_later(proxy: FaultProxy, through: Api, namespace: str) -> None:
    through.create_service(namespace, "web")
    proxy.refuse()
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        through.get("services", namespace, "web")
    proxy.accept()
    assert through.get("services", namespace, "web")


def test_the_server_may_be_another_run_of_itself(own_control_plane: ControlPlane) -> None:
    with FaultProxy(own_control_plane) as proxy:
        client = Api(proxy.url, own_control_plane.token("admin"), None)
        client.create_service("default", "web")
        own_control_plane.kill_apiserver()
        with pytest.raises(urllib3.exceptions.ProtocolError):
            client.get("services", "default", "web")
        own_control_plane.start_apiserver()
        assert client.get("services", "default", "web")
        client.close()


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        pytest.param(Answer(429, retry_after=1), 429, id="too many requests"),
        pytest.param(Answer(500), 500, id="an error of the server"),
        pytest.param(Answer(503), 503, id="not available"),
    ],
)
def test_an_answer_that_the_server_did_not_give(
    proxy: FaultProxy, through: Api, namespace: str, fault: Answer, answer: int
) -> None:
    rule = proxy.when(fault, method="POST", path="/services", times=1)
    with pytest.raises(ApiError) as said:
        through.create_service(namespace, "web")
    assert said.value.status == answer
    assert (rule.befallen, rule.done) == (1, 1)
    # It did not reach the server, so the name is not taken.
    assert through.create_service(namespace, "web")


def test_retry_after_is_a_header(proxy: FaultProxy) -> None:
    proxy.when(Answer(429, retry_after=7))
    assert urllib3.request("GET", f"{proxy.url}/version", retries=False).headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("fault", "is_created"),
    [
        pytest.param(Drop(), False, id="a request that is lost"),
        pytest.param(Swallow(), False, id="a request that is swallowed"),
        pytest.param(Cut(), True, id="an answer that is lost"),
        pytest.param(Cut(after=20), True, id="an answer that ends in its body"),
        pytest.param(Hold(), True, id="an answer that does not come"),
    ],
)
def test_whether_a_request_without_an_answer_was_carried_out(
    proxy: FaultProxy, through: Api, api: Api, fault: Fault, is_created: bool
) -> None:
    name = f"test-{secrets.token_hex(4)}"
    seen: list[bool] = []
    # At the moment of the call, and not later.
    rule = proxy.when(fault, method="POST", call=lambda: seen.append(api.find("services", "default", name) is not None))
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(through.create_service, "default", name)
        wait_until(lambda: rule.done == 1)
        # Those who still wait for an answer do so in vain.
        proxy.cut()
        with pytest.raises(urllib3.exceptions.HTTPError):
            asked.result(30)
    assert seen == [is_created]
    assert (api.find("services", "default", name) is not None) == is_created


def test_a_held_answer_flows_when_it_is_released(proxy: FaultProxy, through: Api, namespace: str) -> None:
    answers: list[object] = []
    rule = proxy.when(Hold(), method="POST")
    asking = Thread(target=lambda: answers.append(through.create_service(namespace, "web")))
    asking.start()
    wait_until(lambda: rule.done)
    assert answers == []
    proxy.clear(rule)
    asking.join(30)
    assert len(answers) == 1


def test_a_delay_is_before_the_server(proxy: FaultProxy, through: Api, hasty: Api, api: Api, namespace: str) -> None:
    # Far longer than anybody waits here, however busy the machine is.
    rule = proxy.when(Delay(60), method="POST", path=namespace)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        hasty.create_service(namespace, "web")
    assert rule.done == 0
    proxy.clear()
    assert through.create_service(namespace, "other")
    assert api.find("services", namespace, "web") is None


def test_a_watch_that_is_cut(proxy: FaultProxy, watch: Watch, api: Api, namespace: str) -> None:
    api.create_service(namespace, "seen")
    wait_until(lambda: watch.names == ["seen"])
    assert proxy.cut("pods.*watch=") == 0
    assert proxy.cut("services.*watch=") == 1
    assert watch.ended.wait(30)


def test_a_watch_that_falls_silent(proxy: FaultProxy, watch: Watch, api: Api, namespace: str) -> None:
    rule = proxy.when(Hold(), path="services.*watch=")
    api.create_service(namespace, "one")
    wait_until(lambda: rule.befallen)
    api.create_service(namespace, "two")
    assert watch.names == []
    assert not watch.ended.is_set()
    proxy.clear()
    wait_until(lambda: watch.names == ["one", "two"])


def test_a_watch_that_is_cut_in_an_event(
    proxy: FaultProxy, control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    rule = proxy.when(Cut(after=100), path="services.*watch=")
    watch = Watch(proxy, control_plane.token("admin"), namespace)
    api.create_service(namespace, "one")
    assert watch.ended.wait(30)
    assert (watch.names, rule.befallen) == ([], 1)


def test_a_client_that_leaves_ends_its_watch_at_the_server(
    proxy: FaultProxy, control_plane: ControlPlane, namespace: str
) -> None:
    def ended() -> bool:
        return any(
            event["verb"] == "watch" and event["objectRef"].get("namespace") == namespace
            for event in control_plane.audited("admin")
            if event["stage"] == "ResponseComplete"
        )

    watch = Watch(proxy, control_plane.token("admin"), namespace)
    assert not ended()
    proxy.refuse()
    wait_until(ended)
    assert watch.ended.wait(30)


def test_a_mistake_in_a_call_is_not_lost(control_plane: ControlPlane) -> None:
    proxy = FaultProxy(control_plane)
    with pytest.raises(ZeroDivisionError), proxy:
        _ask_while(proxy, lambda: 1 // 0)


def _ask_while(proxy: FaultProxy, call: Callable[[], object]) -> None:
    proxy.when(Pass(), call=call)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        urllib3.request("GET", f"{proxy.url}/version", retries=False)
