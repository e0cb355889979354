"""What members say of themselves: the tags carry all of it where it fits, and any tags at all are read safely."""

import kinship
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.membership.envelopes import (
    Apart,
    Published,
    Told,
    member_name,
    node_of,
    read_tags,
    seal,
    tags_of,
    unseal,
)
from reconciler.membership.facts import Facts
from reconciler.membership.facts_codec import ROOM, decode_facts, encode_facts, size
from reconciler.model.observed import InterfaceName, Link, NodeName

KEY = bytes(32)


def is_a_name(name: str) -> bool:
    try:
        return 0 < len(name.encode(errors="surrogateescape")) <= 15
    except UnicodeEncodeError:
        return False


any_text = st.text(st.characters(), max_size=40)
interface_names = st.one_of(
    st.from_regex(r"\A[a-z]{2,6}[0-9]{1,4}(\.[0-9]{1,4})?\Z"),
    st.binary(min_size=1, max_size=15).map(lambda octets: octets.decode(errors="surrogateescape")),
    any_text,
).map(InterfaceName)
links = st.dictionaries(interface_names, st.booleans(), max_size=60).map(
    lambda carriers: frozenset(Link(name, carrier) for name, carrier in carriers.items())
)
facts = st.builds(
    Facts,
    loaded=st.one_of(st.from_regex(r"\A[0-9a-f]{12}\Z"), any_text),
    in_use=st.one_of(st.from_regex(r"\A[0-9a-f]{12}\Z"), any_text),
    is_ready=st.booleans(),
    is_leaving=st.booleans(),
    restart_grace=st.floats(),
    links=links,
    others_up=st.booleans(),
    macs=st.frozensets(st.binary(max_size=8), max_size=20),
)
node_names = st.one_of(
    st.from_regex(r"\A[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z"), st.text(min_size=1, max_size=60)
).map(NodeName)


def links_of(**carriers: bool) -> frozenset[Link]:
    return frozenset(Link(InterfaceName(name), carrier) for name, carrier in carriers.items())


@given(node_names, facts, st.integers(0, 2**40))
def test_tags_never_take_more_room_than_there_is(node: NodeName, said: Facts, sequence: int) -> None:
    tags = tags_of(node, said, sequence)
    assert size(tags) <= ROOM
    # The library has the last word on what fits.
    kinship.Config.lan(name=member_name(node), keys=[KEY], meta=tags)
    assert decode_facts(tags) is not None
    assert node_of(member_name(node), tags) == node


@given(st.dictionaries(st.text(min_size=1, max_size=200), st.text(max_size=300), max_size=8))
def test_the_room_is_counted_as_the_library_counts_it(tags: dict[str, str]) -> None:
    def fits() -> bool:
        try:
            kinship.Config.lan(name="n", keys=[KEY], meta=tags)
        except kinship.ConfigError:
            return False
        return True

    assert (size(tags) <= ROOM) == fits()


@given(
    st.builds(
        Facts,
        loaded=st.from_regex(r"\A[0-9a-f]{12}\Z"),
        in_use=st.just("") | st.from_regex(r"\A[0-9a-f]{12}\Z"),
        is_ready=st.booleans(),
        is_leaving=st.booleans(),
        restart_grace=st.integers(0, 86_400_000).map(lambda milliseconds: milliseconds / 1000),
        links=st.dictionaries(interface_names.filter(is_a_name), st.booleans(), max_size=6).map(
            lambda carriers: frozenset(Link(name, carrier) for name, carrier in carriers.items())
        ),
        others_up=st.booleans(),
        macs=st.frozensets(st.binary(min_size=6, max_size=6), max_size=8),
    )
)
def test_what_fits_arrives_as_it_was(said: Facts) -> None:
    assert decode_facts(encode_facts(said)) == said


@given(facts)
def test_a_link_without_a_carrier_is_never_reported_up(said: Facts) -> None:
    heard = decode_facts(encode_facts(said))
    assert heard is not None
    down = {link.name for link in said.links if not link.carrier}
    assert not down & {link.name for link in heard.links if link.carrier}


@given(facts)
def test_saying_it_again_changes_nothing(said: Facts) -> None:
    heard = decode_facts(encode_facts(said))
    assert heard is not None
    assert decode_facts(encode_facts(heard)) == heard


hostile_values = st.one_of(
    any_text,
    st.text("0123456789", max_size=4300),
    st.text("abAB+/=", max_size=90),
    st.text("%,0aA/", max_size=90),
    st.sampled_from(["1", "2", "rlo", "-1", "1e9", "٣", "%", "%zz", ",", ",,", "AAAAAAAA"]),
)


@given(st.dictionaries(st.sampled_from("vluisgmdqn") | any_text, hostile_values), st.booleans())
def test_any_tags_give_facts_or_nothing(tags: dict[str, str], of_this_format: bool) -> None:
    if of_this_format:
        tags = {**tags, "v": "1"}
    heard = decode_facts(tags)
    sequence, again = read_tags(tags)
    assert again == heard
    assert 0 <= sequence < 10**15
    if heard is not None:
        assert 0 <= heard.restart_grace <= 86_400
        assert len(heard.macs) <= 8
        assert all(len(mac) == 6 for mac in heard.macs)
        assert all(is_a_name(link.name) for link in heard.links)
        assert len({link.name for link in heard.links}) == len(heard.links)
        # What was read can be said again.
        assert size(encode_facts(heard)) <= ROOM


def test_all_links_are_named_where_they_fit() -> None:
    said = Facts(links=links_of(eth0=True, eth1=False), others_up=False)
    heard = decode_facts(encode_facts(said))
    assert heard is not None
    assert (heard.links, heard.others_up) == (said.links, False)


def test_only_links_without_a_carrier_are_named_where_not_all_fit() -> None:
    said = Facts(links=links_of(**{f"enp129s0f{i}": i != 17 for i in range(50)}), others_up=False)
    heard = decode_facts(encode_facts(said))
    assert heard is not None
    assert (heard.links, heard.others_up) == (links_of(enp129s0f17=False), True)


def test_as_many_of_them_as_fit() -> None:
    said = Facts(links=links_of(**{f"enp129s0f{i}": False for i in range(50)}), others_up=False)
    heard = decode_facts(encode_facts(said))
    assert heard is not None
    assert heard.others_up
    assert 20 <= len(heard.links) < 50
    assert heard.links <= said.links


def test_a_later_version_may_add_what_this_one_does_not_know() -> None:
    said = Facts(loaded="0123456789ab", is_ready=True)
    tags = encode_facts(said)
    assert decode_facts({**tags, "s": tags["s"] + "x", "x": "something new"}) == said


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param({}, id="no tags at all"),
        pytest.param({"role": "cache"}, id="those of another program"),
        pytest.param({**encode_facts(Facts()), "v": "2"}, id="a format of a later version"),
        pytest.param({**encode_facts(Facts()), "m": "AAAA"}, id="half a hardware address"),
        pytest.param({**encode_facts(Facts()), "m": "?"}, id="what is no base64"),
        pytest.param({**encode_facts(Facts()), "d": "sixteen-octets-x"}, id="a name that no interface can have"),
        pytest.param({**encode_facts(Facts()), "g": "-5"}, id="a wait that was over before it began"),
    ],
)
def test_unreadable(tags: dict[str, str]) -> None:
    assert decode_facts(tags) is None


@given(
    st.one_of(
        st.builds(Told, data=st.binary(max_size=200)),
        st.builds(
            Published, epoch=st.integers(0, 2**60), tags=st.dictionaries(st.text(max_size=9), st.text(max_size=9))
        ),
        st.just(Apart()),
    )
)
def test_an_envelope_arrives_as_it_was(envelope: Told | Published | Apart) -> None:
    assert unseal(seal(envelope)) == envelope


@given(st.binary(max_size=200))
def test_any_octets_are_an_envelope_or_nothing(data: bytes) -> None:
    unseal(data)


@given(st.lists(node_names, min_size=2, max_size=2, unique=True))
def test_two_nodes_are_two_members(nodes: list[NodeName]) -> None:
    one, other = nodes
    assert member_name(one) != member_name(other)


def test_a_member_cannot_take_the_name_of_another_node() -> None:
    assert node_of("n1", {"n": "n2"}) == "n1"
