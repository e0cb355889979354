"""
The placement of one node, kept between passes, so that few changes cost little.

What `place` gives is the definition. A Placer gives the same, from what the last pass left where only Services and
their endpoints changed, and otherwise from nothing.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from reconciler.addresses.family import Address
from reconciler.model.changes import changes_between, is_in_order
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Members, Node, NodeName, ObservedState, Service, ServiceKey
from reconciler.model.persistent_map import PersistentMap
from reconciler.placement.decisions import Derived, Placed, Placement
from reconciler.placement.endpoint_changes import endpoints_changed
from reconciler.placement.layer2 import announce
from reconciler.placement.place import in_order, wins
from reconciler.placement.rules import Covered, Rulebook
from reconciler.placement.standing_routes import StandingRoutes, Teller, Tellers, placed_by
from reconciler.placement.voices import Voices

# With more changes than one in so many Services a whole pass is as cheap; so many are always few.
_SHARE = 8
_FEW = 16
# What rules remember of Services that are gone goes with them, after as many changes as there are Services and so many.
_LITTLE_WORK = 10_000


class Terms(NamedTuple):
    """What a placement may depend on beside Services and their endpoints."""

    desired: DesiredState
    former: tuple[DesiredState, ...]
    nodes: tuple[Node, ...]
    members: Members
    node: NodeName
    lb_class: str
    ignore_exclude_label: bool

    def relevant(self) -> "Terms":
        """Without what nothing is decided by: other nodes and their speakers, where nobody is elected."""
        if any(config.l2_advertisements for config in (self.desired, *self.former)):
            return self
        nodes = tuple(node for node in self.nodes if node.name == self.node)
        return self._replace(nodes=nodes, members=frozenset())

    def still(self, other: "Terms") -> bool:
        """Whether nothing has changed; configurations count as unchanged when they are the same objects."""
        same = self.desired is other.desired and len(self.former) == len(other.former)
        return same and all(map(_is, self.former, other.former)) and self[2:] == other[2:]


def _is(one: DesiredState, other: DesiredState) -> bool:
    return one is other


class Placer:
    """
    Decides like `place` without explanations, pass after pass, and remembers the last one.

    `whole_passes` counts those that were made from nothing.
    """

    def __init__(self) -> None:
        self._standing: Standing | None = None
        self.whole_passes = 0

    def place(
        self,
        desired: DesiredState,
        observed: ObservedState,
        members: Members,
        node: NodeName,
        *,
        lb_class: str = "",
        ignore_exclude_label: bool = False,
        former: tuple[DesiredState, ...] = (),
    ) -> Placement:
        """
        Decide what one node announces; the very same placement as long as nothing about it changes.

        Few changes cost little where the snapshot has the same objects for what did not change, in order of keys.
        Nothing that was handed over may be altered.
        """
        terms = Terms(desired, former, observed.nodes, members, node, lb_class, ignore_exclude_label).relevant()
        # An exception on the way leaves a standing that nothing is known of.
        standing, self._standing = self._standing, None
        if standing is None or not (standing.terms.still(terms) and standing.follow(observed)):
            standing = Standing(terms, observed)
            self.whole_passes += 1
        self._standing = standing
        return standing.placement

    @property
    def told(self) -> Tellers:
        """The Services that peers are told of, as of the last pass."""
        return self._standing.told if self._standing is not None else PersistentMap()

    def successors(self, addresses: Iterable[Address]) -> Mapping[Address, NodeName]:
        """
        Of addresses that the node does not announce by Layer 2, the node that does; none where nobody does.

        As of the last pass. Services that share an address may have several owners: it is one of them.
        """
        return self._standing.successors(addresses) if self._standing is not None else {}


class Standing:
    """What a pass has left: what is known of each Service of ours, and what the node says."""

    def __init__(self, terms: Terms, observed: ObservedState) -> None:
        self.terms = terms
        self._rulebook = Rulebook(
            terms.desired,
            terms.nodes,
            terms.members,
            former=terms.former,
            lb_class=terms.lb_class,
            ignore_exclude_label=terms.ignore_exclude_label,
        )
        self._peering = self._rulebook.routes_of(terms.node)
        self._peers = frozenset(self._peering.peers)
        self._tells_routes = self._rulebook.tells_routes and bool(self._peers)
        self._told = StandingRoutes()
        self._is_in_order = is_in_order(observed.services)
        self._services = observed.services
        self._endpoints = observed.endpoints
        self._work = 0
        # Of the Services that can be announced as far as they themselves are concerned.
        self._covered: dict[ServiceKey, Covered] = {}
        self._aged: dict[ServiceKey, int] = {}
        self._holders: dict[Address, set[ServiceKey]] | None = None
        for service in observed.services:
            self._learn(service.key, service)
        ordered = (self._covered[key] for key in sorted(self._covered))
        self._voices = Voices(one for covered in ordered for one in self._said(covered))
        for key, covered in self._covered.items():
            self._told.put(key, self._teller(covered))
        self.placement = self._compose()

    @property
    def told(self) -> Tellers:
        """The Services that peers are told of."""
        return self._told.tellers

    def follow(self, observed: ObservedState) -> bool:
        """Decide for a later snapshot; False when only a whole pass can."""
        changes = changes_between(self._services, observed.services) if self._is_in_order else None
        if changes is None:
            return False
        moved = endpoints_changed(self._endpoints, observed.endpoints)
        touched: dict[ServiceKey, Service | None] = {
            **{key: self._covered[key].subject.service for key in moved if key in self._covered},
            **{service.key: None for service in changes.gone},
            **{service.key: service for service in changes.come},
        }
        self._work += len(touched)
        count = len(observed.services)
        if len(touched) > _FEW + count // _SHARE or self._work > _LITTLE_WORK + count:
            return False
        self._services, self._endpoints = observed.services, observed.endpoints
        aged, has_changed = dict(self._aged), False
        for key, service in touched.items():
            has_changed |= self._follow(key, service)
        if has_changed or aged != self._aged:
            self.placement = self._compose()
        return True

    def _follow(self, key: ServiceKey, service: Service | None) -> bool:
        """Decide for one Service anew; False when the node says what it said."""
        self._learn(key, service)
        covered = self._covered.get(key)
        speaks_otherwise = self._voices.put(key, self._said(covered) if covered is not None else ())
        tells_otherwise = self._told.put(key, self._teller(covered) if covered is not None else None)
        return speaks_otherwise or tells_otherwise

    def _learn(self, key: ServiceKey, service: Service | None) -> None:
        """Keep what is known of a Service, in place of what was."""
        before = self._covered.pop(key, None)
        if before is not None:
            self._aged.pop(key, None)
            self._note_holder(before, is_one=False)
        if service is None or not self._rulebook.is_ours(service):
            return
        found = self._rulebook.read(service, self._endpoints.get(key, ()))
        if isinstance(found, Covered):
            self._covered[key] = found
            if found.age:
                self._aged[key] = found.age
            self._note_holder(found, is_one=True)

    def _said(self, covered: Covered) -> tuple[Placed, ...]:
        node = self.terms.node
        return tuple(announce(covered.subject, covered.l2, node)) if wins(covered, node) else ()

    def _teller(self, covered: Covered) -> Teller | None:
        if not self._tells_routes:
            return None
        offers = self._peering.offers(covered.bgp, covered.families)
        is_silent = self._peering.declined(covered.subject, offers) is not None
        return None if is_silent else Teller(covered.subject.addresses, offers)

    def _compose(self) -> Placement:
        self._told.settle()
        routes, tellers, by_layer2 = self._told.routes, self._told.tellers, self._voices.placed
        return Placement.known(
            self.terms.node,
            Derived(lambda: in_order(by_layer2, tuple(placed_by(tellers, routes)))) if tellers else by_layer2,
            self._peers,
            self._rulebook.former_of(self._aged.values()),
            by_layer2=by_layer2,
            heard=self._voices.heard(),
            routes=routes,
        )

    def _note_holder(self, covered: Covered, *, is_one: bool) -> None:
        if self._holders is None:
            return  # nobody has asked for successors yet
        for address in covered.subject.addresses:
            holders = self._holders.setdefault(address, set())
            if is_one:
                holders.add(covered.subject.service.key)
            else:
                holders.discard(covered.subject.service.key)
                if not holders:
                    del self._holders[address]

    def successors(self, addresses: Iterable[Address]) -> Mapping[Address, NodeName]:
        """Who announces each of them instead of this node."""
        if self._holders is None:
            self._holders = {}
            for covered in self._covered.values():
                self._note_holder(covered, is_one=True)
        found: dict[Address, NodeName] = {}
        for address in addresses:
            for key in sorted(self._holders.get(address, ())):
                covered = self._covered[key]
                owner = covered.l2.owner(covered.subject)
                if owner is not None and owner != self.terms.node:
                    found[address] = owner
                    break
        return found
