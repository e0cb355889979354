"""Dense worlds by chance: many Services of all kinds around few addresses, and what happens to them."""

from dataclasses import replace
from random import Random

from msgspec.structs import replace as altered

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, Family
from reconciler.allocation.decisions import Allocation
from reconciler.model.desired import DesiredState
from reconciler.model.observed import AssignedCondition, ObservedState, Service, ServiceKey
from reconciler.model.pools import IPAddressPool
from reconciler.model.selectors import Labels
from tests.allocation.worlds import applied, cleared
from tests.builders import desired, pool, scope, service

# From 192.0.2.245 on, across the addresses that avoidBuggyIPs leaves out.
_BASES = {Family.IPV4: 0xC00002F5, Family.IPV6: 0x20010DB8 << 96}
_NAMESPACES = ("lab", "shop", "web")
_ZONES: tuple[Labels, ...] = ((), (("zone", "north"),), (("zone", "south"),))
_EDITED = (
    "type",
    "load_balancer_class",
    "labels",
    "created_at",
    "cluster_ips",
    "family_policy",
    "prefers_ipv6",
    "requested_ips",
    "load_balancer_ip",
    "requested_pool",
    "sharing_key",
    "ports",
    "external_traffic_policy",
    "selector",
    "ingress",
    "unreadable_ingress",
    "allocated_pool",
    "condition",
    "deprecated_annotations",
)


class Crowd:
    """
    A world that goes on by chance.

    `desired` and `observed` are what a pass is given now.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._span = random.choice([3, 6, 10, 20, 40])
        names = (f"{random.choice(_NAMESPACES)}/s{n:02}" for n in range(random.choice([4, 8, 16, 30, 60])))
        self._keys = sorted(map(ServiceKey, names))
        self.desired = self._pools()
        self.observed = ObservedState(
            tuple(self._service(key) for key in self._keys if random.random() < 0.8),
            namespaces={name: random.choice(_ZONES) for name in _NAMESPACES},
        )

    def go_on(self, allocation: Allocation) -> None:
        """Something happens, when that was decided last."""
        after = applied(allocation, self.observed)
        match self._random.choices(range(9), [12, 18, 15, 17, 24, 6, 3, 3, 1])[0]:
            case 0:
                self.observed = after
            case 1:
                written = {found.key: found for found in after.services}
                self._put(*(written[found.key] for found in self._some()))
            case 2:
                given = self._service(self._random.choice(self._keys))
                self._put(given if self._random.random() < 0.3 else cleared(given))
            case 3:
                self._drop({found.key for found in self._some()})
            case 4:
                self._put(*map(self._edited, self._some()))
            case 5:
                self._exchange()
            case 6:
                name = self._random.choice([*_NAMESPACES, "new"])
                labels = {**self.observed.namespaces, name: self._random.choice(_ZONES)}
                self.observed = replace(self.observed, namespaces=labels)
            case 7:
                self.observed = replace(self.observed, services=tuple(map(altered, self.observed.services)))
            case _:
                self.desired = self._pools()

    def _some(self) -> list[Service]:
        found = self.observed.services
        return self._random.sample(found, min(len(found), self._random.choice([1, 1, 1, 2, 4])))

    def _put(self, *changed: Service) -> None:
        found = {given.key: given for given in (*self.observed.services, *changed)}
        self.observed = replace(self.observed, services=tuple(found[key] for key in sorted(found)))

    def _drop(self, keys: set[ServiceKey]) -> None:
        kept = tuple(found for found in self.observed.services if found.key not in keys)
        self.observed = replace(self.observed, services=kept)

    def _edited(self, given: Service) -> Service:
        """With one or two fields of another one."""
        other = self._service(given.key)
        names = self._random.sample(_EDITED, self._random.choice([1, 1, 2]))
        return altered(given, **{name: getattr(other, name) for name in names})

    def _exchange(self) -> None:
        """Two Services name each other's addresses."""
        if len(self.observed.services) > 1:
            one, other = self._random.sample(self.observed.services, 2)
            self._put(
                altered(one, requested_ips=_joined(other.ingress) or None),
                altered(other, requested_ips=_joined(one.ingress) or None),
            )

    def _chance(self, percent: int) -> bool:
        return self._random.random() * 100 < percent

    def _address(self, family: Family) -> Address:
        return Address(family, _BASES[family] + self._random.randrange(self._span + 1))

    def _addresses(self) -> tuple[Address, ...]:
        """One, one of each family in either order, or more than any controller would write."""
        pair = [Family.IPV4, Family.IPV6]
        self._random.shuffle(pair)
        families = self._random.choice([pair[:1], pair[:1], pair, pair, self._random.choices(pair, k=3)])
        return tuple(self._address(family) for family in families)

    def _service(self, key: ServiceKey) -> Service:
        choice, chance = self._random.choice, self._chance
        families = choice(["4"] * 6 + ["6", "46", "46", "46", "64", ""])
        policies = ["prefer", "prefer", "single", "require"] if len(families) == 2 else ["single"] * 8 + ["prefer"]
        held = self._addresses() if chance(30) else ()
        given = service(
            key,
            families=families,
            policy=choice(policies),
            ingress=_joined(held),
            hostnames=["lb.example.com"] if chance(3) else [],
            foreign=chance(20),
            allocated_pool="pool-1" if chance(5) else None,
            requested_ips=_joined(self._addresses()) if chance(15) else None,
            load_balancer_ip=str(self._address(Family.IPV4)) if chance(5) else "",
            requested_pool=choice(["pool-0", "pool-1", "ghost"]) if chance(12) else "",
            sharing_key=choice(["", "", "", "blue", "green"]),
            ports=" ".join(f"TCP/{self._random.randrange(80, 84)}" for _ in range(choice([1, 1, 2]))),
            local=chance(33),
            selector={"app": "a"} if chance(50) else {},
            labels={"tier": choice(["front", "back"])} if chance(66) else {},
            created=self._random.randrange(5),
            type="ClusterIP" if chance(5) else "LoadBalancer",
            load_balancer_class="other" if chance(5) else None,
            deprecated=("one", "another") if chance(10) else (),
        )
        condition = AssignedCondition(choice(["True", "False"])) if chance(10) else None
        return altered(given, condition=condition)

    def _pools(self) -> DesiredState:
        entries: dict[int, list[str]] = {}
        count = self._random.choice([1, 1, 2, 3, 12])
        for family, base in _BASES.items():
            first = 0
            while first < self._span:
                last = min(self._span, first + self._random.randrange(1, max(2, self._span // 2))) - 1
                owner = self._random.randrange(count + 1)
                if owner < count:
                    entries.setdefault(owner, []).append(str(AddressRange(family, base + first, base + last)))
                first = last + 1
        return desired(*(self._pool(owner, found) for owner, found in entries.items()))

    def _pool(self, number: int, entries: list[str]) -> IPAddressPool:
        self._random.shuffle(entries)
        pinned = scope(
            *self._random.sample(_NAMESPACES, self._random.randrange(3)),
            priority=self._random.randrange(3),
            namespace_labels={"zone": "south"} if self._chance(50) else None,
            service_labels={"tier": "front"} if self._chance(50) else None,
        )
        return pool(
            f"pool-{number}",
            *entries,
            auto_assign=self._chance(85),
            avoid_buggy_ips=self._chance(20),
            scope=pinned if self._chance(25) else None,
        )


def _joined(addresses: tuple[Address, ...]) -> str:
    return ",".join(map(str, addresses))
