"""What holds for every held plan, whatever the files took away and whatever happens in the cluster meanwhile."""

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.allocation.allocate import allocate
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service
from reconciler.model.settings import GuardSettings, Settings
from reconciler.plan.guard import settle
from reconciler.plan.services import applied, plan_services, writes
from tests.builders import desired, observed, pool, service

_LAW = settings(max_examples=150, deadline=None)

# Nothing is allowed and one is enough: whatever the files cost anybody is held.
_STRICT = Settings(GuardSettings(max_changed_percent=0, minimum_services=1))
_OLD = desired(pool("a", "192.0.2.0/28", "2001:db8::/124"))


@st.composite
def services(draw: st.DrawFn, namespace: str, *dual_policies: str) -> list[Service]:
    """Services that fit into the old pool, most of them anywhere, some with a request; many ready to share."""
    found = []
    for n in range(draw(st.integers(0, 7))):
        families = draw(st.sampled_from(["4", "4", "6", "46"]))
        found.append(
            service(
                f"{namespace}/s{n}",
                families=families,
                policy=draw(st.sampled_from(dual_policies)) if families == "46" else "single",
                requested_ips=draw(st.sampled_from([None, None, None, "192.0.2.7", "198.51.100.1"])),
                requested_pool=draw(st.sampled_from(["", "", "", "a", "b"])),
                sharing_key=draw(st.sampled_from(["", "key"])),
                ports=f"TCP/{draw(st.integers(80, 82))}",
                created=draw(st.integers(0, 3)),
            )
        )
    return found


@st.composite
def shrunk(draw: st.DrawFn) -> DesiredState:
    """The old pool without some of its addresses, and perhaps a pool beside it that is none too large."""
    first, last = sorted((draw(st.integers(0, 15)), draw(st.integers(0, 15))))
    kept_v6 = draw(st.sampled_from([[], ["2001:db8::4/126"], ["2001:db8::/124"]]))
    pools = [pool(draw(st.sampled_from(["a", "c"])), f"192.0.2.{first}-192.0.2.{last}", *kept_v6)]
    if draw(st.booleans()):
        new_v6 = draw(st.sampled_from([[], ["2001:db8::100/126"]]))
        pools.append(pool("b", f"198.51.100.0-198.51.100.{draw(st.integers(0, 5))}", *new_v6))
    return replace(desired(*pools), settings=_STRICT)


@st.composite
def holders(draw: st.DrawFn, *, are_edited: bool) -> ObservedState:
    """Services as the old pool served them; with `are_edited` every second one may ask for something else since."""
    pending = observed(*draw(services("shop", "prefer", "require")))
    served = applied(pending, plan_services(allocate(_OLD, pending), pending, _OLD))
    edited = draw(services("shop", "prefer", "require")) if are_edited else []
    edits = {edit.key: edit for edit in edited[1::2]}
    return observed(
        *(
            structs.replace(edits.get(held.key, held), ingress=held.ingress, allocated_pool=held.allocated_pool)
            for held in served.services
        )
    )


@_LAW
@given(shrunk(), holders(are_edited=True))
def test_while_a_plan_is_held_nobody_affected_is_written(state: DesiredState, snapshot: ObservedState) -> None:
    settled = settle(state, snapshot)
    assume(settled.verdict.held)
    written = {write.service for write in writes(plan_services(settled.effective, snapshot, state))}
    assert written.isdisjoint(settled.verdict.affected)


@_LAW
@given(shrunk(), holders(are_edited=True))
def test_nobody_else_loses_an_address_because_a_plan_is_held(state: DesiredState, snapshot: ObservedState) -> None:
    settled = settle(state, snapshot)
    assume(settled.verdict.held)
    assert {loss.service for loss in settled.effective.losses} <= {loss.service for loss in settled.proposed.losses}
    left, shown = ({a.service for a in found.assignments} for found in (settled.effective, settled.proposed))
    assert {held.key for held in snapshot.services if held.ingress and held.key in shown} <= left


@_LAW
@given(shrunk(), holders(are_edited=False), services("new", "require"))
def test_what_goes_on_meanwhile_does_not_change_the_digest(
    state: DesiredState, snapshot: ObservedState, newcomers: list[Service]
) -> None:
    # Edits and newcomers with PreferDualStack may compete with the plan: docs/decisions/plan-guard.md.
    shown = settle(state, snapshot)
    assume(shown.verdict.held)
    for arrived in (snapshot, observed(*snapshot.services, *newcomers)):
        meanwhile = settle(state, arrived)
        later = applied(arrived, plan_services(meanwhile.effective, arrived, state))
        assert settle(state, later).verdict.digest == shown.verdict.digest
