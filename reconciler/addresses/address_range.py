"""One closed range of addresses; reads CIDR and first-last notation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from reconciler.addresses.family import Address, AddressError, Family, parse_address

_LAST_OCTET_BUGGY = (0, 255)


@dataclass(frozen=True, slots=True, order=True)
class AddressRange:
    """Every address from `first` to `last`, both included, of one family."""

    family: Family
    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read `192.0.2.0/24` (host bits are masked) or `192.0.2.10-192.0.2.20` (blanks around the dash are allowed).

        Raises:
            AddressError: Neither of the two; the message says which part is wrong.
        """
        return cls._parse_span(text) if "-" in text else cls._parse_cidr(text)

    @classmethod
    def _parse_cidr(cls, text: str) -> Self:
        address_text, slash, length_text = text.partition("/")
        if not slash:
            raise AddressError(f'"{text}" has no prefix length: write "{text}/32" (IPv4) or "{text}/128" (IPv6)')
        address = parse_address(address_text)
        if not (length_text.isascii() and length_text.isdecimal()) or len(length_text) > 3:
            raise AddressError(f'"{length_text}" is not a prefix length')
        length = int(length_text)
        if ":" in address_text and address.family is Family.IPV4:
            # ::ffff:192.0.2.0/120 is 192.0.2.0/24; a shorter prefix reaches outside the IPv4 part.
            length -= 96
        if not 0 <= length <= address.family.bits:
            raise AddressError(f'"/{length_text}" is no prefix length of an {address.family} address')
        host_bits = address.family.bits - length
        first = address.value >> host_bits << host_bits
        return cls(address.family, first, first + (1 << host_bits) - 1)

    @classmethod
    def _parse_span(cls, text: str) -> Self:
        first_text, _, last_text = text.partition("-")
        first, last = parse_address(first_text.strip()), parse_address(last_text.strip())
        if first.family is not last.family:
            raise AddressError(f'start IP "{first}" is {first.family} but end IP "{last}" is {last.family}')
        if first.value > last.value:
            raise AddressError(f'start IP "{first}" is after the end IP "{last}"')
        return cls(first.family, first.value, last.value)

    @property
    def size(self) -> int:
        """How many addresses the range holds."""
        return self.last - self.first + 1

    @property
    def buggy_count(self) -> int:
        """How many of them `avoidBuggyIPs` leaves out: IPv4 addresses that end in .0 or .255."""
        if self.family is Family.IPV6:
            return 0
        return sum(self._count_ending_in(octet) for octet in _LAST_OCTET_BUGGY)

    def _count_ending_in(self, octet: int) -> int:
        return (self.last - octet) // 256 - (self.first - 1 - octet) // 256

    def __contains__(self, address: Address) -> bool:
        return address.family is self.family and self.first <= address.value <= self.last

    def overlaps(self, other: "AddressRange") -> bool:
        """Whether the two ranges share an address."""
        return self.family is other.family and self.first <= other.last and other.first <= self.last

    def blocks(self) -> Iterator[tuple[int, int]]:
        """The fewest CIDR blocks that make up the range, ascending: (base address, prefix length)."""
        base, bits = self.first, self.family.bits
        while base <= self.last:
            # The largest block that starts here is limited by alignment and by what is left.
            aligned = (base & -base).bit_length() - 1 if base else bits
            host_bits = min(aligned, (self.last - base + 1).bit_length() - 1)
            yield base, bits - host_bits
            base += 1 << host_bits

    @property
    def widest_prefix_length(self) -> int:
        """Prefix length of the largest block in the range."""
        return min(length for _, length in self.blocks())

    def __str__(self) -> str:
        blocks = tuple(self.blocks())
        if len(blocks) == 1:
            return f"{Address(self.family, self.first)}/{blocks[0][1]}"
        return f"{Address(self.family, self.first)}-{Address(self.family, self.last)}"


def is_buggy(address: Address) -> bool:
    """Whether `avoidBuggyIPs` leaves the address out: old equipment drops traffic to IPv4 hosts .0 and .255."""
    return address.family is Family.IPV4 and address.value & 0xFF in _LAST_OCTET_BUGGY


def prefix_of(address: Address, length: int) -> AddressRange:
    """The block of that prefix length around an address."""
    host_bits = address.family.bits - length
    first = address.value >> host_bits << host_bits
    return AddressRange(address.family, first, first + (1 << host_bits) - 1)
