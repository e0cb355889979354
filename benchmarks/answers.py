"""
Answers to ARP and NDP: ours, beside the kernel's own and beside a responder on the Go libraries that MetalLB uses.

A node and a client with nothing but a cable between them; all responders are measured in turn, several times over, so
that a busy minute of the machine meets each of them.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from benchmarks import responders
from benchmarks.asking import MAC, Client, askers, client_of
from benchmarks.responders import INTERFACE, Running
from reconciler.cli.lab import Lab

_ROUNDS = 5
_QUESTIONS = 500
_BURSTS = 10
_FLOOD_SECONDS = 0.7
_ADDRESSES = (("ARP", "198.51.100.100"), ("NDP", "2001:db8:1::100"))

Responder = Callable[[], AbstractContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Answers:
    """
    One responder for one protocol: seconds from question to answer, and how many a second in a flood and in a burst.

    On two cores a flood is no faster than one of them can send it, and who answers all of it shows no more; so what was
    answered is also given per second of CPU, and a burst is sent before the responder gets to run.
    """

    protocol: str
    responder: str
    latencies: list[float] = field(default_factory=list)
    offered: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    per_cpu_second: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)


def rows() -> Iterator[Answers]:
    """Every responder for ARP, then for NDP."""
    with Lab("node", "client") as lab, responders.built_go_responder() as go_program:
        _connect(lab)
        with client_of(lab) as client:
            for protocol, address in _ADDRESSES:
                asked: dict[str, Responder] = {
                    "ours": partial(responders.ours, lab, address),
                    "kernel": partial(responders.kernel, lab, address),
                }
                if go_program is not None:
                    asked["Go"] = partial(responders.go, lab, go_program, address)
                measured = {name: Answers(protocol, name) for name in asked}
                for _ in range(_ROUNDS):
                    for name, responder in asked.items():
                        _measure(client, responder, address, measured[name])
                yield from measured.values()


def print_answers(rows: Iterable[Answers]) -> None:
    """One line each: latency in microseconds, thousands of answers a second in a flood, and what that is beside Go."""
    print(f"{'':<12}{'p50 us':>9}{'p99':>9}{'k asked/s':>11}{'answered':>10}{'per core':>10}{'burst':>8}", end="")
    print(f"{'x Go: p50':>12}{'answered':>10}{'per core':>10}{'burst':>8}{'load':>6}")
    by_protocol: dict[str, list[Answers]] = {}
    for row in rows:
        by_protocol.setdefault(row.protocol, []).append(row)
    for measured in by_protocol.values():
        floor = next((row for row in measured if row.responder == "Go"), None)
        for row in measured:
            _print_row(row, floor)


def _print_row(row: Answers, floor: Answers | None) -> None:
    ordered = sorted(row.latencies)
    p99 = ordered[-1 - len(ordered) // 100]
    print(f"{f'{row.protocol} {row.responder}':<12}{median(ordered) * 1e6:>9.1f}{p99 * 1e6:>9.1f}", end="")
    print(f"{median(row.offered) / 1e3:>11.0f}{median(row.answered) / 1e3:>10.0f}", end="")
    print(f"{_thousands(row.per_cpu_second):>10}{_thousands(row.burst):>8}", end="")
    if floor is not None:
        print(f"{_times(row.latencies, floor.latencies):>12}{_times(row.answered, floor.answered):>10}", end="")
        print(f"{_times(row.per_cpu_second, floor.per_cpu_second):>10}{_times(row.burst, floor.burst):>8}", end="")
    print(f"{os.getloadavg()[0]:>6.1f}", flush=True)


def _thousands(values: list[float]) -> str:
    return f"{median(values) / 1e3:.0f}" if values else "-"


def _times(values: list[float], floor: list[float]) -> str:
    return f"{median(values) / median(floor):.2f}" if values and floor else "-"


def _measure(client: Client, responder: Responder, address: str, measured: Answers) -> None:
    with responder() as running:
        # The first questions warm everything up.
        client.latencies(address, 50)
        measured.latencies.extend(client.latencies(address, _QUESTIONS))
        if running.is_process:
            measured.burst.extend(client.burst(address, running) for _ in range(_BURSTS))
        used = running.cpu_seconds()
        offered, answered, elapsed = client.flood(address, _FLOOD_SECONDS)
        measured.offered.append(offered)
        measured.answered.append(answered)
        now_used = running.cpu_seconds()
        if used is not None and now_used is not None and now_used > used:
            measured.per_cpu_second.append(answered * elapsed / (now_used - used))


def _connect(lab: Lab) -> None:
    """A cable from node to client, and what the kernel needs to answer clients that are not there."""
    peer = ("peer", "name", INTERFACE, "netns", lab.namespace("client"), "address", MAC)
    lab.run("node", "ip", "link", "add", INTERFACE, "address", responders.MAC, "type", "veth", *peer)
    # What the client's kernel would do with an answer, it would do in the responder's time.
    lab.run("client", "sysctl", "-qw", f"net.ipv6.conf.{INTERFACE}.disable_ipv6=1")
    lab.run("client", "ip", "link", "set", INTERFACE, "arp", "off")
    for host in ("node", "client"):
        lab.run(host, "ip", "link", "set", INTERFACE, "up")
    lab.run("node", "ip", "addr", "add", "198.51.100.1/24", "dev", INTERFACE)
    lab.run("node", "ip", "addr", "add", "2001:db8:1::1/64", "dev", INTERFACE, "nodad")
    for _, address in _ADDRESSES:
        for asker in askers(address):
            lab.run("node", "ip", "neigh", "replace", asker, "lladdr", MAC, "nud", "permanent", "dev", INTERFACE)
