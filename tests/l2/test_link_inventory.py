"""What answers and notifications make of each other, in the orders in which the kernel may give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.l2.link_inventory import Fact, LinkInventory, link_state
from reconciler.l2.rtnetlink import AddressGone, AddressSeen, LinkGone, LinkSeen

UP, DOWN = 0x11043, 0x1002
FIRST, SECOND = (bytes.fromhex("fe80") + bytes(13) + bytes([last]) for last in (1, 2))
GLOBAL = bytes.fromhex("20010db8") + bytes(11) + b"\x01"


def seen(index: int = 2, name: str = "eth0", flags: int = UP) -> LinkSeen:
    return LinkSeen(index=index, name=name, flags=flags, mac=bytes.fromhex("02000000000a"), port_of="")


def link_local(inventory: LinkInventory) -> bytes | None:
    state = inventory.state(2)
    assert state is not None
    return state.link_local


def test_an_answer_that_is_older_than_a_notification_is_not_taken() -> None:
    inventory = LinkInventory()
    inventory.notice(seen(flags=DOWN))
    inventory.notice(LinkGone(3))
    inventory.notice(AddressGone(2, FIRST))
    for fact in (seen(), seen(3, "eth1"), seen(4, "eth2"), AddressSeen(2, FIRST, is_tentative=False)):
        inventory.learn(fact)
    inventory.complete()
    assert inventory.states() == {2: link_state(seen(flags=DOWN)), 4: link_state(seen(4, "eth2"))}


def test_a_notification_after_an_answer_is_taken() -> None:
    inventory = LinkInventory()
    inventory.learn(seen())
    assert inventory.notice(seen(flags=DOWN))
    assert inventory.state(2) == link_state(seen(flags=DOWN))


def test_what_is_the_same_is_no_change() -> None:
    inventory = LinkInventory()
    assert inventory.notice(seen())
    assert not inventory.notice(seen())
    # The kernel sets other flags as well: IFF_RUNNING and IFF_MULTICAST say nothing to us.
    assert not inventory.notice(seen(flags=UP & ~0x1040))
    assert inventory.notice(LinkGone(2))
    assert not inventory.notice(LinkGone(2))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([AddressSeen(2, GLOBAL, False)], None, id="a global one does not count"),
        pytest.param([AddressSeen(2, FIRST, True)], None, id="a tentative one does not count yet"),
        pytest.param([AddressSeen(2, FIRST, True), AddressSeen(2, FIRST, False)], FIRST, id="until it is not any more"),
        pytest.param([AddressSeen(2, FIRST, False), AddressSeen(2, SECOND, False)], FIRST, id="the first of two"),
        pytest.param(
            [AddressSeen(2, FIRST, False), AddressSeen(2, SECOND, False), AddressGone(2, FIRST)],
            SECOND,
            id="the other when the first is gone",
        ),
        pytest.param([AddressSeen(3, FIRST, False)], None, id="that of another link"),
        pytest.param([AddressSeen(2, FIRST, False), LinkGone(2), seen()], None, id="a link that is new has none"),
        pytest.param([AddressGone(2, FIRST)], None, id="one that was never there"),
    ],
)
def test_the_link_local_address_of_a_link(facts: list[Fact], expected: bytes | None) -> None:
    inventory = LinkInventory()
    inventory.notice(seen())
    for fact in facts:
        inventory.notice(fact)
    assert link_local(inventory) == expected


FACTS = st.one_of(
    st.builds(seen, index=st.integers(1, 3), flags=st.sampled_from([UP, DOWN])),
    st.builds(LinkGone, st.integers(1, 3)),
    st.builds(AddressSeen, st.integers(1, 3), st.sampled_from([FIRST, SECOND]), st.booleans()),
    st.builds(AddressGone, st.integers(1, 3), st.sampled_from([FIRST, SECOND])),
)


@given(st.lists(FACTS, max_size=20), st.data())
def test_a_list_read_at_any_moment_ends_in_the_same_links(history: list[Fact], data: st.DataObject) -> None:
    """A kernel applies a history; we ask while it does: the answer is what was true then, told at any later moment."""
    asked = data.draw(st.integers(0, len(history)))
    told = data.draw(st.integers(asked, len(history)))
    kernel, ours = LinkInventory(), LinkInventory()
    answer: list[Fact] = []
    for moment, fact in enumerate([*history, None]):
        if moment == asked:
            answer = facts_of(kernel)
        if moment == told:
            for known in answer:
                ours.learn(known)
            ours.complete()
        if fact is not None:
            kernel.notice(fact)
            # What happened before we asked is not notified of.
            if moment >= asked:
                ours.notice(fact)
    assert {i: state.is_up for i, state in ours.states().items()} == {i: s.is_up for i, s in kernel.states().items()}


def facts_of(kernel: LinkInventory) -> list[Fact]:
    return [seen(index, flags=UP if state.is_up else DOWN) for index, state in kernel.states().items()]
