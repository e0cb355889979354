"""Files of /proc, as kernels write them."""

import ctypes
import os
import socket
from pathlib import Path

from reconciler.addresses.family import parse_address
from reconciler.cli import preflight_proc as proc

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth1\t00000000\t010200C0\t0002\t0\t0\t200\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1D30 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 0A0200C0:00B3 FE0200C0:D431 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx rx tr tm retr uid timeout inode
   0: B80D0120000000000000000001000000:1F0B 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 333 1 0 100
"""


def test_default_routes_are_those_that_are_up() -> None:
    assert proc.default_routes(ROUTES) == {"eth0"}
    assert proc.default_routes("") == frozenset()


def test_sockets_that_listen() -> None:
    (found,) = proc.listening(TCP, "tcp")
    assert (str(found.address), found.port, found.inode) == ("127.0.0.1", 7472, "111")
    (found,) = proc.listening(TCP6, "tcp")
    assert (str(found.address), found.port, found.inode) == ("2001:db8::1", 7947, "333")


def test_addresses_of_ipv6() -> None:
    line = "20010db8000000000000000000000001 02 40 00 80     eth0\n"
    assert [(name, str(address)) for name, address in proc.ipv6_addresses(line)] == [("eth0", "2001:db8::1")]


def test_capabilities_in_force() -> None:
    assert proc.effective_capabilities("CapPrm:\tffff\nCapEff:\t0000000000002000\nCapBnd:\tffff\n") == 1 << 13
    assert proc.effective_capabilities("") == 0


def test_this_kernel_writes_the_same() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        inode = Path(f"/proc/self/fd/{listener.fileno()}").stat().st_ino
        found = {line.inode: line for line in proc.listening(Path("/proc/thread-self/net/tcp").read_text(), "tcp")}
        assert found[str(inode)][:2] == (parse_address("127.0.0.1"), listener.getsockname()[1])


def test_what_an_instance_watches(tmp_path: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    instance = libc.inotify_init1(os.O_CLOEXEC)
    try:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            assert libc.inotify_add_watch(instance, os.fsencode(tmp_path / name), 0x100) > 0
        assert proc.watches(Path(f"/proc/self/fdinfo/{instance}").read_text()) == 2
    finally:
        os.close(instance)
