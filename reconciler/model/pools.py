"""IPAddressPool and the Services it may serve."""

from dataclasses import dataclass, field

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.address_set import AddressSet
from reconciler.addresses.family import Address, Family
from reconciler.model.origin import Origin
from reconciler.model.selectors import Labels, LabelSelector, matches_any, matches_any_or_none_given


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """One element of `spec.addresses`, as written and as read."""

    text: str
    addresses: AddressRange
    origin: Origin = field(compare=False)


@dataclass(frozen=True, slots=True)
class ServiceScope:
    """
    `spec.serviceAllocation`: pins a pool to some Services.

    A lower `priority` is drawn from first; 0 is last. With neither namespaces nor selectors every Service is meant.
    """

    priority: int = 0
    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[LabelSelector, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()
    origin: Origin | None = field(default=None, compare=False)

    def admits_namespace(self, namespace: str, namespace_labels: Labels) -> bool:
        """Whether the namespace is listed or selected; selectors that match nothing admit nobody."""
        if not self.namespaces and not self.namespace_selectors:
            return True
        return namespace in self.namespaces or matches_any(self.namespace_selectors, namespace_labels)

    def admits(self, namespace: str, namespace_labels: Labels, service_labels: Labels) -> bool:
        """Whether a Service with those labels in that namespace may use the pool."""
        return self.admits_namespace(namespace, namespace_labels) and matches_any_or_none_given(
            self.service_selectors, service_labels
        )


@dataclass(frozen=True, slots=True)
class IPAddressPool:
    """
    Addresses that Services may be given.

    `entries` keep the order in which they were written: allocation takes the lowest usable address of the earliest
    entry. `scope` is None for an open pool. `labels` are those of the IPAddressPool object.
    """

    name: str
    entries: tuple[PoolEntry, ...]
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    scope: ServiceScope | None = None
    labels: Labels = ()
    origin: Origin = field(default=Origin("", 1, 1), compare=False)
    addresses: AddressSet = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", AddressSet.of(entry.addresses for entry in self.entries))

    def capacity(self, family: Family) -> int:
        """How many addresses of that family the pool can hand out; exact, whatever its size."""
        ranges = (r for r in self.addresses.ranges if r.family is family)
        return sum(r.size - (r.buggy_count if self.avoid_buggy_ips else 0) for r in ranges)

    def entry_of(self, address: Address) -> PoolEntry | None:
        """The written entry that holds the address, for messages that point at a line."""
        return next((entry for entry in self.entries if address in entry.addresses), None)
