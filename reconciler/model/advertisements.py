"""L2Advertisement, BGPAdvertisement and BGP communities."""

from dataclasses import dataclass, field
from typing import Self

import msgspec

from reconciler.errors import ReconcilerError
from reconciler.model.origin import Origin
from reconciler.model.selectors import LabelSelector

_STANDARD_PARTS, _STANDARD_MAX = 2, 0xFFFF
_LARGE_PARTS, _LARGE_MAX = 4, 0xFFFF_FFFF


class CommunityError(ReconcilerError):
    """A text that is no community. `is_format` tells an unknown shape (perhaps an alias) from a bad value."""

    def __init__(self, message: str, *, is_format: bool) -> None:
        super().__init__(message)
        self.is_format = is_format


class Community(msgspec.Struct, frozen=True, order=True, gc=False):
    """
    A BGP community, standard (RFC 1997) or large (RFC 8092).

    A standard community `a:b` is held as (a * 65536 + b, 0, 0); ordering compares the three numbers.
    """

    global_administrator: int
    local_data_1: int = 0
    local_data_2: int = 0
    large: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read `a:b` or `large:a:b:c`, all parts decimal.

        Raises:
            CommunityError: Some other shape, or a part that is out of range.
        """
        parts = text.split(":")
        if len(parts) == _STANDARD_PARTS:
            high, low = (_part(p, text, maximum=_STANDARD_MAX) for p in parts)
            return cls(high << 16 | low)
        if len(parts) == _LARGE_PARTS:
            if parts[0] != "large":
                raise CommunityError(
                    f'invalid community value "{text}": four parts must begin with "large"', is_format=False
                )
            first, second, third = (_part(p, text, maximum=_LARGE_MAX) for p in parts[1:])
            return cls(first, second, third, large=True)
        raise CommunityError(
            f'invalid community format "{text}": neither "a:b", "large:a:b:c" nor the alias of a Community',
            is_format=True,
        )

    def __str__(self) -> str:
        if self.large:
            return f"large:{self.global_administrator}:{self.local_data_1}:{self.local_data_2}"
        return f"{self.global_administrator >> 16}:{self.global_administrator & _STANDARD_MAX}"


def _part(text: str, whole: str, *, maximum: int) -> int:
    # The length limit keeps a file from asking for a conversion of a million digits; leading zeros are accepted.
    digits = text.lstrip("0") or text[-1:]
    if not (text.isascii() and text.isdecimal()) or len(digits) > 10 or int(digits) > maximum:
        raise CommunityError(
            f'invalid community value "{whole}": "{text}" is not a number from 0 to {maximum}', is_format=False
        )
    return int(digits)


@dataclass(frozen=True, slots=True)
class Preference:
    """One entry of `preferredNodeSelectors`: nodes that match score `weight` (1 to 100)."""

    weight: int
    selector: LabelSelector


@dataclass(frozen=True, slots=True)
class L2Advertisement:
    """
    How addresses of some pools are announced by ARP and NDP.

    `pools` are resolved names, sorted. Empty `node_selectors` mean every node, empty `interfaces` every interface,
    empty `service_selectors` every Service. Interfaces and selectors are sorted.
    """

    name: str
    pools: tuple[str, ...]
    node_selectors: tuple[LabelSelector, ...] = ()
    interfaces: tuple[str, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()
    preferences: tuple[Preference, ...] = ()
    origin: Origin = field(default=Origin("", 1, 1), compare=False)


@dataclass(frozen=True, slots=True)
class BGPAdvertisement:
    """
    How addresses of some pools are announced to BGP peers.

    `pools` are resolved names, sorted; `peers` are names of BGPPeers, empty for all of them; `communities` are
    resolved and ascending. `local_pref` 0 is unset, as in MetalLB's manifests.
    """

    name: str
    pools: tuple[str, ...]
    node_selectors: tuple[LabelSelector, ...] = ()
    peers: tuple[str, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()
    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    local_pref: int = 0
    communities: tuple[Community, ...] = ()
    origin: Origin = field(default=Origin("", 1, 1), compare=False)
