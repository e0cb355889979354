"""The page over a real socket: its files, its headers, and how little is sent when nothing is new."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from reconciler.telemetry.http import HttpAddress, serve

PAGE = Path(__file__).parents[2] / "reconciler" / "telemetry" / "page"
FILES = sorted(f"/page/{path.name}" for path in PAGE.iterdir() if path.name != "index.html")


class Facts:
    """What `/view` is to answer; broken when it is None."""

    def __init__(self) -> None:
        self.written: bytes | None = b'{"formatVersion":1}' + b" " * 5000

    async def view(self) -> bytes:
        if self.written is None:
            raise RuntimeError("kaputt")
        return self.written


@asynccontextmanager
async def asked(facts: Facts, *, has_page: bool = True) -> AsyncIterator[aiohttp.ClientSession]:
    view = facts.view if has_page else None
    serving = serve(HttpAddress("127.0.0.1", 0), ready=lambda: None, metrics=bytes, status=bytes, view=view)
    async with serving as bound, aiohttp.ClientSession(base_url=f"http://{bound}") as session:
        yield session


@pytest.mark.parametrize("path", ["/", *FILES, "/view"])
async def test_a_browser_is_told_to_take_nothing_from_elsewhere(path: str) -> None:
    async with asked(Facts()) as session, session.get(path) as answer:
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert not [part for part in policy if "unsafe" in part or "*" in part or ":" in part]


@pytest.mark.parametrize("path", ["/", *FILES, "/view"])
async def test_what_is_known_already_is_not_sent_again(path: str) -> None:
    async with asked(Facts()) as session:
        async with session.get(path) as first:
            assert len(await first.read()) > 0
        async with session.get(path, headers={"If-None-Match": first.headers["ETag"]}) as second:
            assert (second.status, await second.read()) == (304, b"")
        async with session.get(path, headers={"If-None-Match": 'W/"other"'}) as third:
            assert third.status == 200


async def test_new_facts_have_another_tag() -> None:
    facts = Facts()
    async with asked(facts) as session:
        async with session.get("/view") as first:
            assert first.content_type == "application/json"
        facts.written = b'{"formatVersion":2}'
        async with session.get("/view", headers={"If-None-Match": first.headers["ETag"]}) as second:
            assert await second.json() == {"formatVersion": 2}


async def test_a_large_view_is_compressed_for_those_who_can_read_that() -> None:
    async with asked(Facts()) as session:
        async with session.get("/view", headers={"Accept-Encoding": "gzip"}) as small:
            assert int(small.headers["Content-Length"]) < 200
            assert await small.json() == {"formatVersion": 1}
        async with session.get("/view", headers={"Accept-Encoding": "identity"}) as whole:
            assert int(whole.headers["Content-Length"]) > 5000


@pytest.mark.parametrize("path", ["/", "/view", "/page/app.js"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(method: str, path: str) -> None:
    async with asked(Facts()) as session, session.request(method, path) as answer:
        assert answer.status == 405


@pytest.mark.parametrize("path", ["/", "/view", "/page/app.js"])
async def test_head_is_get_without_a_body(path: str) -> None:
    async with asked(Facts()) as session, session.head(path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/page/", "/page/index.html/", "/page/..%2Fhttp.py", "/page/%2e%2e/http.py", "/page/x"]
)
async def test_no_other_file_can_be_read(path: str) -> None:
    async with asked(Facts()) as session, session.get(path) as answer:
        assert answer.status == 404


async def test_a_mistake_of_ours_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    facts = Facts()
    facts.written = None
    async with asked(facts) as session, session.get("/view") as answer:
        assert (answer.status, await answer.text()) == (500, "internal error, see the log\n")
    (record,) = caplog.records
    assert record.getMessage() == "/view cannot be answered"


async def test_a_speaker_has_no_page() -> None:
    async with asked(Facts(), has_page=False) as session:
        for path in ("/", "/view", "/page/app.js"):
            async with session.get(path) as answer:
                assert answer.status == 404


def test_the_page_names_no_other_host_and_holds_no_code_of_its_own() -> None:
    index = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", index)
    for path in PAGE.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path.name
