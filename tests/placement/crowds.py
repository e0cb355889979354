"""Many Services on few addresses that are announced, and what happens to them, by chance that can be repeated."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random

from reconciler.model.observed import Endpoint, ObservedState, Service
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, members, node, peer
from tests.placement.histories import Moment
from tests.placement.worlds import World

_NODES = ("ash", "elm", "fir")
_POOLS = (pool("p", "192.0.2.0/28"), pool("q", "192.0.2.16/28", "2001:db8::/124"))
_INGRESS = [*(f"192.0.2.{n}" for n in (1, 2, 3, 17, 18)), "192.0.2.19 2001:db8::1", "2001:db8::2", "198.51.100.1"]
_APPS = ("web", "db", "dns")
# Prefixes that many share, for reasons of their own: a local preference, communities, or for one peer only.
_ROUTES = (
    bgp("hosts", pools="p q", services="web db", length_v6=120),
    bgp("all", pools="p q", length=27, length_v6=64, local_pref=100, communities="65000:2"),
    bgp("some", pools="q", services="web", length=28, local_pref=200, communities="65000:1 large:1:2:3"),
    bgp("few", pools="p", nodes="ash elm", length=27, local_pref=100, communities="65000:1", peers="tor spine"),
)
_PEERS = (peer("leaf", "2001:db8:1::1"), peer("spine", dual=True), peer("tor"))


class Crowd:
    """Some forty Services in front of three nodes; `moment` is how it stands."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        found = [self._service(f"shop/s{n:02}") for n in range(40)]
        ends: dict[str, tuple[Endpoint, ...]] = {one.key: endpoints(self._hosts()) for one in found}
        ads = [
            l2("one", pools="p q", services="web", interfaces="eth0"),
            l2("two", pools="p q", services="db", interfaces="eth1 eth2"),
            *([l2("all", pools="p q", services="dns")] if chance.random() < 0.7 else []),
        ]
        self._tells = chance.random() < 0.6
        config = desired(*_POOLS, l2=ads, bgp=_ROUTES if self._tells else [], peers=_PEERS if self._tells else [])
        state = observed(*found, nodes=[node(name) for name in _NODES], endpoints=ends)
        self.moment = Moment(World(config, state, members(*_NODES)))

    def go_on(self) -> None:
        """Something happens; mostly to one Service."""
        deeds = [self._edit] * 6 + [self._delete] * 2 + [self._create] * 2 + [self._move] * 4 + [self._shrink]
        deeds += [self._meet] if self._tells else []
        self._chance.choice(deeds)()

    def _service(self, key: str) -> Service:
        ingress, app = self._chance.choice(_INGRESS), self._chance.choice(_APPS)
        return service(key, ingress=ingress, labels={"app": app}, local=self._chance.random() < 0.2)

    def _hosts(self) -> str:
        return " ".join(self._chance.sample(_NODES, self._chance.randint(1, 3)))

    def _edit(self) -> None:
        services = list(self.moment.world.state.services)
        place = self._chance.randrange(len(services))
        services[place] = self._service(services[place].key)
        self._put(services)

    def _delete(self) -> None:
        services = list(self.moment.world.state.services)
        del services[self._chance.randrange(len(services))]
        self._put(services)

    def _create(self) -> None:
        known = {one.key: one for one in self.moment.world.state.services}
        new = self._service(f"shop/s{self._chance.randrange(60):02}")
        self._put((known | {new.key: new}).values())

    def _put(self, services: Iterable[Service]) -> None:
        ends = dict(self.moment.world.state.endpoints)
        ordered = tuple(sorted(services, key=lambda one: one.key))
        for one in ordered:
            ends.setdefault(one.key, endpoints(self._hosts()))
        self._set(replace(self.moment.world.state, services=ordered, endpoints=ends))

    def _move(self) -> None:
        state = self.moment.world.state
        key = self._chance.choice(state.services).key
        hosts = self._hosts() if self._chance.random() < 0.8 else ""
        self._set(replace(state, endpoints={**state.endpoints, key: endpoints(hosts)}))

    def _set(self, state: ObservedState) -> None:
        self.moment = self.moment._replace(world=replace(self.moment.world, state=state))

    def _meet(self) -> None:
        """Peers come and go."""
        config = self.moment.world.config
        peers = tuple(self._chance.sample(_PEERS, self._chance.randint(0, 3)))
        world = replace(self.moment.world, config=replace(config, peers=peers))
        self.moment = self.moment._replace(world=world)

    def _shrink(self) -> None:
        """A pool is taken away, or all are there again."""
        world = self.moment.world
        pools = _POOLS[1:] if len(world.config.pools) == len(_POOLS) else _POOLS
        former = (world.config,) if len(pools) < len(_POOLS) else ()
        self.moment = Moment(replace(world, config=replace(world.config, pools=pools)), former)
