"""Whatever is asked of the announcer in whatever order: what the links are told agrees with what it says of itself."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.announcers.facts import Standing
from reconciler.l2.port import ClaimKind, LinkState
from reconciler.model.observed import NodeName
from reconciler.model.settings import AnnouncementSettings, OnConflict
from tests.announcers.listening_port import Network, announcement, changed, link

ADDRESSES = ("192.0.2.100", "192.0.2.101", "2001:db8::100")
LINKS = (
    link("eth0"),
    changed(link("eth0"), mac=bytes((2, 0, 0, 0, 9, 9))),
    changed(link("eth0"), has_carrier=False),
    changed(link("eth0"), name="lan0"),
    link("eth1"),
    link("eth1", has_broadcast=False),
)
STRANGER, MEMBER = bytes.fromhex("020000000099"), bytes.fromhex("02000000000b")

_addresses = st.sampled_from(ADDRESSES)
_links = st.lists(st.sampled_from(LINKS), unique_by=lambda one: one.index, max_size=2)
_settings = st.builds(
    AnnouncementSettings,
    gratuitous_duration=st.sampled_from([0.0, 5.0]),
    refresh_interval=st.sampled_from([0.0, 10.0, 300.0]),
    probe_time=st.sampled_from([0.0, 0.015]),
    on_conflict=st.sampled_from(OnConflict),
)
_interfaces = st.sampled_from([(), ("eth0",), ("eth1", "lan0"), ("eth9",)])
operations = st.one_of(
    st.tuples(st.just("announce"), _addresses, st.tuples(_interfaces, st.booleans())),
    st.tuples(st.just("announce"), _addresses, st.tuples(_interfaces, st.booleans())),
    st.tuples(st.just("withdraw"), _addresses, st.none()),
    st.tuples(st.just("linger"), _addresses, st.none()),
    st.tuples(st.just("claim"), _addresses, st.tuples(st.sampled_from([STRANGER, MEMBER]), st.sampled_from(ClaimKind))),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([0.001, 0.015, 0.5, 1.1, 10.0, 61.0])),
    st.tuples(st.just("links"), st.just(""), _links),
    st.tuples(st.just("settings"), st.just(""), _settings),
    st.tuples(st.just("members"), st.just(""), st.just({MEMBER: NodeName("worker-2")})),
    st.tuples(st.just("again"), st.just(""), st.none()),
)


async def carry_out(network: Network, name: str, address: str, value: object) -> None:
    match name, value:
        case "announce", (tuple(interfaces), bool(is_new)):
            await network.announce(address, *interfaces, is_new=is_new)
        case "withdraw", _:
            await network.withdraw(address)
        case "linger", _:
            network.announcer.linger([announcement(address).address])
        case "claim", (bytes(mac), ClaimKind() as kind):
            network.claim(address, mac=mac, kind=kind)
        case "wait", float(seconds):
            network.wait(seconds)
        case "links", [*links]:
            network.set_links(*(one for one in links if isinstance(one, LinkState)))
        case "settings", AnnouncementSettings() as changed_settings:
            network.announcer.settings_changed(changed_settings)
        case "members", dict(macs):
            network.announcer.members_known(macs)
        case "again", _:
            network.announcer.again()
        case _:
            raise AssertionError(name)


SPEAKING = {Standing.ANNOUNCED, Standing.LINGERING}
LISTENING = {Standing.PROBING, Standing.IN_USE, Standing.YIELDED}


def check(network: Network, *, lingered: set[str]) -> None:
    """Compare the ports with what the announcer says of itself; `lingered` are those that did so all the time."""
    facts = {str(fact.address): fact for fact in network.announcer.announced()}
    assert len(network.announcer.active().announcements) == len(facts)
    for address in ADDRESSES:
        standing = facts[address].standing if address in facts else None
        answering, watching = network.answering(address), network.watching(address)
        assert bool(answering) == (standing in SPEAKING)
        assert bool(watching) == (standing in LISTENING)
        assert answering == list(facts[address].interfaces if address in facts else ())
    assert {name for address in ADDRESSES for name in network.answering(address)} <= set(network.open())
    assert not lingered & {what.removeprefix("announce ") for _, what in network.said()}


@settings(max_examples=200, deadline=None)
@given(st.booleans(), st.lists(operations, max_size=25))
def test_the_links_do_what_the_announcer_says_of_itself(is_new: bool, steps: list[tuple[str, str, object]]) -> None:
    async def live() -> None:
        network = Network(LINKS[0], LINKS[4])
        await network.announce(ADDRESSES[0], is_new=is_new)
        network.said()
        for name, address, value in steps:
            before = {address for address, standing, _ in network.facts() if standing == "lingering"}
            await carry_out(network, name, address, value)
            after = {address for address, standing, _ in network.facts() if standing == "lingering"}
            check(network, lingered=before & after)
        for address in ADDRESSES:
            await network.withdraw(address)
        network.said()
        network.wait(1000.0)
        assert network.said() == []
        assert network.open() == []

    asyncio.run(live())
