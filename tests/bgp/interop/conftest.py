"""The routers of this directory, and our speaker among them."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from reconciler.cli.lab import LabError, entered, why_no_lab
from tests.bgp.interop.features import SPEAKER
from tests.bgp.interop.site import Site, made
from tests.bgp.interop.talk import Speaker


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three routers, shared by all tests. Skips where there can be none; fails in CI."""
    reason = why_no_lab()
    if reason is not None:
        if os.environ.get("CI") == "true":
            raise LabError(reason)
        pytest.skip(reason)
    with made(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def inside(site: Site) -> Iterator[None]:
    """The whole test runs in the namespace of the speaker: there is one thread, and only one that makes sockets."""
    with entered(site.lab.namespace(SPEAKER)):
        yield


@pytest_asyncio.fixture
async def speaker(site: Site, inside: None) -> AsyncIterator[Speaker]:
    """Our speaker, all of whose sessions end with the test."""
    del inside
    ours = Speaker(site)
    yield ours
    await ours.close()
