"""A pass of which one half fails: the other one is done all the same."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconciler.loop.speaker import Speaker
from reconciler.model.announcements import Active, L2Announcement
from reconciler.model.observed import NodeName, ObservedState
from reconciler.plan.actions import Announce
from tests.builders import desired, observed, pool, service
from tests.placement.builders import endpoints, l2, members, nodes


class Half:
    """The announcer of one protocol; it takes down what it is asked for, and fails if it is to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.announced: list[Any] = []
        self._fails = fails

    def active(self) -> Active:
        return Active()

    def settings_changed(self, _: object) -> None:
        pass

    def desired_changed(self, *_: object) -> None:
        pass

    def apply_all(self, _: object, **__: object) -> None:
        if self._fails:
            raise ZeroDivisionError

    async def apply(self, action: Announce) -> None:
        self.announced.append(action.announcement)


async def _nothing(*_: object, **__: object) -> None:
    pass


def _speaker(world: ObservedState, *, link: Half, routers: Half) -> Speaker:
    wanted = desired(pool("p", "192.0.2.0/24"), l2=[l2()])
    adoption = SimpleNamespace(
        settle=_nothing, former=(), in_use="r", loaded="r", is_in_step=lambda: True, keep_former=lambda _: None
    )
    group = SimpleNamespace(tell=_nothing, join=_nothing, be_ready=_nothing, members=lambda: members("n1"), away=())

    async def observe() -> ObservedState:
        return world

    parts: dict[str, Any] = {
        "cluster": SimpleNamespace(observe=observe),
        "configuration": SimpleNamespace(
            in_force=wanted, newest=SimpleNamespace(why_refused=None, revision="other"), look=_nothing
        ),
        "adoption": adoption,
        "group": group,
        "links": SimpleNamespace(settings_changed=_nothing),
        "announcer": link,
        "bgp": routers,
        "on_told": lambda _: None,
        "handing_over": SimpleNamespace(under_way={}, keep=_nothing, begin=_nothing, answer=_nothing),
        "hearing": SimpleNamespace(look=lambda: None, announce_again=lambda: None),
        "occupied": frozenset(),
        "notices": SimpleNamespace(applied=_nothing, refused=_nothing),
    }
    return Speaker(node=NodeName("n1"), **cast(Any, parts))


async def test_a_defect_toward_routers_costs_no_address_on_our_links() -> None:
    web = service("shop/web", ingress="192.0.2.1")
    world = observed(web, nodes=nodes("n1"), endpoints={"shop/web": endpoints("n1")})
    link = Half()
    with pytest.raises(ZeroDivisionError):
        await _speaker(world, link=link, routers=Half(fails=True)).make_pass(look_at_files=False)
    assert [type(one) for one in link.announced] == [L2Announcement]
