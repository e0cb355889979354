"""What a peer is told, and what it is not told: octets against the reader in `receiver`."""

import sys
import tracemalloc
from collections.abc import Callable, Sequence
from ipaddress import ip_network

import pytest

from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.dialect import Dialect
from reconciler.bgp.families import Family, Prefix, prefix_of
from reconciler.bgp.routes import GRACEFUL_SHUTDOWN, RouteAttributes
from tests.bgp.receiver import Network, Receiver

HOP4, HOP6 = bytes((10, 0, 0, 5)), bytes.fromhex("20010db8000000000000000000000005")
LINK_LOCAL = bytes.fromhex("fe80000000000000000000000000000a")
PLAIN, NO_ADVERTISE = RouteAttributes(), RouteAttributes(communities=(0xFFFFFF02,))
BOTH = {Family.IPV4: HOP4, Family.IPV6: HOP6}
EBGP = Dialect(
    local_asn=64512, is_ibgp=False, four_octet_as=True, max_length=4096, next_hops=BOTH, enhanced_refresh=True
)
IBGP = Dialect(local_asn=64512, is_ibgp=True, four_octet_as=True, max_length=4096, next_hops=BOTH)
MARKER = "ff" * 16


def route(text: str) -> tuple[Family, Prefix]:
    network = ip_network(text)
    return Family.IPV4 if network.version == 4 else Family.IPV6, prefix_of(
        network.network_address.packed, network.prefixlen
    )


ONE, OTHER, SIX = route("198.51.100.10/32"), route("198.51.100.0/24"), route("2001:db8:100::10/128")


def hosts(count: int, start: int = 0) -> list[tuple[Family, Prefix]]:
    return [(Family.IPV4, bytes((32,)) + (0xC6120000 + n).to_bytes(4)) for n in range(start, start + count)]


def rib_of(*routes: tuple[Family, Prefix], attributes: RouteAttributes = PLAIN) -> AdjRibOut:
    rib = AdjRibOut()
    for one in routes:
        rib.announce(*one, attributes)
    return rib


def begun(*routes: tuple[Family, Prefix], dialect: Dialect = EBGP) -> tuple[AdjRibOut, Receiver]:
    """A rib that is settled and whose session has heard all of it."""
    rib, receiver = rib_of(*routes), Receiver(dialect.max_length)
    rib.settled()
    rib.begin(dialect)
    tell(rib, receiver)
    receiver.told.clear()
    return rib, receiver


def tell(rib: AdjRibOut, receiver: Receiver, limit: int = 1 << 16) -> None:
    while data := rib.take(limit):
        receiver.receive(data)
        assert rib.told == len(receiver.table)
    assert rib.is_all_told


@pytest.mark.parametrize(
    ("dialect", "attributes", "routes", "expected"),
    [
        pytest.param(
            IBGP,
            NO_ADVERTISE,
            [ONE],
            "0038020000001c400101004002004003040a00000540050400000064c00804ffffff0220c633640a",
            id="IPv4 in iBGP",
        ),
        pytest.param(
            EBGP, PLAIN, [OTHER], "002f02000000144001010040020602010000fc004003040a00000518c63364", id="IPv4 in eBGP"
        ),
        pytest.param(
            EBGP,
            PLAIN,
            [SIX],
            "004d0200000036800e260002011020010db8000000000000000000000005008020010db8010000000000000000000010"
            "4001010040020602010000fc00",
            id="IPv6 in eBGP",
        ),
        pytest.param(
            Dialect(64512, False, True, 4096, {Family.IPV4: HOP6}),
            PLAIN,
            [OTHER],
            "0040020000002980" + "0e19" + "00010110" + HOP6.hex() + "00" + "18c63364" + "4001010040020602010000fc00",
            id="IPv4 with an IPv6 next hop",
        ),
    ],
)
def test_an_announcement(
    dialect: Dialect, attributes: RouteAttributes, routes: list[tuple[Family, Prefix]], expected: str
) -> None:
    rib = rib_of(*routes, attributes=attributes)
    rib.begin(dialect)
    assert rib.take(4096).hex() == MARKER + expected


@pytest.mark.parametrize(
    ("next_hops", "routes", "expected"),
    [
        pytest.param(BOTH, [OTHER, ONE], "002002000920c633640a18c633640000", id="IPv4"),
        pytest.param(BOTH, [SIX], "002e0200000017800f1400020180" + "20010db8010000000000000000000010", id="IPv6"),
        pytest.param(
            {Family.IPV4: HOP6}, [OTHER], "002102000000" + "0a800f0700010118c63364", id="IPv4 with an IPv6 next hop"
        ),
    ],
)
def test_a_withdrawal(next_hops: dict[Family, bytes], routes: list[tuple[Family, Prefix]], expected: str) -> None:
    rib, _ = begun(*routes, dialect=Dialect(64512, False, True, 4096, next_hops))
    for one in routes:
        rib.withdraw(*one)
    assert rib.take(4096).hex() == MARKER + expected
    assert rib.told == 0


def test_end_of_rib_is_told_of_every_agreed_family_once_when_all_is_told_and_settled() -> None:
    rib, receiver = rib_of(ONE, SIX), Receiver()
    rib.begin(EBGP)
    tell(rib, receiver)
    assert receiver.words() == ["announce", "announce"]
    rib.announce(*OTHER, PLAIN)
    rib.settled()
    assert not rib.is_all_told
    data = rib.take(1 << 16)
    assert data.hex().endswith(MARKER + "00170200000000" + MARKER + "001d0200000006800f03000201")
    receiver.receive(data)
    assert receiver.words() == ["announce", "end", "end"]
    rib.withdraw(*ONE)
    tell(rib, receiver)
    assert receiver.words() == ["withdraw"]


def test_a_family_without_next_hop_is_wanted_and_not_told_but_ended() -> None:
    dialect = Dialect(64512, False, True, 4096, {Family.IPV4: HOP4}, without_next_hop=frozenset({Family.IPV6}))
    rib, receiver = rib_of(ONE, SIX), Receiver()
    rib.settled()
    rib.begin(dialect)
    tell(rib, receiver)
    assert receiver.told == [
        ("announce", [ip_network("198.51.100.10/32")]),
        ("end", Family.IPV4),
        ("end", Family.IPV6),
    ]
    assert (rib.wanted, rib.told) == (2, 1)
    rib.withdraw(*SIX)
    assert rib.take(4096) == b""


def test_a_family_that_was_not_agreed_on_is_not_even_ended() -> None:
    rib, receiver = rib_of(ONE, SIX), Receiver()
    rib.settled()
    rib.begin(Dialect(64512, False, True, 4096, {Family.IPV4: HOP4}))
    rib.refresh(Family.IPV6)
    tell(rib, receiver)
    assert receiver.words() == ["announce", "end"]


Change = Callable[[AdjRibOut], object]


def announced(attributes: RouteAttributes) -> Change:
    return lambda rib: rib.announce(*ONE, attributes)


def withdrawn(rib: AdjRibOut) -> None:
    rib.withdraw(*ONE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param([announced(PLAIN)], [], id="the same again: nothing"),
        pytest.param([announced(RouteAttributes())], [], id="an equal one: nothing"),
        pytest.param([announced(RouteAttributes(local_pref=7))], [], id="changed in what eBGP is not told: nothing"),
        pytest.param([announced(NO_ADVERTISE)], ["announce"], id="changed: announced without a withdrawal"),
        pytest.param([announced(NO_ADVERTISE), announced(PLAIN)], [], id="changed and back: nothing"),
        pytest.param([withdrawn], ["withdraw"], id="withdrawn"),
        pytest.param([withdrawn, withdrawn], ["withdraw"], id="withdrawn twice: once"),
        pytest.param([withdrawn, announced(PLAIN)], [], id="withdrawn and back: nothing"),
        pytest.param([withdrawn, announced(NO_ADVERTISE)], ["announce"], id="withdrawn and back changed: announced"),
        pytest.param([announced(NO_ADVERTISE), withdrawn], ["withdraw"], id="changed and withdrawn: withdrawn"),
        pytest.param(
            [withdrawn, announced(NO_ADVERTISE), announced(PLAIN)], [], id="withdrawn, back changed, and changed back"
        ),
        pytest.param([lambda rib: rib.announce(*OTHER, PLAIN)], ["announce"], id="another one: only that"),
        pytest.param(
            [lambda rib: rib.announce(*OTHER, PLAIN), lambda rib: rib.withdraw(*OTHER)],
            [],
            id="another one and withdrawn: nothing",
        ),
        pytest.param([lambda rib: rib.withdraw(*OTHER)], [], id="withdrawn what never was: nothing"),
        pytest.param(
            [lambda rib: rib.announce(*OTHER, PLAIN), withdrawn],
            ["withdraw", "announce"],
            id="withdrawals before announcements",
        ),
    ],
)
def test_what_changes_between_two_messages(changes: Sequence[Change], words: list[str]) -> None:
    rib, receiver = begun(ONE)
    for change in changes:
        change(rib)
    assert rib.is_all_told is not bool(words)
    tell(rib, receiver)
    assert receiver.words() == words
    assert not receiver.repeated


def test_a_new_session_is_told_everything() -> None:
    rib, receiver = begun(ONE, SIX)
    rib.end()
    assert (rib.told, rib.is_all_told, rib.take(4096)) == (0, False, b"")
    rib.withdraw(*ONE)
    rib.announce(*OTHER, PLAIN)
    rib.begin(IBGP)
    again = Receiver()
    tell(rib, again)
    assert again.table.keys() == {ip_network("198.51.100.0/24"), ip_network("2001:db8:100::10/128")}
    assert again.words() == ["announce", "end", "announce", "end"]
    assert rib.updates == len(receiver.lengths) + len(again.lengths) == 8


@pytest.mark.parametrize("max_length", [4096, 65535])
@pytest.mark.parametrize(
    ("first", "lengths"),
    [
        pytest.param(0, (32,), id="hosts"),
        pytest.param(0, (32, 24, 8, 16, 32, 32), id="lengths mixed"),
    ],
)
@pytest.mark.parametrize("family", Family)
def test_messages_are_filled(family: Family, max_length: int, first: int, lengths: tuple[int, ...]) -> None:
    octets, longest = (4, 5) if family is Family.IPV4 else (16, 17)
    wide = [length + (96 if family is Family.IPV6 else 0) for length in lengths]
    prefixes = {
        prefix_of(
            (0x20000000 + n * 0x9E3779B1 % (1 << 29) + first << 8 * (octets - 4)).to_bytes(octets), wide[n % len(wide)]
        )
        for n in range(max_length // 3)
    }
    rib, receiver = begun(dialect=Dialect(64512, False, True, max_length, BOTH))
    before = len(receiver.lengths)
    for prefix in prefixes:
        rib.announce(family, prefix, PLAIN)
    tell(rib, receiver)
    for prefix in prefixes:
        rib.withdraw(family, prefix)
    tell(rib, receiver)
    words = receiver.words()
    filled = [
        length
        for word, following, length in zip(words, words[1:], receiver.lengths[before:], strict=False)
        if word == following
    ]
    assert len(filled) == len(words) - 2
    assert min(filled) > max_length - longest


@pytest.mark.parametrize("max_length", range(4079, 4097))
@pytest.mark.parametrize(
    ("next_hop", "around", "around_withdrawals", "size"),
    [
        # The header and both lengths; ORIGIN, AS_PATH, NEXT_HOP.
        pytest.param(HOP4, 19 + 4 + 4 + 9 + 7, 19 + 4, 5, id="IPv4"),
        # MP_REACH_NLRI as far as the prefixes instead of NEXT_HOP; MP_UNREACH_NLRI.
        pytest.param(HOP6 + LINK_LOCAL, 19 + 4 + 4 + 9 + 4 + 37, 19 + 4 + 4 + 3, 17, id="IPv6"),
    ],
)
def test_messages_are_filled_to_the_last_octet(
    next_hop: bytes, around: int, around_withdrawals: int, size: int, max_length: int
) -> None:
    family = Family.IPV4 if size == 5 else Family.IPV6
    prefixes = [bytes((8 * (size - 1),)) + (n + (1 << 28)).to_bytes(size - 1) for n in range(4_500 // size)]
    rib, receiver = begun(dialect=Dialect(64512, False, True, max_length, {family: next_hop}))
    for prefix in prefixes:
        rib.announce(family, prefix, PLAIN)
    tell(rib, receiver)
    assert max(receiver.lengths) == max_length - (max_length - around) % size
    receiver.lengths.clear()
    for prefix in prefixes:
        rib.withdraw(family, prefix)
    tell(rib, receiver)
    assert max(receiver.lengths) == max_length - (max_length - around_withdrawals) % size


def test_every_attribute_set_has_messages_of_its_own() -> None:
    rib, receiver = begun()
    for number, one in enumerate(hosts(3_000)):
        rib.announce(*one, RouteAttributes(communities=(number % 3,)))
    tell(rib, receiver)
    # The one that has waited longest comes first.
    assert [receiver.table[networks[0]].communities for _, networks in receiver.told] == [
        (0,),
        (0,),
        (1,),
        (1,),
        (2,),
        (2,),
    ]
    assert receiver.words() == ["announce"] * 6
    assert {network: held.communities for network, held in receiver.table.items()} == {
        _network(prefix): (number % 3,) for number, (_, prefix) in enumerate(hosts(3_000))
    }


def _network(prefix: Prefix) -> Network:
    return ip_network((prefix[1:], prefix[0]))


@pytest.mark.parametrize("max_length", [4096, 65535])
@pytest.mark.parametrize("limit", [0, 4096, 5000, 20_000, 200_000])
def test_no_more_is_taken_than_is_asked_for(limit: int, max_length: int) -> None:
    rib = rib_of(*hosts(15_000))
    rib.begin(Dialect(64512, False, True, max_length, BOTH))
    receiver = Receiver(max_length)
    sizes = []
    while data := rib.take(limit):
        receiver.receive(data)
        sizes.append(len(data))
    assert max(sizes) <= max(limit, *receiver.lengths)
    # What little is left would have been in the first where that had been empty enough.
    assert min(sizes[:-1], default=limit) > limit - 2 * max_length
    assert len(receiver.table) == 15_000


def test_what_changes_while_the_table_is_told_is_told_as_it_is_by_then() -> None:
    routes = hosts(3_000)
    rib, receiver = rib_of(*routes), Receiver()
    rib.settled()
    rib.begin(EBGP)
    receiver.receive(rib.take(0))
    heard = set(receiver.table)
    for one in routes[::3]:
        rib.withdraw(*one)
    for one in routes[1::3]:
        rib.announce(*one, NO_ADVERTISE)
    withdrawn_now = {_network(prefix) for _, prefix in routes[::3]}
    assert heard & withdrawn_now
    assert withdrawn_now - heard
    tell(rib, receiver)
    # Of what the peer had not heard yet, nothing is withdrawn: `receiver` would object.
    assert receiver.table.keys() == {_network(prefix) for _, prefix in routes} - withdrawn_now
    assert {network for network, held in receiver.table.items() if held.communities} == {
        _network(prefix) for _, prefix in routes[1::3]
    }
    assert [word for word in receiver.words() if word != "announce"] == ["withdraw", "end", "end"]


@pytest.mark.parametrize("is_alike", [True, False])
def test_what_waits_longest_is_told_first_however_much_comes(is_alike: bool) -> None:
    """With the same attributes, or others each time."""
    routes = hosts(6_000)
    rib, receiver = rib_of(*routes), Receiver()
    rib.begin(EBGP)
    for number in range(20):
        # As many as the peer takes in a message.
        for one in hosts(800, 6_000 + 800 * number if is_alike else 6_000):
            rib.announce(*one, PLAIN if is_alike else RouteAttributes(communities=(number,)))
        receiver.receive(rib.take(0))
    assert receiver.table.keys() >= {_network(prefix) for _, prefix in routes}


def test_a_plain_refresh_tells_the_family_again() -> None:
    rib, receiver = begun(ONE, SIX, dialect=IBGP)
    rib.refresh(Family.IPV4)
    assert not rib.is_all_told
    tell(rib, receiver)
    assert receiver.told == [("announce", [ip_network("198.51.100.10/32")])]


def test_an_enhanced_refresh_has_marks_around_it() -> None:
    rib, receiver = begun(ONE, SIX)
    rib.refresh(Family.IPV6)
    tell(rib, receiver)
    assert receiver.told == [
        ("begin refresh", Family.IPV6),
        ("announce", [ip_network("2001:db8:100::10/128")]),
        ("end refresh", Family.IPV6),
    ]
    assert rib.route_refreshes == 2


def test_a_refresh_of_nothing_has_marks_too() -> None:
    rib, receiver = begun()
    rib.refresh(Family.IPV4)
    tell(rib, receiver)
    assert receiver.words() == ["begin refresh", "end refresh"]


def test_a_refresh_before_the_end_of_rib_has_no_marks() -> None:
    rib, receiver = rib_of(ONE), Receiver()
    rib.begin(EBGP)
    tell(rib, receiver)
    rib.refresh(Family.IPV4)
    receiver.receive(rib.take(0))
    rib.settled()
    tell(rib, receiver)
    assert receiver.words() == ["announce", "announce", "end", "end"]


def test_many_refreshes_at_once_are_one_and_another_meanwhile_is_another() -> None:
    rib, receiver = begun(*hosts(1_000))
    for _ in range(100):
        rib.refresh(Family.IPV4)
    receiver.receive(rib.take(0) + rib.take(0))
    for _ in range(100):
        rib.refresh(Family.IPV4)
    tell(rib, receiver)
    assert receiver.words() == ["begin refresh", "announce", "announce", "end refresh"] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(announced(NO_ADVERTISE), ["announce", "end refresh"], id="changed"),
        pytest.param(withdrawn, ["withdraw", "end refresh"], id="withdrawn"),
        pytest.param(
            lambda rib: (rib.withdraw(*ONE), rib.announce(*ONE, PLAIN)),
            ["announce", "end refresh"],
            id="withdrawn and back",
        ),
        pytest.param(
            lambda rib: (rib.announce(*ONE, NO_ADVERTISE), rib.announce(*ONE, PLAIN)),
            ["announce", "end refresh"],
            id="changed and back",
        ),
    ],
)
def test_what_changes_during_a_refresh(change: Change, words: list[str]) -> None:
    rib, receiver = begun(ONE)
    rib.refresh(Family.IPV4)
    receiver.receive(rib.take(0))
    change(rib)
    tell(rib, receiver)
    assert receiver.words() == ["begin refresh", *words]


@pytest.mark.parametrize(
    ("dialect", "preference"), [pytest.param(EBGP, None, id="eBGP"), pytest.param(IBGP, 0, id="iBGP")]
)
def test_leaving_gives_all_routes_the_community(dialect: Dialect, preference: int | None) -> None:
    rib, receiver = begun(ONE, SIX, dialect=dialect)
    before = dict(receiver.table)
    rib.leave(is_leaving=True)
    rib.leave(is_leaving=True)
    rib.announce(*OTHER, RouteAttributes(local_pref=7, communities=(5, 0xFFFFFF02)))
    assert not rib.is_all_told
    tell(rib, receiver)
    assert receiver.words() == ["announce"] * 3
    held = receiver.table
    assert held[ip_network("198.51.100.10/32")].communities == (GRACEFUL_SHUTDOWN,)
    assert held[ip_network("198.51.100.0/24")].communities == (5, GRACEFUL_SHUTDOWN, 0xFFFFFF02)
    assert {one.local_pref for one in held.values()} == {preference}
    rib.withdraw(*OTHER)
    rib.leave(is_leaving=False)
    tell(rib, receiver)
    assert receiver.table == before


def test_leaving_holds_for_the_next_session() -> None:
    rib, _ = begun(ONE)
    rib.end()
    rib.leave(is_leaving=True)
    rib.begin(EBGP)
    receiver = Receiver()
    tell(rib, receiver)
    assert receiver.table[ip_network("198.51.100.10/32")].communities == (GRACEFUL_SHUTDOWN,)


def test_what_was_heard_before_leaving_is_told_again_after_a_change_there_and_back() -> None:
    rib, receiver = begun(ONE)
    rib.announce(*ONE, NO_ADVERTISE)
    rib.leave(is_leaving=True)
    rib.announce(*ONE, PLAIN)
    tell(rib, receiver)
    assert receiver.table[ip_network("198.51.100.10/32")].communities == (GRACEFUL_SHUTDOWN,)


def test_what_was_withdrawn_before_leaving_is_told_again_when_it_is_back() -> None:
    rib, receiver = begun(ONE)
    rib.withdraw(*ONE)
    rib.leave(is_leaving=True)
    rib.announce(*ONE, PLAIN)
    tell(rib, receiver)
    assert receiver.table[ip_network("198.51.100.10/32")].communities == (GRACEFUL_SHUTDOWN,)


def test_what_has_changed_counts_once_however_far_it_is_told() -> None:
    routes = hosts(2_000)
    rib, receiver = begun(*routes)
    for one in routes:
        rib.announce(*one, NO_ADVERTISE)
    for _ in range(2):
        receiver.receive(rib.take(0))
        assert rib.told == len(receiver.table) == 2_000


def large(count: int) -> RouteAttributes:
    return RouteAttributes(large_communities=tuple((64512, 1, number) for number in range(count)))


@pytest.mark.parametrize(
    ("family", "least"),
    [
        # The header and both lengths; ORIGIN, AS_PATH, NEXT_HOP and the prefix; GRACEFUL_SHUTDOWN.
        pytest.param(Family.IPV4, 19 + 4 + 4 + 9 + 7 + 5 + 7, id="IPv4"),
        # The same with MP_REACH_NLRI.
        pytest.param(Family.IPV6, 19 + 4 + 4 + 9 + 3 + 21 + 17 + 7, id="IPv6"),
    ],
)
@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 22])
def test_what_leaves_no_room_for_a_prefix_is_not_told(family: Family, least: int, count: int) -> None:
    prefix = {Family.IPV4: ONE, Family.IPV6: SIX}[family][1]
    # GRACEFUL_SHUTDOWN is told with whatever is told.
    least += (3 if 12 * count < 256 else 4) + 12 * count if count else 0
    for max_length in (least - 1, least):
        rib, receiver = begun(dialect=Dialect(64512, False, True, max_length, BOTH))
        rib.announce(family, prefix, large(count))
        is_told = max_length == least
        assert (rib.wanted, rib.told, rib.is_all_told) == (1, 0, not is_told)
        for is_leaving in (False, True, False):
            rib.leave(is_leaving=is_leaving)
            tell(rib, receiver)
            assert receiver.words() == ["announce"] * is_told


def test_what_grows_too_long_is_withdrawn_and_announced_when_it_is_short_again() -> None:
    rib, receiver = begun(ONE)
    rib.announce(*ONE, large(400))
    assert (rib.wanted, rib.told) == (1, 1)
    tell(rib, receiver)
    assert receiver.words() == ["withdraw"]
    assert (rib.wanted, rib.told) == (1, 0)
    rib.refresh(Family.IPV4)
    rib.leave(is_leaving=True)
    tell(rib, receiver)
    assert receiver.words() == ["begin refresh", "end refresh"]
    rib.announce(*ONE, large(300))
    tell(rib, receiver)
    assert receiver.words() == ["announce"]


def test_what_does_not_fit_and_was_heard_before_is_withdrawn_once() -> None:
    rib, receiver = begun(ONE)
    rib.announce(*ONE, large(400))
    rib.withdraw(*ONE)
    tell(rib, receiver)
    assert receiver.words() == ["withdraw"]
    rib.announce(*ONE, large(400))
    rib.announce(*ONE, PLAIN)
    tell(rib, receiver)
    assert receiver.words() == ["announce"]
    rib.announce(*ONE, large(400))
    rib.announce(*ONE, PLAIN)
    assert rib.is_all_told
    rib.end()
    rib.announce(*ONE, large(9000))
    rib.begin(EBGP)
    assert rib.is_all_told is False
    assert rib.told == 0


def _steps(act: Callable[[], object]) -> int:
    """How many instructions of the interpreter something takes."""
    steps = 0

    def trace(frame: object, event: str, _: object) -> object:
        nonlocal steps
        steps += event == "opcode"
        frame.f_trace_opcodes = True  # type: ignore[attr-defined]
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        act()
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize("is_told", [True, False])
def test_a_change_costs_the_same_however_many_routes_there_are(is_told: bool) -> None:
    def changed(count: int) -> int:
        rib, _ = begun(*hosts(count))
        if not is_told:
            rib.end()
            rib.begin(EBGP)
            rib.take(0)

        def change() -> None:
            rib.announce(*ONE, PLAIN)
            rib.withdraw(*hosts(1)[0])
            rib.announce(*hosts(1, 50)[0], NO_ADVERTISE)
            if is_told:
                rib.take(1 << 16)

        return _steps(change)

    assert changed(2_000) == changed(20_000)


def test_a_session_begins_at_once_however_many_routes_there_are() -> None:
    def begun_with(count: int) -> int:
        rib = rib_of(*hosts(count))

        def begin() -> None:
            rib.begin(EBGP)
            rib.take(0)

        return _steps(begin)

    assert begun_with(2_000) == begun_with(20_000)


def test_a_table_costs_in_proportion_to_its_routes() -> None:
    def told(count: int) -> int:
        rib = rib_of(*hosts(count))

        def begin_and_tell() -> None:
            rib.begin(EBGP)
            while rib.take(1 << 16):
                pass

        return _steps(begin_and_tell)

    small, large_one = told(2_000), told(20_000)
    assert large_one < 10.5 * small


def test_nothing_is_kept_of_what_is_told() -> None:
    """But for what is wanted."""
    routes = hosts(20_000)
    tracemalloc.start()
    try:
        rib = rib_of(*routes)
        wanted, _ = tracemalloc.get_traced_memory()
        rib.begin(EBGP)
        while rib.take(1 << 16):
            pass
        told, _ = tracemalloc.get_traced_memory()
        for one in routes:
            rib.withdraw(*one)
        while rib.take(1 << 16):
            pass
        gone, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # As long as it is not told, it is in a second table.
    assert told < 0.75 * wanted
    assert gone < 0.75 * wanted


def test_a_peer_that_hangs_costs_no_more_than_its_routes() -> None:
    """However often they change, and however many attributes they have had."""
    routes = hosts(50)
    rib, _ = begun(*routes)
    rib.refresh(Family.IPV4)
    rib.take(0)

    def churn(start: int) -> None:
        for number in range(start, start + 3_000):
            rib.announce(*routes[number % 50], RouteAttributes(local_pref=number))
            if number % 7 == 0:
                rib.withdraw(*routes[number % 49])
            rib.refresh(Family.IPV4)

    churn(0)
    tracemalloc.start()
    try:
        churn(3_000)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What 50 routes with attributes of their own take, which were allocated in the second half, is about 30 kB.
    assert size < 100_000
