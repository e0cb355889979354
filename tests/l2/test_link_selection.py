"""Which links are used, and the reason for each that is not."""

import re

import msgspec
import pytest

from reconciler.l2.link_inventory import link_state
from reconciler.l2.link_selection import (
    NotUsed,
    compile_exclusion,
    is_selected,
    speaks_arp,
    used_links,
    why_not_used,
)
from reconciler.l2.port import LinkState
from reconciler.l2.rtnetlink import LinkSeen
from reconciler.model.settings import EXCLUDED_INTERFACES

MAC = bytes.fromhex("02000000000a")
NOTHING = compile_exclusion(())
SHIPPED = compile_exclusion(EXCLUDED_INTERFACES)


def link(name: str = "eth0", **fields: object) -> LinkState:
    return msgspec.structs.replace(LinkState(index=2, name=name, mac=MAC), **fields)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(link(), None, id="an ordinary link"),
        pytest.param(
            link(has_carrier=False), None, id="without carrier: it is used, and says nothing until it has one"
        ),
        pytest.param(link(link_local=None), None, id="without an IPv6 link-local address: the address itself speaks"),
        pytest.param(link(has_broadcast=False), None, id="without broadcast: for IPv6 only"),
        pytest.param(link(is_up=False), NotUsed.DOWN, id="down"),
        pytest.param(link(mac=b""), NotUsed.NO_MAC, id="without a MAC"),
        pytest.param(link(has_arp=False), NotUsed.NO_ARP, id="without ARP"),
        pytest.param(link(is_enslaved=True), NotUsed.ENSLAVED, id="a port of a bridge"),
        pytest.param(link("lo", is_loopback=True, mac=b""), NotUsed.LOOPBACK, id="loopback"),
        pytest.param(link("veth12ab", is_up=False), NotUsed.EXCLUDED, id="excluded, whatever else it is"),
        pytest.param(link("br0", is_up=False, has_carrier=False), NotUsed.DOWN, id="a bridge that is down"),
    ],
)
def test_a_link_is_used_or_there_is_a_reason(state: LinkState, expected: NotUsed | None) -> None:
    assert why_not_used(state, compile_exclusion(("^veth",))) is expected
    assert used_links((state,), compile_exclusion(("^veth",))) == (() if expected else (state,))


@pytest.mark.parametrize(
    ("port_of", "expected"),
    [("bridge", NotUsed.ENSLAVED), ("bond", NotUsed.ENSLAVED), ("team", NotUsed.ENSLAVED), ("vrf", None), ("", None)],
)
def test_the_members_of_a_vrf_speak_for_themselves(port_of: str, expected: NotUsed | None) -> None:
    up_and_broadcast = 0x11043
    seen = LinkSeen(index=2, name="eth0", flags=up_and_broadcast, mac=MAC, port_of=port_of)
    assert why_not_used(link_state(seen), NOTHING) is expected


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        pytest.param((), "eth0", False, id="no pattern excludes nothing"),
        pytest.param(("th",), "eth0", True, id="found anywhere in the name"),
        pytest.param(("^th",), "eth0", False, id="unless it is anchored"),
        pytest.param(("^lo$",), "lower", False, id="anchored on both sides"),
        pytest.param(("^a", "^b"), "bond0", True, id="any of several"),
        pytest.param(("^a|^b", "c$"), "eth0", False, id="alternatives stay inside their pattern"),
        pytest.param(("^a", "(?i)^ETH"), "eth0", True, id="a flag in a later pattern"),
    ],
)
def test_patterns_are_searched_for_in_the_name(patterns: tuple[str, ...], name: str, *, expected: bool) -> None:
    assert compile_exclusion(patterns).covers(name) is expected


@pytest.mark.parametrize(
    "name", ["docker0", "cbr0", "dummy0", "virbr0", "veth9a", "lo", "cali1", "tunl0", "cni0", "lxc1"]
)
def test_the_shipped_list_leaves_out_what_no_client_is_behind(name: str) -> None:
    assert SHIPPED.covers(name)


@pytest.mark.parametrize(
    "name", ["eth0", "ens3", "enp1s0f1", "bond0", "br0", "vlan10", "eth0.10", "team0", "wlan0", "lo1"]
)
def test_the_shipped_list_keeps_what_clients_are_behind(name: str) -> None:
    assert not SHIPPED.covers(name)


def test_a_pattern_that_is_none_is_an_error() -> None:
    with pytest.raises(re.error):
        compile_exclusion(("^eth", "("))


def test_arp_needs_broadcast() -> None:
    assert speaks_arp(link())
    assert not speaks_arp(link(has_broadcast=False))


def test_an_advertisement_names_links_or_all_of_them() -> None:
    assert is_selected(link(), None)
    assert is_selected(link(), frozenset({"eth0", "eth1"}))
    assert not is_selected(link("eth2"), frozenset({"eth0", "eth1"}))
