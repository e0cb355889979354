"""One address as it was given to this node's announcer of ARP and NDP."""

from dataclasses import dataclass

from reconciler.addresses.family import Address
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import InterfaceName


@dataclass(slots=True)
class Holding:
    """
    An address, 4 or 16 `octets` of it, and how far it has come.

    `is_new`: it is to be probed before it is announced. `is_told`: that it is announced was reported. `has_link`:
    there was an interface for it when this was last looked at.
    """

    address: Address
    octets: bytes
    interfaces: frozenset[InterfaceName] | None
    is_new: bool
    since: float
    is_told: bool = False
    is_lingering: bool = False
    has_link: bool = True

    @property
    def announcement(self) -> L2Announcement:
        """What was asked for."""
        return L2Announcement(self.address, self.interfaces)
