"""
The links of a namespace, put together from the kernel's answers and notifications. No I/O.

Both come over one socket, and an answer may be older than a notification that arrived before it: the kernel read the
link, then it changed. So what was notified of while an answer was under way is taken, and the answer's word about it
is not. The other way round cannot be wrong: whatever changed after a notification is notified of again.
"""

from typing import assert_never

from reconciler.l2.port import LinkState
from reconciler.l2.rtnetlink import AddressGone, AddressSeen, LinkGone, LinkSeen

# Flags of a link, as netdevice(7) lists them.
_IFF_UP, _IFF_BROADCAST, _IFF_LOOPBACK, _IFF_NOARP, _IFF_LOWER_UP = 0x1, 0x2, 0x8, 0x80, 0x10000

Fact = LinkSeen | LinkGone | AddressSeen | AddressGone


def link_state(link: LinkSeen, link_local: bytes | None = None) -> LinkState:
    """A link as the protocols see it. The members of a VRF speak for themselves, those of a bridge do not."""
    return LinkState(
        index=link.index,
        name=link.name,
        mac=link.mac,
        is_up=bool(link.flags & _IFF_UP),
        has_carrier=bool(link.flags & _IFF_LOWER_UP),
        is_loopback=bool(link.flags & _IFF_LOOPBACK),
        has_arp=not link.flags & _IFF_NOARP,
        has_broadcast=bool(link.flags & _IFF_BROADCAST),
        is_enslaved=link.port_of not in {"", "vrf"},
        link_local=link_local,
    )


class LinkInventory:
    """All links and their IPv6 link-local addresses, as far as they are known."""

    def __init__(self) -> None:
        self._links: dict[int, LinkSeen] = {}
        # By link, in the order of the kernel; whether it is tentative.
        self._addresses: dict[int, dict[bytes, bool]] = {}
        self._states: dict[int, LinkState] = {}
        self._noticed: set[tuple[int, bytes]] = set()

    def states(self) -> dict[int, LinkState]:
        """All links, by index."""
        return dict(self._states)

    def state(self, index: int) -> LinkState | None:
        """One link, None when it is gone."""
        return self._states.get(index)

    def learn(self, fact: Fact) -> None:
        """Take in what was asked for, unless a notification said something newer."""
        if _subject(fact) not in self._noticed:
            self._take(fact)

    def notice(self, fact: Fact) -> bool:
        """Take in a notification, and say whether the link is another one now."""
        self._noticed.add(_subject(fact))
        return self._take(fact)

    def complete(self) -> None:
        """All answers are here: from now on there are notifications only."""
        self._noticed.clear()

    def _take(self, fact: Fact) -> bool:
        match fact:
            case LinkSeen(index=index):
                self._links[index] = fact
            case LinkGone(index=index):
                self._links.pop(index, None)
                self._addresses.pop(index, None)
            case AddressSeen(index=index, address=address, is_tentative=is_tentative):
                if _is_link_local(address):
                    self._addresses.setdefault(index, {})[address] = is_tentative
            case AddressGone(index=index, address=address):
                self._addresses.get(index, {}).pop(address, None)
            case _:
                assert_never(fact)
        return self._renew(fact.index)

    def _renew(self, index: int) -> bool:
        before, link = self._states.get(index), self._links.get(index)
        if link is None:
            self._states.pop(index, None)
            return before is not None
        usable = (address for address, is_tentative in self._addresses.get(index, {}).items() if not is_tentative)
        state = self._states[index] = link_state(link, next(usable, None))
        return state != before


def _subject(fact: Fact) -> tuple[int, bytes]:
    match fact:
        case LinkSeen(index=index) | LinkGone(index=index):
            return index, b""
        case AddressSeen(index=index, address=address) | AddressGone(index=index, address=address):
            return index, address
        case _:
            assert_never(fact)


def _is_link_local(address: bytes) -> bool:
    """Whether an IPv6 address is in fe80::/10."""
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80
