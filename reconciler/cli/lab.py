"""
A network on this machine: hosts in namespaces of their own, joined by a switch. For the demonstration and the tests.

Every interface is made inside its namespace, so nothing shows outside; the addresses are those set aside for
documentation (RFC 5737, RFC 3849). Needs root, and the commands of iproute2.
"""

import ctypes
import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from reconciler.errors import ReconcilerError

_CLONE_NEWNET = 0x40000000
_FIRST = 10
_NAMESPACES = Path("/run/netns")


class LabError(ReconcilerError):
    """The network could not be made: not Linux, not root, or no iproute2; the message says which."""


class Lab:
    """
    Hosts `eth0` to a switch each, number i with 192.0.2.(10+i)/24, 2001:db8::(10+i, decimal)/64 and the hardware
    address 02:00:00:00:00:(10+i, hexadecimal).

    Used as a context manager: afterwards the namespaces are gone, and the processes still in them are killed.
    """

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        self._prefix = f"lbr{secrets.token_hex(3)}"

    def __enter__(self) -> "Lab":
        try:
            self._build()
        except (OSError, subprocess.CalledProcessError) as exc:
            self._remove()
            raise LabError(f"the network cannot be made: {_detail(exc) or exc}") from exc
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def namespace(self, host: str) -> str:
        """The name of a host's network namespace; the switch is called "switch"."""
        return f"{self._prefix}-{host}"

    def address(self, host: str) -> str:
        """The IPv4 address of a host."""
        return f"192.0.2.{self._number(host)}"

    def address6(self, host: str) -> str:
        """The IPv6 address of a host."""
        return f"2001:db8::{self._number(host)}"

    def mac(self, host: str) -> str:
        """The hardware address of a host."""
        return f"02:00:00:00:00:{self._number(host):02x}"

    def inside(self, host: str) -> tuple[str, ...]:
        """What to put before a command that is to run on a host. It execs, so the process is the command."""
        return "ip", "netns", "exec", self.namespace(host)

    def run(self, host: str, *command: str, check: bool = True) -> str:
        """
        Run a command on a host and give what it prints.

        Raises:
            subprocess.CalledProcessError: It failed, and `check` is set.
        """
        done = subprocess.run([*self.inside(host), *command], check=check, capture_output=True, timeout=30)  # noqa: S603
        return done.stdout.decode(errors="replace")

    def cut(self, host: str) -> None:
        """Pull the cable at the switch: the host's interface stays up and loses its carrier."""
        _ip("-n", self.namespace("switch"), "link", "set", f"p-{host}", "down")

    def restore(self, host: str) -> None:
        """Put the cable back in."""
        _ip("-n", self.namespace("switch"), "link", "set", f"p-{host}", "up")

    def _number(self, host: str) -> int:
        return _FIRST + self.hosts.index(host)

    def _build(self) -> None:
        for name in ("switch", *self.hosts):
            _ip("netns", "add", self.namespace(name))
            _ip("-n", self.namespace(name), "link", "set", "lo", "up")
        switch = self.namespace("switch")
        # A bridge that watches multicast would want to hear of every group first: that is a test of its own.
        _ip("-n", switch, "link", "add", "br0", "type", "bridge", *_PLAIN_BRIDGE)
        _ip("-n", switch, "link", "set", "br0", "up")
        for host in self.hosts:
            self._connect(host, switch)

    def _connect(self, host: str, switch: str) -> None:
        namespace, port = self.namespace(host), f"p-{host}"
        # Without duplicate address detection, or its addresses could not be used for a second or two.
        self.run(host, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
        ends = ("type", "veth", "peer", "name", port, "netns", switch)
        _ip("link", "add", "eth0", "netns", namespace, "address", self.mac(host), *ends)
        _ip("-n", switch, "link", "set", port, "master", "br0", "up")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("-n", namespace, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")
        _ip("-n", namespace, "addr", "add", f"{self.address6(host)}/64", "dev", "eth0", "nodad")

    def _remove(self) -> None:
        for name in (*self.hosts, "switch"):
            namespace = self.namespace(name)
            listed = subprocess.run(["ip", "netns", "pids", namespace], check=False, capture_output=True)  # noqa: S603, S607
            for process in listed.stdout.split():
                subprocess.run(["kill", "-KILL", process], check=False, capture_output=True)  # noqa: S603, S607
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)  # noqa: S603, S607


_PLAIN_BRIDGE = ("forward_delay", "0", "stp_state", "0", "mcast_snooping", "0")


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """
    Let this thread make sockets in a namespace: they stay there for good. Never await in such a block.

    Raises:
        OSError: There is no such namespace, or we may not enter it.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor: int) -> None:
        # Python has it from 3.12 on.
        if libc.setns(descriptor, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(_NAMESPACES / namespace, os.O_RDONLY)
        try:
            enter(there)
            try:
                yield
            finally:
                enter(before)
        finally:
            os.close(there)
    finally:
        os.close(before)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)  # noqa: S603, S607


def _detail(error: OSError | subprocess.CalledProcessError) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else b""
    return (said or b"").decode(errors="replace").strip()


def why_no_lab(commands: Sequence[str] = ("ip", "sysctl")) -> str | None:
    """Why there can be no such network on this machine; None when there can."""
    if not _NAMESPACES.parent.is_dir() or os.name != "posix":
        return "network namespaces need Linux"
    missing = [command for command in commands if which(command) is None]
    if missing:
        return f"the command {missing[0]} is missing"
    if os.geteuid() != 0:
        return "network namespaces need root"
    return None
