"""
Frames of one link in; answers, reasons and claims out, for the addresses that are owned there. No I/O.

A frame that was answered before is answered from memory; one as nearly every client sends it takes a short way through
templates; every other is decoded and considered rule by rule. One thread receives while another owns and disowns: each
change is one operation on a dict, so a frame meets the state before it or after it, never between.
"""

from collections.abc import Container
from dataclasses import dataclass

from reconciler.l2 import arp, ndp
from reconciler.l2.ethernet import BROADCAST, NO_MAC, TYPE_ARP, TYPE_IPV6, TYPES_VLAN, is_unicast
from reconciler.l2.ignored import FrameError, Ignored
from reconciler.l2.port import Claim, ClaimKind, LinkState

# Of one batch of frames; a claim more is a claim of a flood, and those before it tell the same.
MOST_CLAIMS = 64

# Answers that are remembered: clients ask the same again and again, and a flood does nothing else.
_MOST_REMEMBERED = 1024

_ARP_REQUEST = TYPE_ARP + arp.FIXED_HEADER + b"\x00\x01"
_ARP_PADDING = bytes(18)
# A solicitation with the asker's own address as its only option: how long it is, by itself and with all headers.
_PLAIN_LENGTH = ndp.MESSAGE_LENGTH + ndp.OPTION_LENGTH
_PLAIN_FRAME = ndp.MESSAGE_OFFSET + _PLAIN_LENGTH
_PLAIN_HEADER = bytes((0, _PLAIN_LENGTH, ndp.NEXT_HEADER, ndp.HOP_LIMIT))
_PLAIN_KIND = bytes((ndp.SOLICITATION, 0))
_PLAIN_OPTION = bytes((ndp.SOURCE_LINK_LAYER, 1))
_NOT_PLAIN_SOURCES = (0, 0xFF)
_SOMEBODY = bytes(15) + b"\x01"
_ALL_NODES_MAC = ndp.group_mac(ndp.ALL_NODES)


@dataclass(frozen=True, slots=True)
class _NeighborAnswer:
    """
    A solicited advertisement in two parts, and the sum of what its checksum is made of, but for the recipient.

    `group_mac` is where a question for the address goes to.
    """

    group_mac: bytes
    start: bytes
    end: bytes
    sum: int


class Responder:
    """
    What is answered on one link, and who else is heard there.

    `claims` are those heard since they were last taken, at most MOST_CLAIMS, oldest first.

    Args:
        state: The link, for its MAC, its link-local address and its name.
        own_macs: Those of all links of this node, kept up to date by the caller: they are no other host's.
    """

    def __init__(self, state: LinkState, own_macs: Container[bytes]) -> None:
        self._own_macs = own_macs
        self._owned: set[bytes] = set()
        # Without an answer: watched only, or the link has no MAC to give.
        self._arp: dict[bytes, bytes | None] = {}
        self._ndp: dict[bytes, _NeighborAnswer | None] = {}
        self.claims: list[Claim] = []
        # By the frame that asked. Every change begins a new one: what is being answered meanwhile goes into the old.
        self._remembered: dict[bytes, bytes] = {}
        self._take(state)

    def update(self, state: LinkState) -> None:
        """The link has another name, MAC or link-local address: answers carry it from here on."""
        self._take(state)
        for address in self._owned:
            self._prepare(address)
        self._remembered = {}

    def own(self, address: bytes) -> None:
        """Answer for an address, and report who else claims it."""
        self._owned.add(address)
        self._prepare(address)
        self._remembered = {}

    def watch(self, address: bytes) -> None:
        """Report who claims an address; nothing changes for one that is owned."""
        if len(address) == 4:
            self._arp.setdefault(address, None)
        else:
            self._ndp.setdefault(address, None)
        self._remembered = {}

    def disown(self, address: bytes) -> None:
        """Neither answer nor watch any more."""
        self._arp.pop(address, None)
        self._ndp.pop(address, None)
        self._owned.discard(address)
        self._remembered = {}

    def receive(self, frame: bytes) -> bytes | Ignored:
        """The frame that answers a frame, or why none does. Claims are collected beside it."""
        remembered = self._remembered
        answer = remembered.get(frame)
        if answer is not None:
            return answer
        kind = frame[12:14]
        if kind == TYPE_ARP:
            return self._receive_arp(frame, remembered)
        if kind == TYPE_IPV6:
            return self._receive_ndp(frame, remembered)
        if len(kind) < 2:
            return Ignored.TRUNCATED
        return Ignored.VLAN_TAGGED if kind in TYPES_VLAN else Ignored.OTHER_TYPE

    @property
    def remembered(self) -> int:
        """How many answers are remembered."""
        return len(self._remembered)

    def take_claims(self) -> list[Claim]:
        """Give the claims away, and begin to collect anew. For the receiving thread."""
        taken, self.claims = self.claims, []
        return taken

    def _take(self, state: LinkState) -> None:
        self._state = state
        self._destinations = frozenset({BROADCAST, state.mac})

    def _prepare(self, address: bytes) -> None:
        if len(address) == 4:
            self._arp[address] = self._arp_answer(address)
        else:
            self._ndp[address] = self._neighbor_answer(address)

    def _arp_answer(self, address: bytes) -> bytes | None:
        """The middle of a reply: who asked stands before it, and again between it and the padding."""
        mac = self._state.mac
        return arp.reply(mac, address, to_mac=NO_MAC, to_address=arp.UNSPECIFIED)[6:32] if mac else None

    def _neighbor_answer(self, address: bytes) -> _NeighborAnswer | None:
        if not self._state.mac:
            return None
        # From the address itself, as the kernel does for its own: ndisc6, for one, takes nobody else at his word.
        whole = ndp.advertisement(self._state.mac, address, source=None, to_mac=NO_MAC, to=_SOMEBODY)
        return _NeighborAnswer(
            group_mac=ndp.group_mac(ndp.solicited_node_group(address)),
            start=whole[6:38],
            end=whole[58:],
            sum=-int.from_bytes(whole[56:58], "big") - int.from_bytes(_SOMEBODY, "big"),
        )

    def _receive_arp(self, frame: bytes, remembered: dict[bytes, bytes]) -> bytes | Ignored:
        answer = self._arp.get(frame[38:42])
        if (
            answer is None
            or frame[12:22] != _ARP_REQUEST
            or frame[:6] not in self._destinations
            or frame[22] & 1
            or (mac := frame[22:28]) == NO_MAC
            or (asker := frame[28:32]) in self._arp
            or asker == arp.UNSPECIFIED
        ):
            return self._consider_arp(frame)
        return _remember(remembered, frame, b"".join((mac, answer, mac, asker, _ARP_PADDING)))

    def _consider_arp(self, frame: bytes) -> bytes | Ignored:
        try:
            packet = arp.decode(frame)
        except FrameError as exc:
            return exc.reason
        if packet.destination not in self._destinations:
            return Ignored.ETHERNET_DESTINATION
        claim = self._arp_claim(packet, frame)
        if claim is Ignored.OWN_FRAME or packet.operation != arp.Operation.REQUEST:
            return claim or Ignored.NOT_A_REQUEST
        answer = self._arp.get(packet.target_address)
        # An announcement asks nobody anything.
        if answer is None or packet.sender_address == packet.target_address:
            return claim or Ignored.NOT_OUR_ADDRESS
        if not is_unicast(packet.sender_mac):
            return Ignored.SENDER_MAC
        return b"".join((packet.sender_mac, answer, packet.sender_mac, packet.sender_address, _ARP_PADDING))

    def _arp_claim(self, packet: arp.ArpPacket, frame: bytes) -> Ignored | None:
        address, mac = packet.sender_address, packet.sender_mac
        match packet.operation:
            case arp.Operation.REQUEST if address == arp.UNSPECIFIED:
                return self._claimed(packet.target_address, mac, ClaimKind.ARP_PROBE, frame)
            case arp.Operation.REQUEST:
                return self._claimed(address, mac, ClaimKind.ARP_REQUEST, frame)
            case arp.Operation.REPLY:
                return self._claimed(address, mac, ClaimKind.ARP_REPLY, frame)
            case _:
                return None

    def _receive_ndp(self, frame: bytes, remembered: dict[bytes, bytes]) -> bytes | Ignored:
        answer = self._ndp.get(frame[62:78])
        if (
            answer is None
            or len(frame) < _PLAIN_FRAME
            or frame[18:22] != _PLAIN_HEADER
            or frame[54:56] != _PLAIN_KIND
            or frame[78:80] != _PLAIN_OPTION
            or frame[14] >> 4 != 6
            or frame[22] in _NOT_PLAIN_SOURCES
            or frame[80] & 1
            or (mac := frame[80:86]) == NO_MAC
            or (asker := frame[22:38]) in self._ndp
            or ((to := frame[:6]) != answer.group_mac and to != self._state.mac)
            or (int.from_bytes(frame[22:_PLAIN_FRAME], "big") + _PLAIN_LENGTH + ndp.NEXT_HEADER) % 0xFFFF
        ):
            return self._consider_ndp(frame)
        return _remember(remembered, frame, _advertise(answer, mac, asker))

    def _consider_ndp(self, frame: bytes) -> bytes | Ignored:
        try:
            message = ndp.decode(frame)
        except FrameError as exc:
            return exc.reason
        if isinstance(message, ndp.NeighborSolicitation):
            return self._consider_solicitation(message, frame)
        if message.ethernet_destination not in (self._state.mac, _ALL_NODES_MAC):
            return Ignored.ETHERNET_DESTINATION
        mac = message.target_mac or message.ethernet_source
        return self._claimed(message.target, mac, ClaimKind.NEIGHBOR_ADVERTISEMENT, frame) or Ignored.NOT_A_SOLICITATION

    def _consider_solicitation(self, message: ndp.NeighborSolicitation, frame: bytes) -> bytes | Ignored:
        group_mac = ndp.group_mac(ndp.solicited_node_group(message.target))
        if message.ethernet_destination not in (self._state.mac, group_mac):
            return Ignored.ETHERNET_DESTINATION
        to_mac = message.source_mac or message.ethernet_source
        if message.source == ndp.UNSPECIFIED:
            claim = self._claimed(message.target, to_mac, ClaimKind.DAD_SOLICITATION, frame)
        else:
            claim = self._claimed(message.source, to_mac, ClaimKind.NEIGHBOR_SOLICITATION, frame)
        answer = self._ndp.get(message.target)
        if claim is Ignored.OWN_FRAME:
            return claim
        if answer is None or message.source == message.target:
            return claim or Ignored.NOT_OUR_ADDRESS
        if not is_unicast(to_mac):
            return Ignored.SENDER_MAC
        if message.source == ndp.UNSPECIFIED:
            return ndp.unsolicited(self._state.mac, message.target, source=None)
        return _advertise(answer, to_mac, message.source)

    def _claimed(self, address: bytes, mac: bytes, kind: ClaimKind, frame: bytes) -> Ignored | None:
        """Note a claim: CLAIM, or OWN_FRAME where it is our own; None for an address that does not matter here."""
        if address not in (self._arp if len(address) == 4 else self._ndp):
            return None
        if mac in self._own_macs:
            return Ignored.OWN_FRAME
        if len(self.claims) < MOST_CLAIMS:
            self.claims.append(Claim(address, mac, kind, self._state.name, frame))
        return Ignored.CLAIM


def _remember(remembered: dict[bytes, bytes], frame: bytes, answer: bytes) -> bytes:
    if len(remembered) >= _MOST_REMEMBERED:
        remembered.clear()
    remembered[frame] = answer
    return answer


def _advertise(answer: _NeighborAnswer, to_mac: bytes, to: bytes) -> bytes:
    sum_ = -(answer.sum + int.from_bytes(to, "big")) % 0xFFFF
    return b"".join((to_mac, answer.start, to, b"\x88\x00", sum_.to_bytes(2, "big"), answer.end))
