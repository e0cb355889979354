"""The page of a controller in a real browser, on a real controller."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Request, expect

from reconciler.telemetry.speaker_status import MemberRow, MemberState
from tests.controlplane.api import wait_until
from tests.page.looking import HOSTILE, multiplied, opened, poisoned, row, table, violations, walk_to
from tests.page.stage import POOLS, Stage, well

MORE = """\
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: more}
spec: {addresses: [203.0.113.0/30]}
"""

pytestmark = pytest.mark.usefixtures("scene")


# What is shown


def test_pools_with_their_fill(seen: Page) -> None:
    expect(row(seen, "pools", "gold").get_by_role("cell")).to_have_text(["3 of 1619%", "0 of 1.8 \u00d7 10¹⁹0%", "3"])
    expect(row(seen, "pools", "spare").get_by_role("cell")).to_have_text(["1 of 250%", "none", "1"])


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        pytest.param(
            "shop/web", ["192.0.2.2", "gold", "worker-1 ARP, NDP", "announced"], id="only its endpoint's node may"
        ),
        pytest.param(
            "billing/gateway", ["198.51.100.0", "spare", "worker-1, worker-2 BGP", "announced"], id="by several nodes"
        ),
        pytest.param(
            "shop/lost",
            ["none", "none", "none", 'waitingunknown-pool unknown pool "silver": there are "gold", "spare"'],
            id="one that waits, and why",
        ),
        pytest.param(
            "shop/down",
            [
                "192.0.2.1",
                "gold",
                "none",
                "not announcednoEndpoints the Service has no endpoint; its selector must match a pod that is ready",
            ],
            id="one that nobody announces, and why",
        ),
    ],
)
def test_a_service_with_address_owner_and_reason(seen: Page, name: str, cells: list[str]) -> None:
    expect(row(seen, "services", name).get_by_role("cell")).to_have_text(cells)


def test_nodes_and_sessions(seen: Page, stage: Stage) -> None:
    short = stage.revision().removeprefix("sha256:")[:12]
    cells = ["ready", short, "1 address", "1 of 2", "eth0eth1 no carrier", "eth1: no carrier"]
    expect(row(seen, "nodes", "worker-2").get_by_role("cell")).to_have_text(cells)
    expect(row(seen, "nodes", "worker-3").get_by_role("cell").first).to_have_text("no speaker")
    down = table(seen, "sessions").get_by_role("row").filter(has_text="tor-b")
    expect(down).to_contain_text("idle")
    expect(down).to_contain_text("tor-b refuses the connection")


def test_the_configuration_and_figures_at_a_glance(seen: Page, stage: Stage) -> None:
    expect(seen.locator("#identity")).to_contain_text("Controller controller-0: leads")
    expect(seen.locator("#configuration-facts")).to_contain_text(f"In force{stage.revision()} digest")
    figures = seen.locator("#glance > div")
    expect(figures).to_have_text(
        [
            "Newest filespassed",
            "Services with an address4 of 5",
            "Services waiting1",
            "Speakers ready2 of 3",
            "BGP sessions2 of 3",
        ]
    )
    expect(seen).to_have_title("1 waiting \u2013 LB Reconciler")


def test_a_held_plan_is_a_table_with_the_digest_that_approves_it(
    tab: Page, stage: Stage, pools: Callable[[str], None]
) -> None:
    pools(POOLS.replace("192.0.2.0/28", "203.0.113.0/28"))
    wait_until(lambda: stage.controller.status()["guard"]["held"], "the plan is held")
    digest = stage.controller.status()["guard"]["digest"]
    opened(tab)
    expect(tab).to_have_title("held \u2013 LB Reconciler")
    expect(row(tab, "held", "shop/web").get_by_role("cell")).to_have_text(
        [
            "192.0.2.2",
            "203.0.113.2",
            '["192.0.2.2"] is not allowed in config: no pool contains 192.0.2.2',
            "pools.yaml:3:18",
        ]
    )
    expect(tab.locator("#held-approval .line")).to_have_text(["spec:", "  guard:", f"    approvedPlan: {digest}"])
    # What is held is not in force: the addresses are announced as before.
    expect(row(tab, "services", "shop/web")).to_contain_text("worker-1 ARP, NDP")
    tab.get_by_role("link", name="what it would do").click()
    expect(tab.get_by_role("heading", name="Held plan")).to_be_in_viewport()
    assert violations(tab) == []


def test_problems_of_a_refused_revision_are_shown_with_file_and_line(
    tab: Page, stage: Stage, pools: Callable[[str], None]
) -> None:
    pools(POOLS.replace("198.51.100.0/31", "192.0.2.8/31"))
    wait_until(lambda: stage.controller.status()["newest"]["verdict"] == "refused", "the files are refused")
    opened(tab)
    expect(tab.get_by_role("link", name="1 problem")).to_be_visible()
    problem = row(tab, "problems", "pools.yaml:9:20")
    expect(problem.get_by_role("cell")).to_contain_text(["error", "pool-overlap", "pools.yaml:4:20"])
    assert violations(tab) == []


def test_a_replica_that_waits_shows_what_the_leader_has_published(tab: Page, view: Callable[..., None]) -> None:
    def follow(found: dict[str, Any]) -> None:
        mine = found["controller"]
        found["leader"] = {**mine, "identity": "controller-1", "revision": "3f2a" * 10, "services": None}
        mine.update(leading=False, leader="controller-1", pools=[], services=None, revision=None)
        found["announcers"] = None

    view(follow)
    opened(tab)
    expect(tab.locator("#notices")).to_contain_text("This replica does not lead")
    expect(tab.locator("#configuration-facts")).to_contain_text(f"In force{'3f2a' * 10} git commit")
    expect(row(tab, "pools", "gold")).to_be_visible()
    expect(table(tab, "services")).to_contain_text("There is no such Service.")


def test_what_a_missing_speaker_has_published_is_not_taken_for_the_present(tab: Page, stage: Stage) -> None:
    revision = stage.revision()
    gone = (MemberRow(node="worker-2", state=MemberState.ABSENT),)
    stage.publish(well("worker-1", revision, members=gone))
    try:
        opened(tab)
        expect(row(tab, "nodes", "worker-2").get_by_role("cell").first).to_have_text("missing")
        expect(row(tab, "services", "billing/gateway")).to_contain_text("worker-1 BGP")
        expect(table(tab, "sessions")).to_contain_text("established, as last published")
    finally:
        stage.publish(well("worker-1", revision))


def test_where_the_speakers_cannot_be_asked_it_says_so_and_claims_nothing(tab: Page, stage: Stage) -> None:
    with stage.unreadable_status():
        opened(tab)
        expect(tab.locator("#notices")).to_contain_text("what the speakers have published cannot be read")
        expect(row(tab, "services", "shop/api").get_by_role("cell").last).to_have_text("assigned")


# How it lives


def test_a_change_is_shown_without_a_reload_and_disturbs_nobody(
    tab: Page, stage: Stage, pools: Callable[[str], None]
) -> None:
    opened(tab)
    field = tab.get_by_role("searchbox", name="Filter")
    field.fill("shop api")
    expect(table(tab, "services").get_by_role("rowheader")).to_have_text(["shop/api"])
    tab.evaluate("document.kept = document.querySelector('#services-table tbody tr')")
    tab.evaluate("getSelection().selectAllChildren(document.kept.cells[0])")
    field.focus()
    pools(POOLS + MORE)
    expect(row(tab, "pools", "more").get_by_role("cell").first).to_have_text("0 of 40%")
    expect(tab.locator("#configuration-facts")).to_contain_text(stage.revision())
    expect(field).to_be_focused()
    expect(field).to_have_value("shop api")
    assert tab.evaluate("document.kept === document.querySelector('#services-table tbody tr')")
    expect(tab.get_by_role("status")).to_have_text("The newest files are passed.")


def test_a_lost_connection_is_said_with_the_age_of_the_facts(tab: Page) -> None:
    tab.clock.install()
    opened(tab)
    tab.context.set_offline(True)
    tab.clock.run_for(5000)
    expect(tab.get_by_role("status")).to_have_text("The connection to the controller is lost.")
    tab.clock.run_for(90_000)
    said = re.compile(r"no connection for \d+ (s|min) it does not answer, facts are \d+ (s|min) old")
    expect(tab.locator("#connection")).to_have_text(said)
    expect(row(tab, "pools", "gold")).to_be_visible()
    assert violations(tab) == []
    tab.context.set_offline(False)
    expect(tab.get_by_role("status")).to_have_text("The controller answers again.")
    tab.clock.run_for(1000)
    expect(tab.locator("#connection")).to_contain_text("live")


def test_an_error_of_the_controller_is_a_lost_connection_too(tab: Page) -> None:
    tab.route("**/view", lambda route: route.fulfill(status=500, body="internal error"))
    tab.goto("/")
    expect(tab.locator("#connection")).to_contain_text("the controller answers 500, nothing was read yet")


def test_nothing_is_asked_while_the_tab_is_hidden(tab: Page) -> None:
    tab.add_init_script("Object.defineProperty(document, 'hidden', {get: () => document.isAway ?? false})")
    tab.clock.install()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    opened(tab)
    tab.evaluate("document.isAway = true; document.dispatchEvent(new Event('visibilitychange'))")
    # The facts, that is: a browser may ask for the icon when it likes.
    before = _views(asked)
    tab.clock.run_for(60_000)
    expect(tab.locator("#connection")).to_contain_text("paused")
    assert _views(asked) == before > 0
    with tab.expect_request("**/view"):
        tab.evaluate("document.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")


def _views(urls: list[str]) -> int:
    return sum(url.endswith("/view") for url in urls)


def test_facts_that_have_not_changed_are_not_sent_again(tab: Page) -> None:
    tab.clock.install()
    opened(tab)
    # After a pass of the controller, which is a new fact, the one after that.
    with tab.expect_response(lambda answer: answer.url.endswith("/view") and answer.status == 304):
        tab.clock.run_for(3000)


def test_nothing_is_fetched_from_elsewhere_and_nothing_is_written(
    seen: Page, asked: list[Request], stage: Stage
) -> None:
    expect(row(seen, "pools", "gold")).to_be_visible()
    assert {request.method for request in asked} == {"GET"}
    assert [request.url for request in asked if not request.url.startswith(stage.url)] == []
    assert len(asked) > 5


# For everybody


def test_a_path_by_keyboard(tab: Page, view: Callable[..., None]) -> None:
    view(multiplied)
    opened(tab)
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the facts")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("main")).to_be_focused()
    walk_to(tab, tab.get_by_role("searchbox", name="Filter"))
    tab.keyboard.type("crowd-99")
    expect(tab.get_by_role("status")).to_have_text("111 of 10000 Services")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("combobox", name="State")).to_be_focused()
    tab.keyboard.press("Tab")
    services = table(tab, "services")
    expect(services.get_by_role("button", name="Service")).to_be_focused()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Enter")
    expect(services.get_by_role("columnheader", name="Service")).to_have_attribute("aria-sort", "descending")
    expect(services.get_by_role("rowheader").first).to_have_text("crowd/crowd-9999")
    later = services.get_by_role("button", name="Next")
    walk_to(tab, later)
    tab.keyboard.press("Enter")
    expect(services.get_by_role("rowheader")).to_have_count(11)
    expect(later).to_be_focused()
    expect(later).to_have_attribute("aria-disabled", "true")


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1280, "light")])
def test_accessibility(seen: Page, scheme: Any, width: int) -> None:
    seen.emulate_media(color_scheme=scheme)
    seen.set_viewport_size({"width": width, "height": 900})
    assert violations(seen) == []
    for landmark in (
        seen.get_by_role("banner"),
        seen.get_by_role("navigation"),
        seen.get_by_role("main"),
        seen.get_by_role("contentinfo"),
    ):
        expect(landmark).to_have_count(1)
    assert seen.get_by_role("heading", level=1).count() == 1


def test_light_and_dark(seen: Page) -> None:
    lightness = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    seen.emulate_media(color_scheme="light")
    assert seen.evaluate(lightness) > 200
    seen.emulate_media(color_scheme="dark")
    assert seen.evaluate(lightness) < 50


def test_nothing_sticks_out(tab: Page, view: Callable[..., None]) -> None:
    def stretch(found: dict[str, Any]) -> None:
        found["controller"]["services"][1].update(service=f"{'n' * 63}/{'s' * 63}", addresses=["2001:db8:" * 7 + "8"])
        found["nodes"][1]["node"] = "worker." * 36
        found["controller"]["problems"] = [
            {
                "path": "pools/" * 40,
                "line": 1,
                "column": 1,
                "severity": "error",
                "code": "x",
                "message": "y",
                "related": [],
            }
        ]

    view(stretch)
    opened(tab)
    for width in (320, 640, 992, 996, 2560):
        tab.set_viewport_size({"width": width, "height": 900})
        expect(tab.locator("html")).to_have_js_property("scrollWidth", width)


# What others have written


def test_a_text_of_somebody_else_is_nothing_but_a_text(tab: Page, view: Callable[..., None]) -> None:
    def inject(found: dict[str, Any]) -> None:
        for place in poisoned(found):
            place()

    view(inject)
    opened(tab)
    expect(row(tab, "nodes", HOSTILE.replace("\u202e\u0007", r"\u202e\u0007"))).to_be_visible()
    assert tab.locator("main img, main script").count() == 0
    assert "hacked" not in tab.title().replace(HOSTILE, "")
    # Each of them reaches the page: none is left out of this test by mistake.
    texts = tab.locator("body").inner_text()
    assert texts.count("onerror") >= 12, texts
    assert "\u202e" not in texts


def test_not_even_a_mistake_of_ours_could_make_it_more_than_a_text(seen: Page) -> None:
    # Another tab, which may complain of this in its console.
    page = seen.context.new_page()
    page.goto("/")
    with pytest.raises(Error, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>no</b>'")
    page.close()


# Very many


def test_ten_thousand_services_are_a_page_at_a_time(tab: Page, view: Callable[..., None]) -> None:
    view(multiplied)
    opened(tab)
    services = table(tab, "services")
    expect(services.get_by_role("rowheader")).to_have_count(100)
    expect(services.locator(".range")).to_have_text("1 to 100 of 10,000")
    assert tab.evaluate("document.querySelectorAll('*').length") < 3000
    services.get_by_role("button", name="Addresses").click()
    services.get_by_role("button", name="Addresses").click()
    expect(services.get_by_role("rowheader").first).to_have_text("crowd/crowd-9999")
    tab.get_by_role("searchbox", name="Filter").fill("10.0.38.7")
    expect(services.get_by_role("rowheader")).to_have_text(
        [f"crowd/crowd-{38 * 256 + number}" for number in (79, 78, 77, 76, 75, 74, 73, 72, 71, 70, 7)]
    )
    tab.get_by_role("combobox", name="State").select_option("waiting")
    expect(services.get_by_text("There is no such Service.")).to_be_visible()
    assert tab.evaluate("document.querySelectorAll('*').length") < 3000
