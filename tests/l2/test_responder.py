"""What is answered, what is not and why, and which frames are claims."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.l2 import arp, ndp
from reconciler.l2.ethernet import NO_MAC
from reconciler.l2.ignored import Ignored
from reconciler.l2.port import Claim, ClaimKind, LinkState
from reconciler.l2.responder import MOST_CLAIMS, Responder
from tests.l2.addresses import (
    ASKER,
    ASKER6,
    CLIENT,
    LINK_LOCAL,
    OTHER,
    OTHER6,
    OUR_OTHER,
    OURS,
    STRANGER,
    VIP,
    VIP6,
    ip,
)
from tests.l2.questions import arp_packet, damaged, solicitation
from tests.l2.vectors import vector

LINK = LinkState(index=2, name="eth0", mac=OURS, link_local=LINK_LOCAL)
ANSWER = arp.reply(OURS, VIP, to_mac=CLIENT, to_address=ASKER)
ANSWER6 = ndp.advertisement(OURS, VIP6, source=None, to_mac=CLIENT, to=ASKER6)
TO_ALL = ndp.unsolicited(OURS, VIP6, source=None)


def responder(*owned: bytes, watched: tuple[bytes, ...] = (), state: LinkState = LINK) -> Responder:
    made = Responder(state, {OURS, OUR_OTHER})
    for address in owned:
        made.own(address)
    for address in watched:
        made.watch(address)
    return made


def claims(made: Responder) -> list[tuple[ClaimKind, bytes, bytes]]:
    return [(claim.kind, claim.address, claim.mac) for claim in made.take_claims()]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(arp_packet(VIP), ANSWER, id="a broadcast question"),
        pytest.param(arp_packet(VIP, to=OURS), ANSWER, id="a question to our MAC"),
        pytest.param(arp_packet(VIP, to=STRANGER), Ignored.ETHERNET_DESTINATION, id="a question to another MAC"),
        pytest.param(arp_packet(OTHER), Ignored.NOT_OUR_ADDRESS, id="a question for another address"),
        pytest.param(arp_packet(VIP, operation=2), Ignored.NOT_A_REQUEST, id="a reply"),
        pytest.param(arp_packet(VIP, operation=3), Ignored.NOT_A_REQUEST, id="an operation of another protocol"),
        pytest.param(arp_packet(VIP, sender_mac=NO_MAC), Ignored.SENDER_MAC, id="from no MAC"),
        pytest.param(arp_packet(VIP, sender_mac=b"\x33" * 6), Ignored.SENDER_MAC, id="from a group's MAC"),
        pytest.param(arp_packet(VIP, sender_mac=OUR_OTHER), ..., id="from another link of ours"),
        pytest.param(
            arp_packet(VIP, sender=bytes(4)),
            arp.reply(OURS, VIP, to_mac=CLIENT, to_address=bytes(4)),
            id="a probe is answered",
        ),
        pytest.param(arp_packet(VIP, sender=bytes(4), sender_mac=OURS), Ignored.OWN_FRAME, id="our own probe"),
        pytest.param(arp_packet(VIP, sender=VIP), Ignored.CLAIM, id="an announcement asks nobody"),
        pytest.param(arp_packet(VIP)[:12] + b"\x81\x00\x00\x05" + arp_packet(VIP)[12:], Ignored.VLAN_TAGGED, id="VLAN"),
        pytest.param(arp_packet(VIP)[:12] + b"\x08\x00" + bytes(40), Ignored.OTHER_TYPE, id="IPv4"),
        pytest.param(arp_packet(VIP)[:13], Ignored.TRUNCATED, id="cut short"),
        pytest.param(arp_packet(VIP)[:41], Ignored.TRUNCATED, id="cut short within the address"),
    ],
)
def test_arp_is_answered_or_ignored(frame: bytes, expected: object) -> None:
    if expected is ...:
        expected = arp.reply(OURS, VIP, to_mac=OUR_OTHER, to_address=ASKER)
    made = responder(VIP)
    assert made.receive(frame) == expected
    # The answer from memory is the same, and so is what is never remembered.
    assert made.receive(frame) == expected


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(solicitation(VIP6), ANSWER6, id="a question to the group"),
        pytest.param(solicitation(VIP6, unicast_to=OURS), ANSWER6, id="a question to our MAC"),
        pytest.param(
            solicitation(VIP6, unicast_to=OURS, source_mac=None), ANSWER6, id="to our MAC, without the asker's"
        ),
        pytest.param(
            damaged(solicitation(VIP6) + b"\x0e\x01" + bytes(6), 19, 40), ANSWER6, id="a question with a nonce"
        ),
        pytest.param(ndp.probe(CLIENT, VIP6), TO_ALL, id="a probe is answered to all nodes"),
        pytest.param(ndp.probe(OUR_OTHER, VIP6), Ignored.OWN_FRAME, id="our own probe"),
        pytest.param(solicitation(OTHER6), Ignored.NOT_OUR_ADDRESS, id="a question for another address"),
        pytest.param(
            solicitation(VIP6, unicast_to=STRANGER), Ignored.ETHERNET_DESTINATION, id="a question to another MAC"
        ),
        pytest.param(
            ndp.group_mac(ndp.ALL_NODES) + solicitation(VIP6)[6:],
            Ignored.ETHERNET_DESTINATION,
            id="a question to another group's MAC",
        ),
        pytest.param(solicitation(VIP6, source=VIP6), Ignored.CLAIM, id="a question from our address for itself"),
        pytest.param(solicitation(VIP6, source_mac=NO_MAC), Ignored.SENDER_MAC, id="from no MAC"),
        pytest.param(solicitation(VIP6, source_mac=b"\x33" * 6), Ignored.SENDER_MAC, id="from a group's MAC"),
        pytest.param(damaged(solicitation(VIP6), 21, 64), Ignored.HOP_LIMIT, id="forwarded by a router"),
        pytest.param(damaged(solicitation(VIP6), 57, 0), Ignored.CHECKSUM, id="a wrong checksum"),
        pytest.param(solicitation(VIP6)[:80], Ignored.TRUNCATED, id="cut short"),
        pytest.param(ndp.unsolicited(CLIENT, OTHER6, source=None), Ignored.NOT_A_SOLICITATION, id="of another's"),
    ],
)
def test_ndp_is_answered_or_ignored(frame: bytes, expected: bytes | Ignored) -> None:
    made = responder(VIP6)
    assert made.receive(frame) == expected
    assert made.receive(frame) == expected


def test_the_answers_have_the_octets_of_the_captured_ones() -> None:
    address = ip("192.168.1.240")
    made = responder(address, VIP6)
    assert made.receive(arp_packet(address, sender=ip("192.168.1.50"))) == vector("arp-reply")
    captured = vector("ndp-advertisement")
    assert made.receive(solicitation(VIP6))[:22] == captured[:22], "what follows is another source, and its checksum"


@given(asker=st.binary(min_size=16, max_size=16).filter(lambda octets: octets[0] != 0xFF and any(octets)))
def test_the_checksum_from_the_template_is_that_of_the_codec(asker: bytes) -> None:
    expected = ndp.advertisement(OURS, VIP6, source=None, to_mac=CLIENT, to=asker)
    assert responder(VIP6).receive(solicitation(VIP6, source=asker)) == expected


@pytest.mark.parametrize(
    ("frame", "claim"),
    [
        pytest.param(arp_packet(OTHER, sender=VIP), (ClaimKind.ARP_REQUEST, VIP), id="a request from it"),
        pytest.param(arp_packet(VIP, sender=VIP), (ClaimKind.ARP_REQUEST, VIP), id="an announcement as a request"),
        pytest.param(arp_packet(VIP, sender=VIP, operation=2), (ClaimKind.ARP_REPLY, VIP), id="one as a reply"),
        pytest.param(
            arp_packet(ASKER, sender=VIP, operation=2, to=OURS), (ClaimKind.ARP_REPLY, VIP), id="a reply to us"
        ),
        pytest.param(arp_packet(VIP, sender=bytes(4)), (ClaimKind.ARP_PROBE, VIP), id="an ARP probe"),
        pytest.param(ndp.probe(CLIENT, VIP6), (ClaimKind.DAD_SOLICITATION, VIP6), id="an NDP probe"),
        pytest.param(
            solicitation(OTHER6, source=VIP6), (ClaimKind.NEIGHBOR_SOLICITATION, VIP6), id="a solicitation from it"
        ),
        pytest.param(
            ndp.unsolicited(CLIENT, VIP6, source=None), (ClaimKind.NEIGHBOR_ADVERTISEMENT, VIP6), id="an advertisement"
        ),
        pytest.param(
            ndp.advertisement(CLIENT, VIP6, source=ASKER6, to_mac=OURS, to=LINK_LOCAL),
            (ClaimKind.NEIGHBOR_ADVERTISEMENT, VIP6),
            id="an advertisement to us",
        ),
    ],
)
@pytest.mark.parametrize("is_owned", [True, False], ids=["owned", "watched"])
def test_a_frame_of_another_host_that_claims_an_address_is_told(
    frame: bytes, claim: tuple[ClaimKind, bytes], *, is_owned: bool
) -> None:
    made = responder(VIP, VIP6) if is_owned else responder(watched=(VIP, VIP6))
    made.receive(frame)
    kind, address = claim
    assert made.take_claims() == [Claim(address, CLIENT, kind, "eth0", frame)]
    assert made.take_claims() == []


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(arp.gratuitous_request(OUR_OTHER, VIP), id="ARP, as a request"),
        pytest.param(arp.gratuitous_reply(OUR_OTHER, VIP), id="ARP, as a reply"),
        pytest.param(arp.probe(OUR_OTHER, VIP), id="ARP, a probe"),
        pytest.param(ndp.unsolicited(OUR_OTHER, VIP6, source=LINK_LOCAL), id="NDP"),
        pytest.param(ndp.probe(OUR_OTHER, VIP6), id="NDP, a probe"),
    ],
)
def test_what_another_link_of_ours_says_is_no_claim(frame: bytes) -> None:
    made = responder(VIP, VIP6)
    assert made.receive(frame) is Ignored.OWN_FRAME
    assert claims(made) == []


def test_an_ordinary_question_is_no_claim() -> None:
    made = responder(VIP, VIP6)
    made.receive(arp_packet(VIP))
    made.receive(solicitation(VIP6))
    assert claims(made) == []


def test_a_claim_of_what_is_neither_owned_nor_watched_is_not_told() -> None:
    made = responder(VIP, VIP6)
    assert made.receive(arp_packet(OTHER, sender=OTHER)) is Ignored.NOT_OUR_ADDRESS
    assert made.receive(ndp.probe(CLIENT, OTHER6)) is Ignored.NOT_OUR_ADDRESS
    assert claims(made) == []


def test_what_is_only_watched_is_not_answered() -> None:
    made = responder(watched=(VIP, VIP6))
    assert made.receive(arp_packet(VIP)) is Ignored.NOT_OUR_ADDRESS
    assert made.receive(solicitation(VIP6)) is Ignored.NOT_OUR_ADDRESS
    assert made.receive(ndp.probe(CLIENT, VIP6)) is Ignored.CLAIM


def test_watching_what_is_owned_changes_nothing() -> None:
    made = responder(VIP, VIP6, watched=(VIP, VIP6))
    assert made.receive(arp_packet(VIP)) == ANSWER
    assert made.receive(solicitation(VIP6)) == ANSWER6


def test_what_is_disowned_is_answered_no_more_even_if_it_was_before() -> None:
    made = responder(VIP, VIP6)
    questions = [arp_packet(VIP), solicitation(VIP6)]
    assert [made.receive(question) for question in questions] == [ANSWER, ANSWER6]
    made.disown(VIP)
    made.disown(VIP6)
    assert [made.receive(question) for question in questions] == [Ignored.NOT_OUR_ADDRESS] * 2
    made.receive(arp_packet(VIP, sender=VIP))
    assert claims(made) == []


def test_a_question_from_an_address_that_is_owned_since_is_a_claim() -> None:
    made = responder(VIP, VIP6)
    questions = [arp_packet(VIP, sender=OTHER), solicitation(VIP6, source=OTHER6)]
    for question in questions:
        made.receive(question)
    assert claims(made) == []
    made.watch(OTHER)
    made.own(OTHER6)
    for question in questions:
        made.receive(question)
    assert claims(made) == [
        (ClaimKind.ARP_REQUEST, OTHER, CLIENT),
        (ClaimKind.NEIGHBOR_SOLICITATION, OTHER6, CLIENT),
    ]


def test_a_link_that_changes_its_mac_and_address_answers_with_the_new_ones() -> None:
    made = responder(VIP, VIP6)
    made.receive(arp_packet(VIP))
    made.receive(solicitation(VIP6))
    made.update(LinkState(index=2, name="lan0", mac=OUR_OTHER))
    assert made.receive(arp_packet(VIP)) == arp.reply(OUR_OTHER, VIP, to_mac=CLIENT, to_address=ASKER)
    assert made.receive(arp_packet(VIP, to=OURS)) is Ignored.ETHERNET_DESTINATION
    expected = ndp.advertisement(OUR_OTHER, VIP6, source=None, to_mac=CLIENT, to=ASKER6)
    assert made.receive(solicitation(VIP6)) == expected
    made.receive(arp_packet(VIP, sender=VIP))
    assert [claim.link for claim in made.take_claims()] == ["lan0"]


def test_a_link_without_a_mac_answers_nothing_until_it_has_one() -> None:
    made = responder(VIP, VIP6, state=LinkState(index=2, name="eth0"))
    assert made.receive(arp_packet(VIP)) is Ignored.NOT_OUR_ADDRESS
    assert made.receive(solicitation(VIP6)) is Ignored.NOT_OUR_ADDRESS
    made.update(LINK)
    assert made.receive(arp_packet(VIP)) == ANSWER
    assert made.receive(solicitation(VIP6)) == ANSWER6


def test_a_flood_of_claims_keeps_few() -> None:
    made = responder(VIP)
    for number in range(10 * MOST_CLAIMS):
        made.receive(arp_packet(VIP, sender=VIP, sender_mac=b"\x02" + number.to_bytes(5, "big")))
    assert len(made.take_claims()) == MOST_CLAIMS
