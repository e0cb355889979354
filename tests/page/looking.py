"""How a test finds its way on the page, and facts that no cluster has: very many, and hostile ones."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it has no types
from playwright.sync_api import Locator, Page, expect

HOSTILE = "<img src=x onerror=\"document.title='hacked'\">\u202e\u0007</script><script>document.title='hacked'</script>"
_MANY = 10_000


def table(tab: Page, section: str) -> Locator:
    return tab.locator(f"#{section}-table")


def row(tab: Page, section: str, name: str) -> Locator:
    heading = tab.get_by_role("rowheader", name=name, exact=True)
    return table(tab, section).get_by_role("row").filter(has=heading)


def opened(tab: Page) -> Page:
    """With the facts on it."""
    tab.goto("/")
    expect(tab.locator("#connection")).to_contain_text("live")
    return tab


def walk_to(tab: Page, goal: Locator) -> None:
    """By the tabulator, from where the focus is."""
    for _ in range(100):
        tab.keyboard.press("Tab")
        if goal.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{goal} is not reached by keyboard")


def violations(tab: Page) -> list[str]:
    """What axe-core has to say against the page."""
    found = Axe().run(tab, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found]


def poisoned(found: dict[str, Any]) -> Iterator[Callable[[], None]]:
    """Every text that comes from outside, replaced one after another."""
    line = {"path": HOSTILE, "line": 1, "column": 1}
    controller, first = found["controller"], found["nodes"][0]
    problem = {**line, "severity": "error", "code": HOSTILE, "message": HOSTILE, "related": [{**line, "note": HOSTILE}]}
    yield lambda: controller.update(identity=HOSTILE, revision=HOSTILE, problems=[problem], stateDirProblem=HOSTILE)
    yield lambda: controller["newest"].update(message=HOSTILE, verdict=HOSTILE)
    yield lambda: controller["lastPass"].update(reasons=[HOSTILE], error=HOSTILE)
    yield lambda: controller["cluster"].update(awaySince=HOSTILE, error=HOSTILE)
    yield lambda: controller["guard"].update(held=True, reason=HOSTILE, digest=HOSTILE)
    yield lambda: controller["pools"][0].update(pool=HOSTILE)
    yield lambda: controller["services"][0].update(service=HOSTILE, addresses=[HOSTILE], pool=HOSTILE, message=HOSTILE)
    yield lambda: first.update(
        node=HOSTILE, state=HOSTILE, troubles=[HOSTILE], links=[{"name": HOSTILE, "used": False}]
    )
    yield lambda: first["sessions"][0].update(peer=HOSTILE, remote=HOSTILE, vrf=HOSTILE, bfd=HOSTILE, problem=HOSTILE)
    held = {"service": HOSTILE, "before": [HOSTILE], "after": [], "silenced": True, "message": HOSTILE, "cause": line}
    yield lambda: found.update(heldPlan=[held], notes=[HOSTILE])


def multiplied(found: dict[str, Any]) -> None:
    """Ten thousand Services instead of the few."""
    some = found["controller"]["services"][1]
    many = [
        {**some, "service": f"crowd/crowd-{number}", "addresses": [f"10.0.{number // 256}.{number % 256}"]}
        for number in range(_MANY)
    ]
    found["controller"]["services"] = many
    announcer = {"l2": "worker-1", "bgp": None, "reason": None, "message": None}
    found["announcers"] = [{**announcer, "service": service["service"]} for service in many]
