"""How a small world goes on: what people, the kubelet and the network do to it between two passes."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

from hypothesis import strategies as st
from msgspec.structs import replace as altered

from reconciler.model.desired import DesiredState
from reconciler.model.observed import Service, ServiceKey
from tests.builders import pool
from tests.placement.worlds import World, clusters, speakers, worlds


class Moment(NamedTuple):
    """A world, and the configurations that were in force before its own, the latest first."""

    world: World
    former: tuple[DesiredState, ...] = ()


Drawn = TypeVar("Drawn")


class Draw(Protocol):
    """Takes an example out of a strategy."""

    def __call__(self, strategy: st.SearchStrategy[Drawn], /) -> Drawn: ...


Deed = Callable[[Draw, Moment], Moment]


def moments() -> st.SearchStrategy[Moment]:
    """Moments to begin with; in some of them something was in force before."""
    return st.builds(
        lambda world, earlier, pools: Moment(world, tuple(replace(w.config, pools=pools) for w in earlier)),
        worlds(),
        st.lists(worlds(), max_size=2),
        _pools,
    )


def deeds() -> st.SearchStrategy[Deed]:
    """Something that happens to a moment, when it is told how to draw."""
    return st.sampled_from(_DEEDS)


# What a Service of no home may have had once, and what may be taken away from under it.
_pools = st.sampled_from(
    [
        (pool("p", "192.0.2.0/28", "2001:db8::/124"), pool("q", "192.0.2.16/28")),
        (pool("p", "192.0.2.0/28"), pool("q", "198.51.100.0/24")),
        (pool("q", "192.0.2.0/27", "2001:db8::/124"),),
        (),
    ]
)


def _nothing(_: Draw, moment: Moment) -> Moment:
    return moment


def _create(draw: Draw, moment: Moment) -> Moment:
    """A Service of another cluster appears, with its endpoints; an equal name is an edit."""
    other = draw(clusters())
    if not other.services:
        return moment
    found = draw(st.sampled_from(other.services))
    return _with(moment, found, ends={found.key: other.endpoints[found.key]})


def _delete(draw: Draw, moment: Moment) -> Moment:
    gone = {service.key for service in _some(draw, moment)}
    state = moment.world.state
    ends = {key: found for key, found in state.endpoints.items() if key not in gone or draw(st.booleans())}
    return _in(moment, services=tuple(service for service in state.services if service.key not in gone), endpoints=ends)


def _edit(draw: Draw, moment: Moment) -> Moment:
    """Some Services get a field of another."""
    others, edited = draw(clusters()).services, []
    for service in _some(draw, moment):
        if not others:
            return moment
        name = draw(st.sampled_from(_FIELDS))
        edited.append(altered(service, **{name: getattr(draw(st.sampled_from(others)), name)}))
    return _with(moment, *edited)


def _touch(draw: Draw, moment: Moment) -> Moment:
    return _with(moment, *(altered(service, resource_version="9") for service in _some(draw, moment)))


def _move_endpoints(draw: Draw, moment: Moment) -> Moment:
    others = list(draw(clusters()).endpoints.values()) or [()]
    return _with(moment, ends={s.key: draw(st.sampled_from(others)) for s in _some(draw, moment)})


def _lose_endpoints(draw: Draw, moment: Moment) -> Moment:
    gone = {service.key for service in _some(draw, moment)}
    return _in(moment, endpoints={k: found for k, found in moment.world.state.endpoints.items() if k not in gone})


def _relist(_: Draw, moment: Moment) -> Moment:
    """Everything is read again: equal, but no object is the same."""
    state = moment.world.state
    return _in(
        moment,
        services=tuple(altered(service) for service in state.services),
        endpoints={key: tuple(altered(end) for end in ends) for key, ends in state.endpoints.items()},
        nodes=tuple(altered(node) for node in state.nodes),
    )


def _mix(_: Draw, moment: Moment) -> Moment:
    return _in(moment, services=moment.world.state.services[::-1])


def _other_nodes(draw: Draw, moment: Moment) -> Moment:
    return _in(moment, nodes=draw(clusters()).nodes)


def _other_members(draw: Draw, moment: Moment) -> Moment:
    return moment._replace(world=replace(moment.world, alive=draw(speakers())))


def _new_revision(draw: Draw, moment: Moment) -> Moment:
    """The files change; what was in force is remembered, as is right, or forgotten."""
    config = replace(draw(worlds()).config, pools=draw(_pools))
    return Moment(replace(moment.world, config=config), draw(st.sampled_from([(moment.world.config,), ()])))


def _let_go(draw: Draw, moment: Moment) -> Moment:
    return moment._replace(former=moment.former[: draw(st.integers(0, 1))])


_FIELDS = ("type", "load_balancer_class", "labels", "external_traffic_policy", "announces_shared_ip", "ingress")

_DEEDS: tuple[Deed, ...] = (
    _nothing,
    *(_create,) * 4,
    *(_delete,) * 3,
    *(_edit,) * 5,
    _touch,
    *(_move_endpoints,) * 4,
    _lose_endpoints,
    _relist,
    _mix,
    _other_nodes,
    _other_members,
    *(_new_revision,) * 2,
    _let_go,
)


def _some(draw: Draw, moment: Moment) -> list[Service]:
    found = moment.world.state.services
    if not found:
        return []
    places = draw(st.lists(st.integers(0, len(found) - 1), min_size=1, max_size=2, unique=True))
    return [found[place] for place in places]


def _with(moment: Moment, *changed: Service, ends: dict[ServiceKey, object] | None = None) -> Moment:
    state = moment.world.state
    by_key = {service.key: service for service in (*state.services, *changed)}
    endpoints = {**state.endpoints, **(ends or {})}
    return _in(moment, services=tuple(by_key[key] for key in sorted(by_key)), endpoints=endpoints)


def _in(moment: Moment, **changes: object) -> Moment:
    state = replace(moment.world.state, **changes)  # type: ignore[arg-type]  # fields by name
    return moment._replace(world=replace(moment.world, state=state))
