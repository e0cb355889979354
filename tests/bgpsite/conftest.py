"""One network with speakers and routers, for all tests of this directory."""

import os
from collections.abc import Iterator

import pytest

from reconciler.cli.lab import Lab, LabError, why_no_lab
from tests.bgpsite.site import HOSTS, BGPSite, prepare, routers_of
from tests.routers.router import running


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BGPSite]:
    """Everything, started once; tests ask for `site`."""
    reason = why_no_lab()
    if reason is not None:
        if os.environ.get("CI") == "true":
            raise LabError(reason)
        pytest.skip(reason)
    with Lab(*HOSTS) as lab:
        prepare(lab)
        routers = routers_of(lab)
        with running(*routers.values()):
            made = BGPSite(tmp_path_factory.mktemp("bgpsite"), lab, routers)
            yield made
            made.close()


@pytest.fixture
async def site(shared_site: BGPSite) -> BGPSite:
    """As it was at the start: a speaker on each node, which has its sessions, and no Service."""
    await shared_site.settled()
    return shared_site
