"""How a small world goes on: what people, other controllers and we ourselves do to it between two passes."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

from hypothesis import strategies as st
from msgspec.structs import replace as altered

from reconciler.allocation.allocate import allocate
from reconciler.model.desired import DesiredState
from reconciler.model.observed import AssignedCondition, FamilyPolicy, ObservedState, Port, Service, ServiceKey
from tests.allocation.worlds import applied, cleared
from tests.strategies import NAMESPACE_LABELS, desired_states, observed_states, services


class World(NamedTuple):
    """What a pass is given."""

    desired: DesiredState
    observed: ObservedState
    lb_class: str = ""


Drawn = TypeVar("Drawn")


class Draw(Protocol):
    """Takes an example out of a strategy."""

    def __call__(self, strategy: st.SearchStrategy[Drawn], /) -> Drawn: ...


Deed = Callable[[Draw, World], World]


def worlds() -> st.SearchStrategy[World]:
    """Worlds to begin with; in most of them everything was written that was decided."""
    any_world = st.builds(World, desired_states(), observed_states())
    return st.one_of(any_world, any_world.map(_settled), any_world.map(_settled))


def deeds() -> st.SearchStrategy[Deed]:
    """Something that happens to a world, when it is told how to draw."""
    return st.sampled_from(_DEEDS)


def _settled(world: World) -> World:
    return world._replace(observed=applied(allocate(*world[:2], lb_class=world.lb_class), world.observed))


def _nothing(_: Draw, world: World) -> World:
    return world


def _settle(_: Draw, world: World) -> World:
    return _settled(world)


def _write_some(draw: Draw, world: World) -> World:
    """Some of the writes have arrived, others not yet."""
    after = {service.key: service for service in _settled(world).observed.services}
    chosen = _some(draw, world)
    return _with(world, *(after[service.key] for service in chosen))


def _create(draw: Draw, world: World) -> World:
    given = draw(services())
    return _with(world, given if draw(st.booleans()) else cleared(given))


def _delete(draw: Draw, world: World) -> World:
    gone = {service.key for service in _some(draw, world)}
    kept = tuple(service for service in world.observed.services if service.key not in gone)
    return world._replace(observed=replace(world.observed, services=kept))


def _edit(draw: Draw, world: World) -> World:
    """Some Services get one or two fields of another."""
    edited = []
    for service in _some(draw, world):
        other = draw(services(service.key))
        names = draw(st.lists(st.sampled_from(_SPEC), min_size=1, max_size=2))
        edited.append(altered(service, **{name: getattr(other, name) for name in names}))
    return _with(world, *edited)


def _touch(draw: Draw, world: World) -> World:
    """What allocation does not read at all, or hardly ever."""
    version = str(draw(st.integers(2, 9)))
    deprecated = draw(st.sampled_from([(), ("metallb.universe.tf/address-pool",)]))
    touched = [altered(s, resource_version=version, deprecated_annotations=deprecated) for s in _some(draw, world)]
    return _with(world, *touched)


def _scribble(draw: Draw, world: World) -> World:
    """Somebody writes into a status."""
    scribbled = []
    for service in _some(draw, world):
        other = draw(services(service.key))
        condition = draw(
            st.sampled_from([None, AssignedCondition("True"), AssignedCondition("False", "pool-exhausted")])
        )
        names = draw(st.sampled_from([("ingress",), ("allocated_pool",), ("ingress", "allocated_pool"), ()]))
        hosts = draw(st.sampled_from([(), (), ("lb.example.com",)]))
        scribbled.append(
            altered(
                service,
                condition=condition,
                unreadable_ingress=hosts,
                **{name: getattr(other, name) for name in names},
            )
        )
    return _with(world, *scribbled)


def _take_the_same(draw: Draw, world: World) -> World:
    """A Service is given the status of another one, and perhaps the same sharing key."""
    found = world.observed.services
    if not found:
        return world
    one, other = draw(st.sampled_from(found)), draw(st.sampled_from(found))
    names = draw(st.sampled_from([("ingress", "allocated_pool"), ("ingress", "allocated_pool", "sharing_key")]))
    ports = draw(st.sampled_from([one.ports, (Port("UDP", 53),)]))
    return _with(world, altered(one, ports=ports, **{name: getattr(other, name) for name in names}))


def _grow_up(draw: Draw, world: World) -> World:
    """Some Services turn to two families."""
    dual = draw(st.sampled_from([FamilyPolicy.PREFER_DUAL_STACK, FamilyPolicy.REQUIRE_DUAL_STACK]))
    grown = [altered(s, cluster_ips=("10.96.0.1", "fd00::1"), family_policy=dual) for s in _some(draw, world)]
    return _with(world, *grown)


def _relabel(draw: Draw, world: World) -> World:
    labels = draw(st.sampled_from(list(NAMESPACE_LABELS.values())))
    name = draw(st.sampled_from([*NAMESPACE_LABELS, "new"]))
    return world._replace(observed=replace(world.observed, namespaces={**world.observed.namespaces, name: labels}))


def _relist(_: Draw, world: World) -> World:
    """Everything is read again: equal, but no object is the same."""
    again = tuple(altered(service) for service in world.observed.services)
    return world._replace(observed=replace(world.observed, services=again, namespaces=dict(world.observed.namespaces)))


def _new_revision(draw: Draw, world: World) -> World:
    """The files change, the pools with them or not."""
    if draw(st.booleans()):
        return world._replace(desired=replace(world.desired, revision="next"))
    return world._replace(desired=draw(desired_states()))


def _another_class(draw: Draw, world: World) -> World:
    return world._replace(lb_class=draw(st.sampled_from(["", "other"])))


_SPEC = (
    "type",
    "load_balancer_class",
    "labels",
    "created_at",
    "cluster_ips",
    "family_policy",
    "prefers_ipv6",
    "requested_ips",
    "requested_pool",
    "sharing_key",
    "ports",
    "external_traffic_policy",
    "selector",
)

_DEEDS: tuple[Deed, ...] = (
    _nothing,
    *(_settle,) * 4,
    *(_write_some,) * 3,
    *(_create,) * 4,
    *(_delete,) * 4,
    *(_edit,) * 6,
    *(_touch,) * 2,
    *(_scribble,) * 2,
    _take_the_same,
    _grow_up,
    _relabel,
    _relist,
    _new_revision,
    _another_class,
)


def _some(draw: Draw, world: World) -> list[Service]:
    """Mostly one, sometimes two or three, none where there is none."""
    found = world.observed.services
    if not found:
        return []
    count = draw(st.sampled_from([1, 1, 1, 1, 2, 3]))
    places = draw(st.lists(st.integers(0, len(found) - 1), min_size=1, max_size=count, unique=True))
    return [found[place] for place in places]


def _with(world: World, *changed: Service) -> World:
    by_key: dict[ServiceKey, Service] = {service.key: service for service in (*world.observed.services, *changed)}
    found = tuple(by_key[key] for key in sorted(by_key))
    return world._replace(observed=replace(world.observed, services=found))
