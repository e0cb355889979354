"""Every refusal of the kernel has words."""

import errno
import os

import pytest

from reconciler.bgp.kernel_refusals import (
    why_ended,
    why_no_device,
    why_no_password,
    why_not_bound,
    why_not_connected,
)


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("raised", "has_password", "is_one_hop", "expected"),
    [
        pytest.param(TimeoutError(), True, False, "different MD5 password", id="silence with a password"),
        pytest.param(TimeoutError(), False, False, "an MD5 password that it wants", id="silence without one"),
        pytest.param(error(errno.ETIMEDOUT), True, False, "no answer", id="the kernel's patience"),
        pytest.param(error(errno.ECONNREFUSED), False, False, "refuses", id="refused"),
        pytest.param(error(errno.EHOSTUNREACH), False, True, "ebgpMultiHop", id="unreachable in one hop"),
        pytest.param(error(errno.ENETUNREACH), False, False, "no route", id="no route"),
        pytest.param(error(errno.EADDRNOTAVAIL), False, False, "no address", id="no address of ours"),
        pytest.param(error(errno.EACCES), False, False, "rule of this host", id="forbidden"),
        pytest.param(error(errno.EPROTO), False, False, "Protocol error", id="anything else in the kernel's words"),
    ],
)
def test_why_a_connection_did_not_open(raised: OSError, has_password: bool, is_one_hop: bool, expected: str) -> None:
    assert expected in why_not_connected(raised, has_password=has_password, is_one_hop=is_one_hop)


def test_a_peer_beyond_the_link_is_not_suspected_where_it_may_be_there() -> None:
    said = why_not_connected(error(errno.EHOSTUNREACH), has_password=False, is_one_hop=False)
    assert "ebgpMultiHop" not in said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (why_ended(error(errno.ECONNRESET)), "reset"),
        (why_ended(error(errno.ETIMEDOUT)), "acknowledges nothing"),
        (why_ended(error(errno.EPROTO)), "Protocol error"),
        (why_not_bound(error(errno.EADDRNOTAVAIL), "192.0.2.9", 179), "192.0.2.9 is no address of this host"),
        (why_not_bound(error(errno.EACCES), "0.0.0.0", 179), "NET_BIND_SERVICE"),  # noqa: S104
        (why_not_bound(error(errno.EADDRINUSE), "0.0.0.0", 179), "port 179 is taken"),  # noqa: S104
        (why_not_bound(error(errno.EADDRINUSE), "192.0.2.9", 0), "Address already in use"),
        (why_no_device(error(errno.ENODEV), "red"), "no interface or VRF red"),
        (why_no_device(error(errno.EPERM), "red"), "NET_RAW"),
        (why_no_device(error(errno.EPROTO), "red"), "cannot bind to red: Protocol error"),
        (why_no_password(error(errno.ENOPROTOOPT)), "no TCP MD5"),
        (why_no_password(error(errno.ENOMEM)), "optmem_max"),
        (why_no_password(error(errno.EINVAL)), "80 octets"),
        (why_no_password(error(errno.EPROTO)), "Protocol error"),
    ],
)
def test_what_the_kernel_refuses_says_what_would_help(said: str, expected: str) -> None:
    assert expected in said
