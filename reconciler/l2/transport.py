"""The links of this node as the rest of the program uses them: packet sockets, groups, and who answers on them."""

import asyncio
import socket
from collections import Counter

from reconciler.l2 import filters
from reconciler.l2.answering import Answering
from reconciler.l2.channel import Channel
from reconciler.l2.claim_box import ClaimBox
from reconciler.l2.ethernet import TYPE_ARP, TYPE_IPV6
from reconciler.l2.link_port import LinkPort
from reconciler.l2.packet_socket import MissingCapabilityError, bind
from reconciler.l2.port import LinkState, OnClaim, Port
from reconciler.l2.reserve import Reserve
from reconciler.l2.responder import Responder

__all__ = ["Frames", "MissingCapabilityError"]


class Frames:
    """
    The links that are open, and the thread that answers on all of them. Used in the event loop.

    They are links of the network namespace of the thread that makes this.
    """

    def __init__(self) -> None:
        self._reserve = Reserve()
        self._answering: Answering | None = None
        self._ports: list[LinkPort] = []
        self._own_macs = Counter[bytes]()

    def open(self, state: LinkState, on_claim: OnClaim) -> Port:
        """
        Listen on a link, where nothing is owned yet. Claims are reported in the running event loop.

        This takes a fraction of a millisecond for a few links in a row; a long row waits for some 10 ms for each.

        A claim that was on its way may still be reported after its address is disowned, but not after the port is
        closed.

        Raises:
            MissingCapabilityError: We may not.
            OSError: The link is gone.
        """
        claims = ClaimBox(asyncio.get_running_loop(), on_claim)
        responder = Responder(state, self._own_macs)
        arp = self._bound(state.index, TYPE_ARP, filters.arp(state.index))
        try:
            ndp = self._bound(state.index, TYPE_IPV6, filters.neighbor_discovery(state.index))
        except BaseException:
            self._reserve.give_back(arp)
            raise
        if self._answering is None:
            self._answering = Answering()
            self._answering.start()
        port = LinkPort(
            state,
            channels=(
                Channel(arp, state.name, responder, claims, self._reserve.give_back),
                Channel(ndp, state.name, responder, claims, self._reserve.give_back),
            ),
            responder=responder,
            claims=claims,
            answering=self._answering,
            own_macs=self._own_macs,
        )
        self._ports = [open_port for open_port in self._ports if open_port.is_open] + [port]
        return port

    def close(self) -> None:
        """Close every link and end the thread."""
        for port in self._ports:
            port.close()
        self._ports.clear()
        if self._answering is not None:
            self._answering.close()
            self._answering = None
        self._reserve.close()

    def _bound(self, index: int, ethernet_type: bytes, program: filters.Program) -> socket.socket:
        taken = self._reserve.take()
        try:
            bind(taken, index, ethernet_type, program)
        except BaseException:
            self._reserve.give_back(taken)
            raise
        return taken
