"""Speakers on the nodes of a lab, for as many tests as can share them."""

import os
from collections.abc import Iterator

import pytest

from reconciler.cli.lab import Lab, LabError, why_no_lab
from tests.netns.observer import OBSERVER
from tests.netns.site import NODES, Site


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three nodes, a client, another host and an observer; tests ask for `site`."""
    reason = why_no_lab()
    if reason is not None:
        if os.environ.get("CI") == "true":
            raise LabError(reason)
        pytest.skip(reason)
    with Lab(*NODES, "client", "stranger", OBSERVER) as lab:
        made = Site(tmp_path_factory.mktemp("site"), lab)
        yield made
        made.close()


@pytest.fixture
async def site(shared_site: Site) -> Site:
    """The nodes as they were at the start: a speaker on each and a controller, all well, and no Service."""
    await shared_site.settled()
    return shared_site
