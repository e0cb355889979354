"""What `reconciler preflight` reads from this host: /proc, /sys and the kernel. Nothing is changed, nothing judged."""

import ctypes
import errno
import http.client
import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fcntl import ioctl
from pathlib import Path

from reconciler.addresses.family import Address, unpacked
from reconciler.cli import preflight_proc
from reconciler.cli.preflight_facts import Host, Inotify, Interface, Listener, Process
from reconciler.l2.port import LinkState

_PROC, _NET = Path("/proc"), Path("/proc/thread-self/net")
_IPV4, _IPV6 = Path("/proc/sys/net/ipv4/conf"), Path("/proc/sys/net/ipv6/conf")
_SYS = Path("/sys/class/net")
# netdevice(7), <linux/if.h>.
_SIOCGIFCONF, _IFREQ, _MOST_ADDRESSES = 0x8912, 40, 1024
# PROC_PID_INIT_INO of <linux/proc_ns.h>: the process namespace that a machine starts with.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
# adjtimex(2).
_STA_UNSYNC, _TIME_ERROR = 0x40, 5
# Where kube-proxy says how it works, and how many seconds it has for that.
_KUBE_PROXY, _KUBE_PROXY_PATIENCE = ("127.0.0.1", 10249), 0.5


def gather(links: Iterable[LinkState]) -> Host:
    """Everything about this host but what others have to be asked for; `links` are those of rtnetlink."""
    seen = _look_at_processes()
    return Host(
        interfaces=_interfaces(links),
        default_routes=preflight_proc.default_routes(_text(_NET / "route")),
        capabilities=preflight_proc.effective_capabilities(_text(_PROC / "thread-self/status")),
        first_unprivileged_port=_number(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start"), 1024),
        listeners=tuple(_listeners(seen.owners)),
        processes=tuple(seen.processes),
        sees_all_processes=_link(_PROC / "self/ns/pid") == _FIRST_PID_NAMESPACE,
        kube_proxy_mode=_kube_proxy_mode(),
        is_clock_synchronized=_is_clock_synchronized(),
        inotify=_inotify(seen),
    )


def _interfaces(links: Iterable[LinkState]) -> tuple[Interface, ...]:
    addresses: dict[str, list[Address]] = {}
    for name, address in (*_ipv4_addresses(), *preflight_proc.ipv6_addresses(_text(_NET / "if_inet6"))):
        addresses.setdefault(name, []).append(address)
    return tuple(_interface(link, addresses.get(link.name, [])) for link in links)


def _interface(link: LinkState, addresses: Iterable[Address]) -> Interface:
    def in_force(setting: str) -> int:
        # ip-sysctl: the greater one counts.
        return max(_number(_IPV4 / name / setting, 0) for name in ("all", link.name))

    return Interface(
        link,
        mtu=_number(_SYS / link.name / "mtu", 0),
        kind=_kind(_SYS / link.name),
        rp_filter=in_force("rp_filter"),
        arp_ignore=in_force("arp_ignore"),
        arp_announce=in_force("arp_announce"),
        # A kernel without IPv6 has no such file.
        is_ipv6_disabled=_number(_IPV6 / link.name / "disable_ipv6", 1) != 0,
        addresses=tuple(addresses),
    )


def _kind(folder: Path) -> str:
    found = re.search(r"^DEVTYPE=(\w+)$", _text(folder / "uevent"), re.MULTILINE)
    if found:
        return found[1]
    if (folder / "tun_flags").exists():
        return "tun"
    is_virtual = not (folder / "device").exists()
    # One end of a pair names the other.
    return "veth" if is_virtual and _text(folder / "iflink") != _text(folder / "ifindex") else ""


def _ipv4_addresses() -> Iterator[tuple[str, Address]]:
    """Interfaces and their IPv4 addresses, secondary ones as well."""
    buffer = ctypes.create_string_buffer(_IFREQ * _MOST_ADDRESSES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        answer = ioctl(asked, _SIOCGIFCONF, struct.pack("iP", len(buffer), ctypes.addressof(buffer)))
    for at in range(0, struct.unpack("iP", answer)[0], _IFREQ):
        # The name of an alias is that of its interface, and a label behind a colon.
        name = buffer.raw[at : at + 16].split(b"\0", 1)[0].decode(errors="replace").partition(":")[0]
        yield name, unpacked(buffer.raw[at + 20 : at + 24])


@dataclass(slots=True)
class _Seen:
    """Processes, which of them has which socket, and what those of our user have of inotify."""

    processes: list[Process] = field(default_factory=list)
    owners: dict[str, Process] = field(default_factory=dict)
    instances: int = 0
    watches: int = 0


def _look_at_processes() -> _Seen:
    seen = _Seen()
    for folder in _PROC.iterdir():
        # Whatever ends while it is looked at is left out.
        with suppress(OSError):
            if folder.name.isdecimal():
                _look_at(folder, seen)
    return seen


def _look_at(folder: Path, seen: _Seen) -> None:
    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    process = Process(int(folder.name), (folder / "comm").read_text(errors="replace").strip(), command)
    seen.processes.append(process)
    is_ours = folder.stat().st_uid == os.getuid()
    for descriptor in (folder / "fd").iterdir():
        target = _link(descriptor)
        if target.startswith("socket:["):
            seen.owners[target[8:-1]] = process
        elif target == "anon_inode:inotify" and is_ours:
            seen.instances += 1
            seen.watches += preflight_proc.watches(_text(folder / "fdinfo" / descriptor.name))


def _listeners(owners: Mapping[str, Process]) -> Iterator[Listener]:
    for name in ("tcp", "tcp6", "udp", "udp6"):
        protocol = name[:3]
        for found in preflight_proc.listening(_text(_NET / name), protocol):
            yield Listener(protocol, found.address, found.port, owners.get(found.inode))


def _inotify(seen: _Seen) -> Inotify:
    limits = Path("/proc/sys/fs/inotify")
    return Inotify(
        max_instances=_number(limits / "max_user_instances", 128),
        max_watches=_number(limits / "max_user_watches", 8192),
        instances=seen.instances,
        watches=seen.watches,
        error=_why_no_instance(),
    )


def _why_no_instance() -> str | None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        return os.strerror(ctypes.get_errno())
    os.close(descriptor)
    return None


class _Timex(ctypes.Structure):
    """The beginning of `struct timex` (adjtimex(2)), and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def _is_clock_synchronized() -> bool | None:
    libc = ctypes.CDLL(None, use_errno=True)
    clock = _Timex()
    state = libc.adjtimex(ctypes.byref(clock))
    return None if state < 0 else state != _TIME_ERROR and not clock.status & _STA_UNSYNC


def _kube_proxy_mode() -> str | None:
    """The word of kube-proxy, as `iptables`, `ipvs` or `nftables`; None where it does not listen there."""
    connection = http.client.HTTPConnection(*_KUBE_PROXY, timeout=_KUBE_PROXY_PATIENCE)
    try:
        connection.request("GET", "/proxyMode")
        answer = connection.getresponse().read(32).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer if re.fullmatch(r"[a-z]+", answer) else None


def _text(path: Path) -> str:
    """What a file says; empty where it is not there, or not for us."""
    try:
        return path.read_text(errors="replace")
    except OSError as exc:
        if exc.errno in {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ESRCH, errno.EINVAL, errno.ENOTDIR}:
            return ""
        raise


def _number(path: Path, otherwise: int) -> int:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else otherwise


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
