"""NOTIFICATION: the words for people, shutdown communications, and what a hostile peer may write into them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.messages import decode_notification, encode_notification
from reconciler.bgp.notification import Cease, Code, Notification, OpenError, cease, hard_reset
from reconciler.bgp.notification_words import CODES, SUBCODES
from tests.l2.vectors import vector

_HEADER = 19
_TERMINAL = 'off\x1b[2J"\u202e\n\u00fcber\\'


@pytest.mark.parametrize(
    ("notification", "sentence"),
    [
        pytest.param(Notification(4), "Hold Timer Expired (4/0)", id="a code that has no subcodes"),
        pytest.param(Notification(2, 2), "OPEN Message Error: Bad Peer AS (2/2)", id="code and subcode"),
        pytest.param(Notification(2), "OPEN Message Error (2/0)", id="unspecific"),
        pytest.param(
            Notification(1, 2, b"\x13\x88"), "Message Header Error: Bad Message Length (1/2), data 1388", id="data"
        ),
        pytest.param(
            Notification(6, 2, b"\5maint"), 'Cease: Administrative Shutdown (6/2): "maint"', id="a shutdown's text"
        ),
        pytest.param(Notification(6, 4, b"\5maint"), 'Cease: Administrative Reset (6/4): "maint"', id="a reset's text"),
        pytest.param(Notification(6, 2), "Cease: Administrative Shutdown (6/2)", id="a shutdown without a text"),
        pytest.param(
            Notification(6, 2, b"\0"), "Cease: Administrative Shutdown (6/2), data 00", id="a shutdown, an empty text"
        ),
        pytest.param(
            Notification(6, 2, b"\6maint"),
            "Cease: Administrative Shutdown (6/2), data 066d61696e74",
            id="a text that is cut off",
        ),
        pytest.param(
            Notification(6, 2, b"\2\xff\xfe"), "Cease: Administrative Shutdown (6/2), data 02fffe", id="no text at all"
        ),
        pytest.param(
            hard_reset(cease(Cease.ADMINISTRATIVE_SHUTDOWN, "maint")),
            'Cease: Hard Reset (6/9), for Cease: Administrative Shutdown (6/2): "maint"',
            id="a hard reset and what it is about",
        ),
        pytest.param(Notification(6, 9), "Cease: Hard Reset (6/9)", id="a hard reset that does not say"),
        pytest.param(
            hard_reset(hard_reset(Notification(4))),
            "Cease: Hard Reset (6/9), for Cease: Hard Reset (6/9), data 0400",
            id="a hard reset of a hard reset",
        ),
        pytest.param(Notification(6, 99), "Cease: unknown subcode (6/99)", id="an unknown subcode"),
        pytest.param(
            Notification(99, 3, b"\1"), "unknown error: unknown subcode (99/3), data 01", id="an unknown code"
        ),
        pytest.param(
            Notification(3, 1, bytes(40)),
            f"UPDATE Message Error: Malformed Attribute List (3/1), data {'00' * 32}...",
            id="long data",
        ),
        pytest.param(
            cease(Cease.ADMINISTRATIVE_SHUTDOWN, _TERMINAL),
            r'Cease: Administrative Shutdown (6/2): "off\x1b[2J\"\u202e\nüber\\"',
            id="what would steer a terminal",
        ),
    ],
)
def test_a_notification_in_words(notification: Notification, sentence: str) -> None:
    assert str(notification) == sentence


@pytest.mark.parametrize("code", Code)
def test_every_code_has_words(code: Code) -> None:
    assert str(Notification(code)) == f"{CODES[code]} ({int(code)}/0)"


@pytest.mark.parametrize("subcode", Cease)
def test_every_reason_to_cease_has_words(subcode: Cease) -> None:
    assert str(cease(subcode)) == f"Cease: {SUBCODES[Code.CEASE, subcode]} (6/{int(subcode)})"


@given(code=st.integers(0, 255), subcode=st.integers(0, 255), data=st.binary(max_size=300))
def test_whatever_a_peer_sends_is_one_printable_line(code: int, subcode: int, data: bytes) -> None:
    for each in (Notification(code, subcode, data), Notification(6, 2, data), hard_reset(Notification(6, 4, data))):
        assert str(each).isprintable()
        assert decode_notification(encode_notification(each)[_HEADER:]) == each


def test_ten_thousand_nested_hard_resets_are_one_line() -> None:
    assert len(str(Notification(6, 9, b"\6\x09" * 10_000))) < 300


def test_a_shutdown_has_the_octets_of_the_vector() -> None:
    assert encode_notification(cease(Cease.ADMINISTRATIVE_SHUTDOWN, "maint")) == vector("bgp-notification")
    assert decode_notification(vector("bgp-notification")[_HEADER:]).communication == "maint"


@given(text=st.text(min_size=1, max_size=300), subcode=st.sampled_from([2, 4]))
def test_a_communication_is_the_longest_beginning_that_fits(text: str, subcode: int) -> None:
    data = cease(Cease(subcode), text).data
    said = data[1:].decode()
    assert data[0] == len(data) - 1 <= 255
    assert text.startswith(said)
    rest = text[len(said) :]
    assert not rest or len((said + rest[0]).encode()) > 255


def test_a_communication_survives_what_is_no_unicode() -> None:
    assert cease(Cease.ADMINISTRATIVE_RESET, "a\udcffb").data == b"\3a?b"


@pytest.mark.parametrize("subcode", sorted(set(Cease) - {2, 4}))
def test_other_reasons_carry_no_text(subcode: Cease) -> None:
    assert cease(subcode, "maint") == Notification(Code.CEASE, subcode)


def test_data_that_fit_into_no_message_are_cut() -> None:
    assert len(encode_notification(Notification(2, OpenError.UNSUPPORTED_CAPABILITY, bytes(5000)))) == 4096
