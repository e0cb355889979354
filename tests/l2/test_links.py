"""The links of real namespaces, followed while `ip` changes them. Nothing here waits for less than a condition."""

import asyncio
import errno
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from reconciler.cli.lab import Lab, entered
from reconciler.l2.links import LinksError, LinkTable, netlink_socket
from reconciler.l2.port import LinkState
from tests.l2.wire import until

DEADLINE = 20.0


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return ("n1",)


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """With all that the kernel does by itself done: with the carrier, a moment later, comes a link-local address."""
    until(lambda: "fe80::" in lab.run("n1", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "link"))
    return lab


class Following:
    """A table of the links of n1, and every state of it that was told of."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.told: list[tuple[LinkState, ...]] = []
        self.table: LinkTable
        self._woken = asyncio.Event()

    def take(self) -> None:
        self.told.append(self.table.links)
        self._woken.set()

    def ip(self, *arguments: str) -> None:
        self.lab.run("n1", "ip", *arguments)

    def batch(self, *lines: str) -> None:
        command = [*self.lab.inside("n1"), "ip", "-b", "-"]
        subprocess.run(command, input="\n".join(lines).encode(), check=True, capture_output=True, timeout=30)

    def link(self, name: str) -> LinkState | None:
        return next((link for link in self.table.links if link.name == name), None)

    async def until(self, name: str, expected: Callable[[LinkState], bool]) -> LinkState:
        async with asyncio.timeout(DEADLINE):
            while (link := self.link(name)) is None or not expected(link):
                await self._wake()
        return link

    async def until_gone(self, name: str) -> None:
        async with asyncio.timeout(DEADLINE):
            while self.link(name) is not None:
                await self._wake()

    async def until_told(self, times: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.told) < times:
                await self._wake()

    async def _wake(self) -> None:
        await self._woken.wait()
        self._woken.clear()


def make_in(lab: Lab, *, buffer: int | None = None) -> socket.socket:
    with entered(lab.namespace("n1")):
        made = netlink_socket()
    if buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    return made


@asynccontextmanager
async def following(lab: Lab, *, buffer: int | None = None) -> AsyncIterator[Following]:
    watched = Following(lab)
    watched.table = await LinkTable.open(watched.take, make_socket=partial(make_in, lab, buffer=buffer))
    try:
        yield watched
    finally:
        watched.table.close()


def kernel_links(lab: Lab) -> dict[str, int]:
    said = lab.run("n1", "ip", "-o", "link")
    return {name: int(index) for index, name in re.findall(r"^(\d+): ([^:@]+)", said, re.MULTILINE)}


async def test_open_knows_every_link(lab: Lab) -> None:
    async with following(lab) as watched:
        links = watched.table.links
        assert {link.name: link.index for link in links} == kernel_links(lab)
        assert [link.index for link in links] == sorted(link.index for link in links)
        loopback, eth0 = watched.link("lo"), watched.link("eth0")
        assert loopback is not None
        assert (loopback.is_loopback, loopback.mac, loopback.has_broadcast) == (True, b"", False)
        assert eth0 == LinkState(
            index=kernel_links(lab)["eth0"],
            name="eth0",
            mac=bytes.fromhex("02000000000a"),
            # Made by the kernel from the MAC (RFC 4291 appendix A).
            link_local=socket.inet_pton(socket.AF_INET6, "fe80::ff:fe00:a"),
        )
        assert watched.told == []


async def test_a_link_appears_and_vanishes(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.ip("link", "add", "late", "type", "bridge")
        link = await watched.until("late", lambda _: True)
        assert (link.is_up, link.has_carrier, link.is_enslaved, link.link_local) == (False, False, False, None)
        watched.ip("link", "del", "late")
        await watched.until_gone("late")


async def test_a_link_moves_to_another_namespace(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.ip("link", "set", "eth0", "netns", "/run/netns/" + lab.namespace("switch"))
        await watched.until_gone("eth0")


async def test_a_name_and_a_mac_change(lab: Lab) -> None:
    async with following(lab) as watched:
        index = kernel_links(lab)["eth0"]
        watched.ip("link", "set", "eth0", "address", "02:00:00:00:00:99")
        await watched.until("eth0", lambda link: link.mac == bytes.fromhex("020000000099"))
        watched.batch("link set eth0 down", "link set eth0 name uplink", "link set uplink up")
        link = await watched.until("uplink", lambda link: link.is_up)
        assert link.index == index
        assert watched.link("eth0") is None


async def test_a_link_goes_down_and_up(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.ip("link", "set", "eth0", "down")
        link = await watched.until("eth0", lambda link: not link.is_up)
        assert not link.has_carrier
        await watched.until("eth0", lambda link: link.link_local is None)
        watched.ip("link", "set", "eth0", "up")
        await watched.until("eth0", lambda link: link.is_up and link.has_carrier and link.link_local is not None)


async def test_the_cable_is_pulled_and_put_back(lab: Lab) -> None:
    async with following(lab) as watched:
        lab.cut("n1")
        link = await watched.until("eth0", lambda link: not link.has_carrier)
        assert link.is_up
        lab.restore("n1")
        await watched.until("eth0", lambda link: link.has_carrier)


async def test_a_port_of_a_bridge_is_enslaved_while_it_is_one(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.batch("link add br0 type bridge", "link set eth0 master br0")
        await watched.until("eth0", lambda link: link.is_enslaved)
        watched.ip("link", "set", "eth0", "nomaster")
        # The bridge "deletes" its port then, which is still a link of this node.
        link = await watched.until("eth0", lambda link: not link.is_enslaved)
        assert link.is_up
        watched.ip("link", "del", "br0")
        await watched.until_gone("br0")
        assert watched.link("eth0") is not None
        assert all(any(link.name == "eth0" for link in links) for links in watched.told)


async def test_a_link_local_address_counts_once_it_is_not_tentative(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.ip("addr", "flush", "dev", "eth0", "scope", "link")
        await watched.until("eth0", lambda link: link.link_local is None)
        lab.run("n1", "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1")
        first, second = (socket.inet_pton(socket.AF_INET6, text) for text in ("fe80::1", "fe80::2"))
        watched.told.clear()
        # The first one is tentative for a second or more, as the kernel asks whether anybody else has it.
        lines = ("fe80::1/64 dev eth0", "2001:db8::77/64 dev eth0 nodad", "fe80::2/64 dev eth0 nodad")
        watched.batch(*(f"addr add {line}" for line in lines))
        await watched.until("eth0", lambda link: link.link_local == second)
        await watched.until("eth0", lambda link: link.link_local == first)
        watched.ip("addr", "del", "fe80::1/64", "dev", "eth0")
        await watched.until("eth0", lambda link: link.link_local == second)
        watched.ip("addr", "del", "fe80::2/64", "dev", "eth0")
        await watched.until("eth0", lambda link: link.link_local is None)
        assert [link.link_local for links in watched.told for link in links if link.name == "eth0"] == [
            second,
            first,
            second,
            None,
        ]


async def test_a_tunnel_has_no_mac_and_no_arp(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.ip("tuntap", "add", "dev", "tun0", "mode", "tun")
        link = await watched.until("tun0", lambda _: True)
        assert (link.mac, link.has_arp, link.has_broadcast) == (b"", False, False)
        watched.ip("link", "set", "eth0", "arp", "off")
        await watched.until("eth0", lambda link: not link.has_arp)


async def test_changes_that_arrive_together_are_told_of_once(lab: Lab) -> None:
    async with following(lab) as watched:
        # All of this happens before the loop looks again.
        watched.batch(*(f"link add many{n} type bridge" for n in range(30)))
        await watched.until("many29", lambda _: True)
        assert len(watched.told) == 1
        assert len(watched.table.links) == len(kernel_links(lab))


async def test_nothing_is_told_when_nothing_changed_that_matters(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.batch("link set eth0 mtu 1400", "addr add 192.0.2.200/24 dev eth0", "link set eth0 alias spare")
        watched.ip("link", "add", "last", "type", "bridge")
        await watched.until("last", lambda _: True)
        assert len(watched.told) == 1


async def test_a_short_loss_of_the_carrier_is_not_swallowed(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.batch("link set eth0 down", "link set eth0 up")
        # Both happened before the loop looked again.
        await watched.until_told(2)
        states = [next(link.is_up for link in links if link.name == "eth0") for links in watched.told]
        assert states[0] is False
        await watched.until("eth0", lambda link: link.is_up and link.has_carrier)


async def test_a_link_that_is_replaced_under_its_number_is_gone_in_between(lab: Lab) -> None:
    async with following(lab) as watched:
        watched.batch("link add one index 900 type bridge", "link del one", "link add two index 900 type bridge")
        await watched.until("two", lambda _: True)
        names = [[link.name for link in links if link.index == 900] for links in watched.told]
        assert names == [["one"], [], ["two"]]


async def test_lost_notifications_are_made_up_for(lab: Lab) -> None:
    async with following(lab, buffer=1) as watched:
        # The least buffer that the kernel gives overflows while the loop is busy here.
        watched.batch(*(f"link add many{n} type bridge" for n in range(100)), "link set eth0 down", "link del many0")
        await watched.until("eth0", lambda link: not link.is_up)
        await watched.until("many99", lambda _: True)
        await watched.until_gone("many0")
        assert watched.table.losses > 0
        assert {link.name: link.index for link in watched.table.links} == kernel_links(lab)
        # And they are followed as before.
        watched.ip("link", "del", "many1")
        await watched.until_gone("many1")


async def test_no_link_is_missed_while_the_table_opens(lab: Lab) -> None:
    command = [*lab.inside("n1"), "ip", "-b", "-"]
    making = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    assert making.stdin is not None
    async with AsyncExitStack() as tables:
        opened: list[Following] = []
        try:
            # Ten links are made while each table opens, and none before it begins to.
            for first in range(0, 200, 10):
                numbers = range(first, first + 10)
                lines = (f"link add many{n} type bridge\nlink set many{n} name new{n}\n" for n in numbers)
                making.stdin.write("".join(lines).encode())
                opened.append(await tables.enter_async_context(following(lab)))
        finally:
            making.stdin.close()
            await asyncio.wait_for(making.wait(), DEADLINE)
        expected = kernel_links(lab)
        for watched in opened:
            await watched.until("new199", lambda _: True)
            assert {link.name: link.index for link in watched.table.links} == expected


async def test_a_list_that_changes_while_it_is_read_is_read_again(lab: Lab) -> None:
    class Interrupted(socket.socket):
        """Links vanish once the first of several datagrams is read."""

        def recvfrom(self, *arguments: Any) -> Any:
            got = super().recvfrom(*arguments)
            if "m3" in kernel_links(lab):
                lab.run("n1", "ip", "link", "del", "m3")
            return got

    command = [*lab.inside("n1"), "ip", "-b", "-"]
    lines = "\n".join(f"link add m{n} link eth0 type macvlan mode bridge" for n in range(80))
    subprocess.run(command, input=lines.encode(), check=True, capture_output=True, timeout=30)

    def make() -> socket.socket:
        return Interrupted(fileno=make_in(lab).detach())

    table = await LinkTable.open(make_socket=make)
    try:
        assert table.losses == 1
        assert {link.name: link.index for link in table.links} == kernel_links(lab)
    finally:
        table.close()


async def test_after_close_nothing_is_told(lab: Lab) -> None:
    async with following(lab) as watched, following(lab) as another:
        watched.table.close()
        watched.table.close()
        watched.ip("link", "add", "late", "type", "bridge")
        await another.until("late", lambda _: True)
        assert watched.told == []
        assert watched.link("late") is None


async def test_whoever_is_told_may_close(lab: Lab) -> None:
    async with following(lab) as watched:
        told = []

        def close() -> None:
            told.append(watched.table.links)
            watched.table.close()

        table = watched.table
        watched.table = await LinkTable.open(close, make_socket=partial(make_in, lab))
        watched.batch("link set eth0 down", "link set eth0 up")
        async with asyncio.timeout(DEADLINE):
            while not told:
                await asyncio.sleep(0.01)
        assert len(told) == 1
        watched.table = table


async def test_a_kernel_that_refuses_is_one_error() -> None:
    def refuse() -> socket.socket:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with pytest.raises(LinksError, match="Operation not permitted"):
        await LinkTable.open(make_socket=refuse)


NO_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
ALONE = """
import asyncio, threading, sys
from reconciler.l2.links import LinkTable
async def main():
    table = await LinkTable.open()
    print(*(link.name for link in table.links), threading.active_count(), "pyroute2" in sys.modules)
    table.close()
asyncio.run(main())
"""


async def test_no_capability_no_thread_and_no_heavy_import_is_needed(lab: Lab) -> None:
    said = lab.run("n1", *NO_RIGHTS, sys.executable, "-W", "error", "-c", ALONE)
    assert said.split() == [*sorted(kernel_links(lab), key=kernel_links(lab).__getitem__), "1", "False"]
