"""A browser and a controller for the tests of the page; each test has a tab of its own."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, expect, sync_playwright

from reconciler.telemetry.speaker_status import LinkRow
from tests.controlplane.api import wait_until
from tests.page.stage import POOLS, Stage, refused_session, service, well
from tests.telemetry.builders import SESSION

NewTab: TypeAlias = Callable[[], AbstractContextManager[Page]]

_SPARE = {"metallb.io/address-pool": "spare"}
# In ms. Whatever is waited for comes in a moment on a machine that is not busy.
_PATIENCE = 30_000
# Debian's; the names that others give it.
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """
    Chromium without a window. Skips where there is none; fails in CI.

    Not for the whole run: as long as it is there, an event loop runs in this thread, and asynchronous tests cannot.
    """
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium: install the Debian package chromium")
        pytest.skip("there is no Chromium: install the Debian package chromium")
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        # Its sandbox needs user namespaces, and nothing but our own page is opened.
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The controller of the tests of a module, which leave its files as they were."""
    with Stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def new_tab(browser: Browser, stage: Stage) -> NewTab:
    """Opens a tab, as wide as a screen, in which nothing may go wrong as far as its console knows."""

    @contextmanager
    def open_tab() -> Iterator[Page]:
        context = browser.new_context(base_url=stage.url, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(_PATIENCE)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        # What is asked for just now may find nobody to answer it.
        page.unroute_all(behavior="ignoreErrors")
        context.close()
        assert complaints == []

    return open_tab


@pytest.fixture
def tab(new_tab: NewTab) -> Iterator[Page]:
    """A tab of this test alone."""
    with new_tab() as page:
        yield page


@pytest.fixture(scope="module")
def scene(stage: Stage) -> Stage:
    """Some Services with an address and some without, two speakers of three, one session of three that is down."""
    stage.services(
        service("billing/gateway", annotations=_SPARE),
        service("shop/api"),
        service("shop/down"),
        service("shop/lost", annotations={"metallb.io/address-pool": "silver"}),
        service("shop/web", externalTrafficPolicy="Local"),
        unserved=["shop/down"],
    )
    revision = stage.revision()
    stage.publish(
        well("worker-1", revision),
        well(
            "worker-2",
            revision,
            sessions=(SESSION, refused_session()),
            links=(LinkRow(name="eth0"), LinkRow(name="eth1", carrier=False)),
        ),
    )
    wait_until(lambda: stage.controller.status()["counts"]["assigned"] == 4, "the Services are served")
    return stage


@pytest.fixture(scope="module")
def asked() -> list[Request]:
    """What the browser has asked for in the tab of `seen`."""
    return []


@pytest.fixture(scope="module")
def seen(scene: Stage, new_tab: NewTab, asked: list[Request]) -> Iterator[Page]:
    """A tab for those who only look; they share it."""
    with new_tab() as page:
        page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - Playwright refuses builtins
        page.goto(scene.url)
        expect(page.locator("#connection")).to_contain_text("live")
        yield page


@pytest.fixture
def pools(stage: Stage) -> Iterator[Callable[[str], None]]:
    """Writes the file of pools; as it was afterwards."""
    before = stage.revision()

    def is_as_before() -> bool:
        found = stage.controller.status()
        return bool(
            found["revision"] == before == found["newest"]["revision"] and found["newest"]["verdict"] == "passed"
        )

    yield lambda text: stage.configure(pools=text)
    stage.configure(pools=POOLS)
    wait_until(is_as_before, "the files pass again")


@pytest.fixture
def view(stage: Stage, tab: Page) -> Callable[..., None]:
    """Makes the tab see other facts than those of the controller: what a function makes of them."""

    def change(alter: Callable[[dict[str, Any]], None]) -> None:
        def answer(route: Route) -> None:
            found = json.loads(stage.controller.ask("/view")[1])
            alter(found)
            route.fulfill(status=200, json=found)

        tab.route("**/view", answer)

    return change


def _complaint(message: ConsoleMessage) -> Iterator[str]:
    # What a test cuts off itself is no fault of the page.
    if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
        yield message.text
