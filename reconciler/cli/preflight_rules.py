"""What `reconciler preflight` finds: a host and what is wanted of it → findings, each with the fix. Pure."""

from collections.abc import Iterator

from reconciler.addresses.family import Address, Family
from reconciler.cli.preflight_facts import BGP_PORT, METALLB_PORT, Host, Listener, Need, Process, Wishes
from reconciler.cli.preflight_findings import Finding, Level, in_order
from reconciler.cli.preflight_interface_rules import IPVS_INTERFACES, interface_findings

# Numbers of capabilities(7).
CAP_NET_BIND_SERVICE, CAP_NET_RAW = 10, 13
# The share of a limit of inotify from which a new watcher may soon not get what it needs.
_NEARLY = 0.9
_FEW_INSTANCES = 128

_RUNS = "it announces Services, or other addresses, from this node"
# By the short name of the process, which has at most 15 characters.
_ANNOUNCERS = {
    "kube-vip": ("kube-vip", _RUNS),
    "keepalived": ("keepalived", "it moves addresses of its own between hosts by VRRP"),
    "cilium-agent": ("Cilium", "with l2announcements or its BGP control plane it announces Services as well"),
    "kube-router": ("kube-router", "with --advertise-loadbalancer-ip it tells the same peers by BGP"),
    "bgpd": ("FRR", "its BGP daemon may hold port 179, and sessions with the same routers"),
    "bird": ("BIRD", "it may hold port 179, and sessions with the same routers (Calico runs one)"),
    "bird6": ("BIRD", "it may hold port 179, and sessions with the same routers (Calico runs one)"),
    "gobgpd": ("GoBGP", "it may hold port 179, and sessions with the same routers"),
    "exabgp": ("ExaBGP", "it may have sessions with the same routers"),
}
_METALLB = "MetalLB"


def examine(host: Host, wishes: Wishes) -> tuple[Finding, ...]:
    """Everything that is to be said, the worst first."""
    return in_order(
        (
            *interface_findings(host, wishes),
            *_capabilities(host, wishes),
            *_ports(host, wishes),
            *_announcers(host),
            *_addresses(host, wishes),
            *_seeds(host),
            *_clock(host),
            *_inotify(host),
            *_configuration(wishes),
        )
    )


def _configuration(wishes: Wishes) -> Iterator[Finding]:
    if wishes.problems:
        yield Finding(
            Level.WARNING,
            "configuration-refused",
            "",
            f"it has errors ({wishes.problems}), so this node was looked at without it",
            "reconciler validate names them with file and line",
        )


def _capabilities(host: Host, wishes: Wishes) -> Iterator[Finding]:
    if not host.capabilities >> CAP_NET_RAW & 1:
        yield Finding(
            Level.ERROR,
            "no-net-raw",
            "",
            "this process lacks NET_RAW, without which a speaker does not start",
            "run it with user id 0 and capabilities: {add: [NET_RAW]}, as the speaker",
        )
    if not wishes.listens_for_peers:
        return
    low = [need.port for need in wishes.needs if need.port < host.first_unprivileged_port]
    if low and not host.capabilities >> CAP_NET_BIND_SERVICE & 1:
        yield Finding(
            Level.ERROR,
            "no-net-bind-service",
            "",
            f"this process lacks NET_BIND_SERVICE, and bgp.listen wants port {low[0]}",
            "add NET_BIND_SERVICE to the capabilities of the speaker, choose a port from "
            f"{host.first_unprivileged_port} on, or do without bgp.listen",
        )


def _ports(host: Host, wishes: Wishes) -> Iterator[Finding]:
    for need in wishes.needs:
        holder = next((found for found in host.listeners if _is_in_the_way(found, need)), None)
        if holder is not None:
            yield Finding(
                Level.ERROR,
                "port-taken",
                f"{need.protocol}/{need.port}",
                f"{_named(holder)} listens on it already, and the speaker needs it for {need.purpose}",
                "end what listens there, or choose another port",
            )
    for process in host.processes:
        if process.is_our_speaker:
            yield Finding(
                Level.INFO,
                "speaker-runs",
                "",
                f"a speaker of this program runs already (process {process.pid}); its ports are its own",
                "nothing",
            )
            break


def _is_in_the_way(listener: Listener, need: Need) -> bool:
    """Whether we could not listen beside it. A socket of one address leaves the others free."""
    if (listener.protocol, listener.port) != (need.protocol, need.port):
        return False
    if listener.owner is not None and listener.owner.is_our_speaker:
        return False
    return listener.address.value == 0 or _is_loopback(listener.address) == need.is_local


def _is_loopback(address: Address) -> bool:
    """127.0.0.0/8 and ::1."""
    return address.value >> 24 == 127 if address.family is Family.IPV4 else address.value == 1


def _named(listener: Listener) -> str:
    owner = listener.owner
    return "a process that cannot be seen from here" if owner is None else f"{owner.name} (process {owner.pid})"


def _announcers(host: Host) -> Iterator[Finding]:
    seen: dict[str, tuple[Process, str]] = {}
    for process in host.processes:
        name, message = _announcer(process)
        if name and name not in seen:
            seen[name] = process, message
    for name, (process, message) in seen.items():
        yield Finding(
            Level.WARNING,
            "other-announcer",
            name,
            f"it runs on this node (process {process.pid}): {message}",
            "let each Service and each router have one of the two: by another loadBalancerClass (--lb-class), or other "
            "peers",
        )
    if host.sees_all_processes:
        return
    yield Finding(
        Level.INFO,
        "processes-unseen",
        "",
        "the processes of the host cannot be seen from here, so other announcers show by their ports only",
        "nothing; or run it on the host, or once in a Pod with hostPID: true",
    )
    for port, who in ((BGP_PORT, "a BGP daemon"), (METALLB_PORT, f"a speaker of {_METALLB}")):
        if any(found.protocol == "tcp" and found.port == port and found.owner is None for found in host.listeners):
            yield Finding(
                Level.WARNING,
                "other-announcer",
                f"tcp/{port}",
                f"something listens there: probably {who}",
                "let each Service and each router have one of the two",
            )


def _announcer(process: Process) -> tuple[str, str]:
    """What announces addresses, and what that means; empty where it is nothing of the kind."""
    first = process.command.partition(" ")[0]
    if process.name == "speaker" and first.endswith("/speaker"):
        return _METALLB, "it announces every Service that its own configuration has an address for"
    return _ANNOUNCERS.get(process.name, ("", ""))


def _addresses(host: Host, wishes: Wishes) -> Iterator[Finding]:
    for interface in host.interfaces:
        if interface.name in IPVS_INTERFACES:
            continue
        for address in interface.addresses:
            pool = next((name for name, addresses in wishes.pools if address in addresses), None)
            if pool is not None:
                yield Finding(
                    Level.ERROR,
                    "address-on-host",
                    str(address),
                    f'it is in pool "{pool}", and stands on {interface.name} of this node, whose kernel answers for it',
                    "take it off the interface (kube-vip and keepalived put addresses there), or out of the pool",
                )
    for answer in host.answers:
        yield Finding(
            Level.ERROR,
            "address-in-use",
            str(answer.address),
            f"{answer.mac} answers for it on {answer.interface}",
            "nothing, where that is the node that announces it now; otherwise find the host, or take the address out "
            "of the pool",
        )
    for name, reason in host.unprobed:
        yield Finding(Level.WARNING, "not-probed", name, f"nobody could be asked on it: {reason}", "see the reason")


def _seeds(host: Host) -> Iterator[Finding]:
    for seed, reason in host.unreachable_seeds:
        yield Finding(
            Level.ERROR,
            "seed-unreachable",
            seed,
            f"no connection by TCP: {reason}",
            "let TCP and UDP on membership.port pass between all nodes; refused means that no speaker runs there",
        )


def _clock(host: Host) -> Iterator[Finding]:
    if host.is_clock_synchronized is False:
        yield Finding(
            Level.WARNING,
            "clock",
            "",
            "the kernel's clock is not synchronized: Leases, certificates and the times in logs go by it",
            "run chrony or systemd-timesyncd; chronyc tracking, or timedatectl, tells how it is",
        )


def _inotify(host: Host) -> Iterator[Finding]:
    have = host.inotify
    if have.error is not None:
        yield Finding(
            Level.ERROR,
            "inotify",
            "",
            f"no file can be watched now: {have.error}; changes of the configuration would not be noticed at once",
            f"sysctl -w fs.inotify.max_user_instances={max(_FEW_INSTANCES, have.max_instances) * 4}, or find what "
            "leaves instances open",
        )
        return
    limits = (
        ("fs.inotify.max_user_instances", have.instances, have.max_instances),
        ("fs.inotify.max_user_watches", have.watches, have.max_watches),
    )
    for name, used, limit in limits:
        if used >= limit * _NEARLY:
            yield Finding(
                Level.WARNING,
                "inotify",
                name,
                f"{used} of {limit} are used by this user",
                f"sysctl -w {name}={limit * 4}, and in /etc/sysctl.d for the next start",
            )
