"""An announcer on a host of the lab: its real links, real packet sockets, and the caches of the others."""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.announcers.port import Report, ReportKind
from reconciler.cli.lab import Lab, entered
from reconciler.l2.link_selection import compile_exclusion, used_links
from reconciler.l2.links import LinkTable, netlink_socket
from reconciler.l2.port import Claim, LinkState, OnClaim, Port
from reconciler.l2.transport import Frames
from reconciler.model.settings import AnnouncementSettings
from reconciler.plan.actions import Announce, Withdraw
from tests.announcers.listening_port import announcement


async def seen(condition: Callable[[], bool]) -> None:
    """Wait for something that has to happen."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


class Speaker:
    """A context: the announcer runs inside. `skip` turns its clock ahead of the real one."""

    def __init__(self, lab: Lab, host: str, settings: AnnouncementSettings | None = None) -> None:
        self.lab, self.host = lab, host
        self.reports: list[Report] = []
        self.claims: list[Claim] = []
        self._ahead = 0.0
        with entered(lab.namespace(host)):
            self._frames = Frames()
        self._loop = asyncio.get_running_loop()
        self.announcer = Layer2Announcer(
            self._open, settings or AnnouncementSettings(), lambda: self._loop.time() + self._ahead, self.reports.append
        )
        self._links: LinkTable | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Speaker":
        self._links = await LinkTable.open(self._relink, make_socket=self._netlink)
        self._relink()
        self._running = asyncio.create_task(self.announcer.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._running is not None
        assert self._links is not None
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running
        self._links.close()
        await self.announcer.close()
        self._frames.close()

    def _netlink(self) -> socket.socket:
        with entered(self.lab.namespace(self.host)):
            return netlink_socket()

    def _open(self, state: LinkState, on_claim: OnClaim) -> Port:
        def hear(claim: Claim) -> None:
            self.claims.append(claim)
            on_claim(claim)

        with entered(self.lab.namespace(self.host)):
            return self._frames.open(state, hear)

    def _relink(self) -> None:
        assert self._links is not None
        self.announcer.links_changed(used_links(self._links.links, compile_exclusion(("^lo$",))))

    async def announce(self, text: str, *, is_new: bool = False) -> None:
        await self.announcer.apply(Announce(announcement(text), is_new=is_new))

    async def withdraw(self, text: str) -> None:
        await self.announcer.apply(Withdraw(announcement(text)))

    def skip(self, seconds: float) -> None:
        self._ahead += seconds
        self.announcer.tick()

    def has_reported(self, kind: ReportKind) -> bool:
        return any(report.kind is kind for report in self.reports)

    def reported(self, kind: ReportKind) -> Report:
        return next(report for report in self.reports if report.kind is kind)

    def standing(self) -> str:
        (fact,) = self.announcer.announced()
        return str(fact.standing)


def cached(lab: Lab, text: str) -> str | None:
    """The MAC that the client's kernel sends to for an address."""
    return _neighbor(lab, text).get("lladdr")


def _neighbor(lab: Lab, text: str) -> dict[str, str]:
    family = "-6" if ":" in text else "-4"
    printed = lab.run("client", "ip", family, "-j", "neigh", "show", text, "dev", "eth0")
    # There may be empty items in front.
    entries: list[dict[str, Any]] = [entry for entry in json.loads(printed or "[]") if entry]
    found = entries[0] if entries else {}
    state = {"state": " ".join(found.get("state", ()))}
    return {**state, "lladdr": found["lladdr"]} if "lladdr" in found else state


async def answer(lab: Lab, text: str) -> str | None:
    """The MAC that the client's kernel is told when it asks whose an address is; None where nobody answers."""
    family = "ipv6" if ":" in text else "ipv4"
    lab.run("client", "sysctl", "-qw", f"net.{family}.neigh.eth0.retrans_time_ms=100")
    lab.run("client", "ip", "neigh", "del", text, "dev", "eth0", check=False)
    resolve(lab, text)
    await seen(lambda: "lladdr" in (found := _neighbor(lab, text)) or found["state"] == "FAILED")
    return cached(lab, text)


def resolve(lab: Lab, text: str) -> None:
    """Make the client's kernel send something to an address, so that it has to know the MAC."""
    with (
        entered(lab.namespace("client")),
        socket.socket(socket.AF_INET6 if ":" in text else socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.setblocking(False)
        sender.sendto(b"?", (text, 9))


def send_frame(lab: Lab, host: str, frame: bytes) -> None:
    """Put a frame on the wire from a host."""
    with (
        entered(lab.namespace(host)),
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender,
    ):
        sender.bind(("eth0", 0))
        sender.send(frame)
