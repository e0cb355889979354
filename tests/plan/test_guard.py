"""Which changes are held back, what approves them, and what goes on meanwhile."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from reconciler.allocation.allocate import allocate
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service
from reconciler.model.settings import GuardSettings, Settings
from reconciler.plan.guard import Settled, Silenced, Verdict, review, settle
from reconciler.plan.services import applied, plan_services, writes
from tests.allocation.counting import calls_made
from tests.builders import desired, observed, pool, service

OLD = "192.0.2.0/24"
NEW = "198.51.100.0/24"


def holders(count: int, *, first: int = 0, prefix: str = "192.0.2") -> list[Service]:
    return [service(f"shop/s{n:02}", ingress=f"{prefix}.{n}") for n in range(first, first + count)]


def guarded(state: DesiredState, *, percent: int = 30, minimum: int = 10, approved: str | None = None) -> DesiredState:
    return replace(state, settings=Settings(GuardSettings(percent, minimum, approved)))


def without(lost: int, *, of: int, new: str = NEW) -> tuple[DesiredState, ObservedState]:
    """So many holders, of which some have addresses that the configuration has dropped."""
    kept = pool("p", f"192.0.2.{lost}-192.0.2.255")
    return desired(kept, pool("q", new)), observed(*holders(of))


@pytest.mark.parametrize(
    ("lost", "total", "percent", "minimum", "held"),
    [
        pytest.param(0, 40, 30, 10, False, id="nothing changes"),
        pytest.param(12, 40, 30, 10, False, id="exactly the allowed share passes"),
        pytest.param(13, 40, 30, 10, True, id="one more is held"),
        pytest.param(3, 9, 30, 10, False, id="a third of nine passes, as nine are too few to count"),
        pytest.param(4, 10, 30, 10, True, id="ten are enough to count"),
        pytest.param(8, 9, 30, 10, False, id="all but one of nine pass"),
        pytest.param(9, 9, 30, 10, True, id="all of nine are held"),
        pytest.param(1, 1, 30, 10, True, id="the only one is held"),
        pytest.param(1, 40, 0, 10, True, id="nothing is allowed"),
        pytest.param(39, 40, 100, 10, False, id="anything is allowed"),
        pytest.param(40, 40, 100, 10, True, id="but never everything"),
        pytest.param(2, 3, 30, 1, True, id="the minimum can be lowered"),
        pytest.param(25, 40, 30, 41, False, id="and raised"),
    ],
)
def test_hold_what_costs_too_many_their_address(lost: int, total: int, percent: int, minimum: int, held: bool) -> None:
    state, snapshot = without(lost, of=total)
    verdict = settle(guarded(state, percent=percent, minimum=minimum), snapshot).verdict
    assert verdict.held is held
    assert len(verdict.affected) == lost
    assert (verdict.digest is None) is (lost == 0)
    assert (verdict.reason is None) is (not held)


def test_a_known_proposal_is_not_made_again() -> None:
    state, snapshot = without(20, of=40)
    proposed = allocate(state, snapshot)
    settled = settle(state, snapshot, proposed=proposed)
    assert settled.proposed is proposed
    assert settled == settle(state, snapshot)


def test_where_nothing_is_lost_nobody_is_looked_at() -> None:
    def calls(count: int) -> int:
        state, snapshot = without(0, of=count)
        proposed = allocate(state, snapshot)
        return calls_made(lambda: settle(state, snapshot, proposed=proposed))

    assert calls(40) == calls(4)


def test_what_is_held_back_is_not_to_be_written_at_all() -> None:
    state, snapshot = without(20, of=40)
    settled = settle(state, snapshot)
    assert settled.effective.pinned == settled.verdict.affected
    assert len(settled.effective.pinned) == 20
    assert settled.proposed.pinned == frozenset()


def test_the_reason_tells_numbers_and_what_approves_the_plan() -> None:
    state, snapshot = without(13, of=40)
    verdict = settle(state, snapshot).verdict
    assert verdict.reason == (
        "would change, clear or stop announcing the addresses of 13 of 40 Services that hold one (32.5%): more than "
        f"the allowed 30%; to approve, set spec.guard.approvedPlan of ReconcilerSettings to {verdict.digest}"
    )


def test_a_share_just_above_the_limit_is_not_rounded_down_to_it() -> None:
    state, snapshot = without(61, of=203)
    assert "61 of 203 Services that hold one (30.1%)" in (settle(state, snapshot).verdict.reason or "")


def test_everything_is_held_whatever_is_allowed() -> None:
    state, snapshot = without(3, of=3)
    reason = settle(guarded(state, percent=100), snapshot).verdict.reason or ""
    assert reason.startswith(
        "would change, clear or stop announcing the addresses of all 3 Services that hold one: that is always held"
    )


def test_the_digest_in_the_configuration_lets_the_plan_through() -> None:
    state, snapshot = without(13, of=40)
    shown = settle(state, snapshot)
    approved = settle(guarded(state, approved=shown.verdict.digest), snapshot)
    assert (approved.verdict.held, approved.verdict.approved) == (False, True)
    assert approved.effective == shown.proposed


@pytest.mark.parametrize(
    "approved",
    [
        pytest.param("sha256:" + "0" * 64, id="another digest"),
        pytest.param("", id="no digest"),
    ],
)
def test_any_other_digest_approves_nothing(approved: str) -> None:
    state, snapshot = without(13, of=40)
    assert settle(guarded(state, approved=approved), snapshot).verdict.held


def test_one_loss_more_needs_another_approval() -> None:
    state, snapshot = without(13, of=40)
    shown = settle(state, snapshot).verdict.digest
    larger, _ = without(14, of=40)
    assert settle(guarded(larger, approved=shown), snapshot).verdict.held


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([service("a/pending")], id="a pending Service"),
        pytest.param([service("a/holder", ingress="192.0.2.200")], id="another holder"),
        pytest.param([service("a/edited", ingress="192.0.2.200", requested_ips="192.0.2.201")], id="an own edit"),
        pytest.param([service("a/foreign", ingress="203.0.113.1", load_balancer_class="x")], id="another class"),
    ],
)
def test_the_digest_stands_whoever_appears(other: list[Service]) -> None:
    state, snapshot = without(13, of=40)
    more = observed(*snapshot.services, *other)
    assert settle(state, more).verdict.digest == settle(state, snapshot).verdict.digest


def test_the_digest_does_not_depend_on_order() -> None:
    state, snapshot = without(13, of=40)
    backwards = ObservedState(tuple(reversed(snapshot.services)))
    assert settle(state, backwards).verdict == settle(state, snapshot).verdict


@pytest.mark.parametrize(
    "edited",
    [
        pytest.param({"requested_ips": "192.0.2.{}"}, id="another address"),
        pytest.param({"requested_pool": "q"}, id="another pool"),
        pytest.param({"families": "6"}, id="another family"),
        pytest.param({"type": "ClusterIP"}, id="another type"),
        pytest.param({"load_balancer_class": "x"}, id="another class"),
    ],
)
def test_what_services_ask_for_themselves_is_never_held(edited: dict[str, str]) -> None:
    state = desired(pool("p", OLD, "2001:db8::/64"), pool("q", NEW))
    snapshot = observed(
        *(
            service(
                f"shop/s{n:02}",
                ingress=f"192.0.2.{n}",
                families=edited.get("families", "4"),
                type=edited.get("type", "LoadBalancer"),
                requested_ips=edited.get("requested_ips", "").format(n + 100) or None,
                requested_pool=edited.get("requested_pool", ""),
                load_balancer_class=edited.get("load_balancer_class"),
            )
            for n in range(40)
        )
    )
    settled = settle(state, snapshot)
    assert settled.verdict == Verdict()
    assert settled.effective is settled.proposed


def silent(services: Iterable[Service]) -> Silenced:
    return frozenset((service.key, address) for service in services for address in service.ingress)


def test_silence_counts_like_a_loss() -> None:
    state, snapshot = without(5, of=40)
    verdict = review(allocate(state, snapshot), snapshot, GuardSettings(), silenced=silent(snapshot.services[30:38]))
    assert (verdict.held, len(verdict.affected)) == (True, 13)
    assert verdict.digest != settle(state, snapshot).verdict.digest


def test_who_loses_its_address_anyway_is_not_counted_twice() -> None:
    state, snapshot = without(5, of=40)
    silenced = silent(snapshot.services[:1])
    assert settle(state, snapshot, silenced=silenced).verdict == settle(state, snapshot).verdict


def test_one_silent_address_of_two_counts() -> None:
    state = desired(pool("p", "192.0.2.0/28", "2001:db8::/124"))
    snapshot = observed(service("shop/a", families="46", policy="require", ingress="192.0.2.1 2001:db8::1"))
    (given,) = snapshot.services
    one = settle(state, snapshot, silenced=frozenset({(given.key, given.ingress[1])})).verdict
    both = settle(state, snapshot, silenced=silent([given])).verdict
    assert one.held
    assert both.held
    assert one.digest != both.digest


def test_a_held_revision_does_not_pass_because_others_were_served_meanwhile() -> None:
    state = desired(pool("p", "198.51.100.0/28"))
    snapshot = observed(*holders(3), service("a/pending"))
    first = settle(state, snapshot)
    later = applied(snapshot, plan_services(first.effective, snapshot, state))
    assert settle(state, later).verdict.held is False  # three of four, below the minimum: it needs a memory
    assert settle(state, later, held_before=True).verdict.held
    approved = replace(state, settings=Settings(GuardSettings(approved_plan=first.verdict.digest)))
    assert settle(approved, later, held_before=True).verdict.held is False


def test_a_revision_that_costs_nobody_anything_is_not_held_for_its_past() -> None:
    state, snapshot = without(0, of=40)
    assert settle(state, snapshot, held_before=True).verdict == Verdict()


def test_where_only_the_files_changed_a_move_on_request_counts_too() -> None:
    state = desired(pool("p", "192.0.2.0/24"), pool("q", "198.51.100.0/24"))
    snapshot = observed(*(service(f"shop/s{n}", ingress=f"192.0.2.{n}", requested_pool="q") for n in range(12)))
    allocation = allocate(state, snapshot)
    assert not review(allocation, snapshot, GuardSettings()).affected
    assert review(allocation, snapshot, GuardSettings(), only_files_changed=True).held


def test_a_held_status_with_a_host_name_is_left_alone() -> None:
    state = desired(pool("p", "10.0.1.252/32"))
    snapshot = observed(service("shop/a", ingress="10.0.1.128", hostnames=["lb.example"], foreign=True))
    settled = settle(state, snapshot)
    assert settled.verdict.held
    assert list(writes(plan_services(settled.effective, snapshot, state))) == []


def test_a_status_that_is_not_ours_does_not_dilute_the_share() -> None:
    state = desired(pool("p", "198.51.100.0/32"))
    foreign = [service(f"lab/f{n}", ingress=f"203.0.113.{n}", foreign=True) for n in range(100)]
    full = service("a/first", ingress="198.51.100.0")
    moved = service("shop/web", ingress="192.0.2.1")
    verdict = settle(guarded(state, minimum=2), observed(*foreign, full, moved)).verdict
    assert verdict.affected == {"shop/web"}
    assert "1 of 2 Services" in (verdict.reason or "")


def addresses_after(settled: Settled) -> dict[str, str]:
    return {a.service: " ".join(map(str, a.addresses)) for a in settled.effective.assignments}


def test_held_services_keep_what_they_have() -> None:
    state, snapshot = without(13, of=40)
    settled = settle(state, snapshot)
    assert addresses_after(settled) == {s.key: str(s.ingress[0]) for s in snapshot.services}
    assert list(writes(plan_services(settled.effective, snapshot, state))) == []


def test_held_services_are_not_even_relabelled() -> None:
    state = desired(pool("renamed", "192.0.2.0/24", scope=None), pool("q", NEW))
    snapshot = observed(*(service(f"shop/s{n}", ingress=f"192.0.2.{n}", requested_pool="p") for n in range(12)))
    settled = settle(state, snapshot, silenced=silent(snapshot.services))
    assert settled.verdict.held
    assert list(writes(plan_services(settled.effective, snapshot, state))) == []


def test_a_pending_service_is_served_around_what_the_held_plan_needs() -> None:
    state, snapshot = without(13, of=40)
    settled = settle(state, observed(*snapshot.services, service("a/pending")))
    planned = {str(a.addresses[0]) for a in settled.proposed.assignments if a.service in settled.verdict.affected}
    # In the proposal it has an address that the held Services would have vacated only in part: it gets a free one.
    got = addresses_after(settled)["a/pending"]
    assert got not in planned
    assert got not in {str(s.ingress[0]) for s in snapshot.services}


def test_a_pending_service_waits_where_only_a_held_address_is_free() -> None:
    snapshot = observed(*holders(2), service("a/pending"))
    state = desired(pool("q", "198.51.100.0/31"))
    settled = settle(state, snapshot)
    assert "a/pending" not in addresses_after(settled)
    (refusal,) = settled.effective.refusals
    assert refusal.service == "a/pending"


def test_who_asks_for_a_reserved_address_is_told_why_not() -> None:
    snapshot = observed(*holders(2), service("a/pending", requested_ips="198.51.100.0"))
    settled = settle(desired(pool("q", "198.51.100.0/30")), snapshot)
    (refusal,) = settled.effective.refusals
    assert "shop/s00 (once the held change is approved)" in refusal.message


def test_a_service_that_edits_itself_meanwhile_gets_what_it_asks_for() -> None:
    edited = service("a/edited", ingress="192.0.2.200", requested_ips="192.0.2.201")
    state, snapshot = without(13, of=40)
    settled = settle(state, observed(*snapshot.services, edited))
    assert settled.verdict.held
    assert addresses_after(settled)["a/edited"] == "192.0.2.201"


def test_a_holder_is_not_driven_out_for_a_plan_that_is_held() -> None:
    # The held Service would get .1, which its holder wants to leave, but only for an address that is held as well.
    state = desired(pool("p", "198.51.100.1/32", "192.0.2.0/32", scope=None))
    leaving = service("a/leaving", ingress="198.51.100.1", requested_ips="192.0.2.0")
    held = service("b/held", ingress="192.0.2.0", requested_ips="203.0.113.1")
    settled = settle(state, observed(leaving, held), silenced=silent([held, leaving]))
    assert addresses_after(settled)["a/leaving"] == "198.51.100.1"


def test_two_on_one_address_both_stay_while_one_of_them_is_held() -> None:
    # They shared it until one dropped its key; then the files took its second address.
    state = guarded(desired(pool("a", "192.0.2.0/32")), percent=0, minimum=1)
    sharing = service("shop/a", ingress="192.0.2.0", sharing_key="key", ports="TCP/443", allocated_pool="a")
    edited = service("shop/b", families="46", policy="require", ingress="192.0.2.0 2001:db8::", allocated_pool="a")
    settled = settle(state, observed(sharing, edited))
    assert settled.verdict.affected == {"shop/b"}
    assert addresses_after(settled) == {"shop/a": "192.0.2.0", "shop/b": "192.0.2.0 2001:db8::"}
