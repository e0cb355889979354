"""A whole speaker with the rights that a Pod gives it: user id 0, NET_RAW alone, and nothing to write to."""

import shlex
import time
from pathlib import Path

from tests.netns.observer import A_BLINK, cached
from tests.netns.site import Site, until
from tests.netns.traffic import traffic

_NET_RAW = 1 << 13


def confined(capabilities: str, writable: Path, probe: str) -> tuple[str, ...]:
    """A command that runs another with these capabilities, the root file system read-only but for one directory."""
    there = shlex.quote(str(writable))
    limits = f"--no-new-privs --bounding-set={capabilities} --inh-caps=-all"
    script = f"""
mount --bind {there} {there} && mount -o remount,bind,ro / && ! touch {probe} 2>/dev/null || exit 99
exec setpriv {limits} "$@"
"""
    return "unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh"


async def test_with_net_raw_alone_all_of_it_works(site: Site) -> None:
    addresses = site.address("n1", "n2"), site.address("n1", "n2", family=6)
    for address in addresses:
        await site.serve(address)
    await site.stop("n1")
    before = site.log("n1")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        site.start("n1", under=confined("-all,+net_raw", site.root, "/probe"))
        await site.together()
        # It takes over, is asked by unicast and multicast, and hands over again.
        for address in addresses:
            await observer.one(address, "n1")
        await until(lambda: {cached(site.lab, address) for address in addresses} == {"n1"}, "the client follows")
        rights = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{site.roles['n1'].pid}/status").read_text().splitlines()
        )
        assert int(rights["CapEff"], 16) == int(rights["CapBnd"], 16) == _NET_RAW
        assert rights["NoNewPrivs"] == "1"
        assert rights["Uid"].split() == ["0"] * 4
        status = site.status("n1")
        assert status["stateDirProblem"] is None
        assert status["lastPass"]["error"] is None
        await site.stop("n1")
        for address in addresses:
            await observer.one(address, "n2")
            assert await observer.silence(address, since) < A_BLINK
        assert (await client.lost(since)).lost == 0
    said = site.log("n1").removeprefix(before)
    assert ": error:" not in said
    assert "Traceback" not in said


async def test_without_net_raw_one_line_says_so(site: Site) -> None:
    await site.stop("n1")
    before = site.log("n1")
    site.start("n1", under=confined("-all", site.root, "/probe"))
    await until(site.roles["n1"].has_ended, "it ends")
    assert site.roles["n1"].wait() == 2
    (line,) = site.log("n1").removeprefix(before).splitlines()
    assert "NET_RAW" in line
