"""Makes a snapshot of the objects of an earlier one where they are equal, so that `is` tells what changed. No I/O."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from reconciler.model.observed import ObservedState

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


def made_of_known(now: ObservedState, before: ObservedState) -> ObservedState:
    """The same as `now`; it is `before` itself where nothing has changed at all."""
    found = ObservedState(
        services=_sequence(now.services, before.services, lambda service: service.key),
        endpoints=_mapping(now.endpoints, before.endpoints),
        nodes=_sequence(now.nodes, before.nodes, lambda node: node.name),
        namespaces=_mapping(now.namespaces, before.namespaces),
        secrets=before.secrets if now.secrets == before.secrets else now.secrets,
    )
    unchanged = (
        found.services is before.services
        and found.endpoints is before.endpoints
        and found.nodes is before.nodes
        and found.namespaces is before.namespaces
        and found.secrets is before.secrets
    )
    return before if unchanged else found


def _sequence(now: tuple[Item, ...], before: tuple[Item, ...], key: Callable[[Item], Hashable]) -> tuple[Item, ...]:
    known = {key(item): item for item in before}
    found = tuple([_either(item, known.get(key(item))) for item in now])
    return before if _same(found, before) else found


def _mapping(now: Mapping[Key, Item], before: Mapping[Key, Item]) -> Mapping[Key, Item]:
    found = {key: _either(item, before.get(key)) for key, item in now.items()}
    return before if len(found) == len(before) and _same(found.values(), map(before.get, found)) else found


def _either(item: Item, known: Item | None) -> Item:
    return known if known is not None and known == item else item


def _same(some: Iterable[object], others: Iterable[object]) -> bool:
    some, others = list(some), list(others)
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))
