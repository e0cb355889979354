"""The port of a process, asked over a real socket."""

import json
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from reconciler.telemetry.http import HttpAddress, HttpAddressError, ListenError, parse_http_address, serve
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.status import status_json
from tests.telemetry.builders import reading, status

LOOPBACK = HttpAddress("127.0.0.1", 0)


class Process:
    """Something to ask about; `why` it is not ready, and the threads in which it was asked to write."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.threads: set[int] = set()
        self.broken = False

    def ready(self) -> str | None:
        return self.why

    def status(self) -> bytes:
        self.threads.add(threading.get_ident())
        if self.broken:
            raise RuntimeError("kaputt")
        return status_json(status())

    def metrics(self) -> bytes:
        self.threads.add(threading.get_ident())
        metrics = Metrics("1.2.3")
        metrics.follow(lambda: reading(status()))
        return metrics.exposition()


@asynccontextmanager
async def asked(process: Process, address: HttpAddress = LOOPBACK) -> AsyncIterator[aiohttp.ClientSession]:
    serving = serve(address, ready=process.ready, metrics=process.metrics, status=process.status)
    async with serving as bound, aiohttp.ClientSession(base_url=f"http://{bound}") as session:
        yield session


async def test_healthz_says_that_the_process_is_alive_whatever_else() -> None:
    process = Process()
    process.why = "no configuration"
    async with asked(process) as session, session.get("/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_readyz_says_why_not() -> None:
    process = Process()
    async with asked(process) as session:
        process.why = "no valid configuration yet: pools/a.yaml:14:7: overlap"
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, f"{process.why}\n")
            assert answer.content_type == "text/plain"
        process.why = None
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_metrics_are_text_that_prometheus_reads() -> None:
    async with asked(Process()) as session, session.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await answer.text()
    assert 'metallb_allocator_services_allocated_total{pool="gold"} 4.0\n' in text
    assert "process_resident_memory_bytes" in text


async def test_status_is_json() -> None:
    async with asked(Process()) as session, session.get("/status") as answer:
        assert answer.content_type == "application/json"
        found = json.loads(await answer.text())
    assert [row["service"] for row in found["services"]][:1] == ["shop/api"]


async def test_what_takes_time_is_written_in_another_thread() -> None:
    process = Process()
    async with asked(process) as session:
        for path in ("/metrics", "/status"):
            async with session.get(path) as answer:
                assert answer.status == 200
    assert process.threads
    assert threading.get_ident() not in process.threads


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/status"])
async def test_head_is_get_without_a_body(path: str) -> None:
    async with asked(Process()) as session, session.head(path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(method: str) -> None:
    async with asked(Process()) as session, session.request(method, "/status") as answer:
        assert answer.status == 405


async def test_there_is_nothing_else() -> None:
    async with asked(Process()) as session, session.get("/debug") as answer:
        assert answer.status == 404


async def test_a_mistake_of_ours_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    process = Process()
    process.broken = True
    async with asked(process) as session, session.get("/status") as answer:
        assert answer.status == 500
        assert "kaputt" not in await answer.text()
    (record,) = caplog.records
    assert record.getMessage() == "/status cannot be answered"
    assert record.exc_text is None or "kaputt" in record.exc_text


async def test_a_port_that_is_taken_is_one_line() -> None:
    serving = serve(LOOPBACK, ready=lambda: None, metrics=bytes, status=bytes)
    async with serving as bound:
        second = serve(bound, ready=lambda: None, metrics=bytes, status=bytes)
        with pytest.raises(ListenError) as refused:
            async with second:
                pass
    message = str(refused.value)
    assert message.startswith(f"cannot listen on 127.0.0.1:{bound.port}: ")
    assert message.lower().count("address already in use") == 1
    assert "\n" not in message


async def test_a_host_that_does_not_exist_is_one_line() -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on nowhere\.invalid:0: .+"):
        async with serve(HttpAddress("nowhere.invalid", 0), ready=lambda: None, metrics=bytes, status=bytes):
            pass


async def test_the_port_is_closed_afterwards() -> None:
    async with serve(LOOPBACK, ready=lambda: None, metrics=bytes, status=bytes) as bound:
        pass
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"http://{bound}/healthz")


async def test_every_address_of_the_machine() -> None:
    async with serve(parse_http_address(":0"), ready=lambda: None, metrics=bytes, status=bytes) as bound:
        url = f"http://127.0.0.1:{bound.port}/healthz"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        pytest.param(":7472", HttpAddress("", 7472), ":7472", id="every address"),
        pytest.param("127.0.0.1:7472", HttpAddress("127.0.0.1", 7472), "127.0.0.1:7472", id="one address"),
        pytest.param("[::1]:7472", HttpAddress("::1", 7472), "[::1]:7472", id="an IPv6 address"),
        pytest.param("[::]:0", HttpAddress("::", 0), "[::]:0", id="every IPv6 address, any port"),
        pytest.param("localhost:65535", HttpAddress("localhost", 65535), "localhost:65535", id="a name"),
    ],
)
def test_addresses_to_listen_on(text: str, expected: HttpAddress, written: str) -> None:
    assert parse_http_address(text) == expected
    assert str(expected) == written


@pytest.mark.parametrize(
    "text",
    ["", "7472", "host", "host:", "host:http", "host:-1", "host:65536", "::1:80", "[::1]", "[x]:80", "a]:1", ":²"],
)
def test_what_is_no_address_to_listen_on(text: str) -> None:
    with pytest.raises(HttpAddressError, match=re.escape(f'"{text}"')) as refused:
        parse_http_address(text)
    assert "\n" not in str(refused.value)
