"""What a member tells all others of itself. No I/O."""

import msgspec

from reconciler.model.observed import Link, NodeName


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """
    The state of one speaker.

    `loaded` is the newest valid revision that it has, `in_use` the one that it announces by, both shortened by
    `short_revision`. `is_ready`: it has looked at the cluster and may be elected. `is_leaving`: it hands its addresses
    over. `restart_grace`: for how many seconds after it left its addresses are to be left with it. `links` and
    `others_up` are those of `Member`; `macs` the hardware addresses of its links, 6 octets each.
    `former` are the configurations before the one in use that it still has for addresses that only they know.
    """

    loaded: str = ""
    in_use: str = ""
    is_ready: bool = False
    is_leaving: bool = False
    restart_grace: float = 0.0
    links: frozenset[Link] = frozenset()
    others_up: bool = True
    macs: frozenset[bytes] = frozenset()
    former: frozenset[str] = frozenset()


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """
    One live member of the group, this node included.

    `address` is the host part of where it is reached, as text; `epoch` tells one run of its process from the next;
    `is_suspect`: it did not answer lately. `facts` is None where they cannot be read: a later version wrote them.
    """

    node: NodeName
    address: str
    epoch: int = 0
    is_suspect: bool = False
    facts: Facts | None = Facts()
