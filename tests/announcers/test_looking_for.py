"""Another speaker that was cut off: its kernel's neighbours are found by us before the kernels ask again."""

import pytest

from reconciler.cli.lab import Lab
from tests.announcers.listening_port import octets
from tests.announcers.wire import Speaker, cached, seen


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "client"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
async def test_what_we_ask_for_is_known_to_the_kernel_that_waits(lab: Lab, family: str) -> None:
    address = lab.address("n1") if family == "ipv4" else lab.address6("n1")
    # Its next question would come after this test.
    lab.run("client", "sysctl", "-qw", f"net.{family}.neigh.eth0.retrans_time_ms=60000")
    lab.cut("n1")
    lab.run("client", "ping", "-c1", "-W0.1", address, check=False)
    assert cached(lab, address) is None
    lab.restore("n1")
    async with Speaker(lab, "client") as speaker:

        def is_known() -> bool:
            # Again and again, for the switch may not forward yet.
            speaker.announcer.look_for([octets(address)])
            return cached(lab, address) == lab.mac("n1")

        await seen(is_known)
