"""`reconciler preflight`: what on this host would keep announcements from working, each with its fix."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TextIO

import msgspec

from reconciler.addresses.family import Address, AddressError, parse_address
from reconciler.cli.escape import visible
from reconciler.cli.json_stream import encode
from reconciler.cli.options import Output, wants_color
from reconciler.cli.preflight_asking import ask_for, unreachable
from reconciler.cli.preflight_facts import Host, Interface, Wishes, wishes_of
from reconciler.cli.preflight_findings import Finding, Level
from reconciler.cli.preflight_gathering import gather
from reconciler.cli.preflight_interface_rules import reason_unused, used_interfaces
from reconciler.cli.preflight_rules import examine
from reconciler.cli.report import FORMAT_VERSION, Exit
from reconciler.cli.text import Paint, count
from reconciler.errors import ReconcilerError
from reconciler.l2.link_selection import compile_exclusion
from reconciler.l2.links import LinkTable
from reconciler.model.desired import DesiredState
from reconciler.model.origin import Severity

_COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.INFO: "cyan"}


class PreflightError(ReconcilerError):
    """The host cannot be looked at, or what it was to be asked for makes no sense."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What the network is to be asked: who has these addresses, and whether these other speakers take a connection."""

    addresses: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()


class InterfaceRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An interface: whether addresses would be announced on it, and in the words of the status why not."""

    name: str
    used: bool
    reason: str | None
    mac: str
    mtu: int
    kind: str
    carrier: bool


class PreflightReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was found; the rows are the contract of the JSON output."""

    format_version: int = FORMAT_VERSION
    findings: tuple[Finding, ...]
    interfaces: tuple[InterfaceRow, ...]
    kube_proxy_mode: str | None
    sees_all_processes: bool
    clock_synchronized: bool | None
    summary: dict[str, int]


def run(configs: Sequence[str], questions: Questions, *, output: Output, strict: bool) -> int:
    """
    Print what would keep announcements from working, and return the exit status.

    Raises:
        PreflightError: This host cannot be looked at.
        FilesError: Something named on the command line cannot be read.
        LinksError: The kernel does not tell of its interfaces.
    """
    if not sys.platform.startswith("linux"):
        raise PreflightError("only Linux can be looked at: addresses are announced by its kernel's interfaces")
    addresses = _addresses(questions.addresses)
    wishes = _wishes(configs)
    try:
        host = asyncio.run(_look(wishes, addresses, questions.seeds))
    except OSError as exc:
        raise PreflightError(f"this host cannot be looked at: {exc}") from exc
    report = _report(host, wishes)
    if output is Output.JSON:
        sys.stdout.write(f"{encode(report)}\n")
    else:
        _write_text(report, sys.stdout, has_configuration=bool(configs), color=wants_color(sys.stdout))
    return Exit.FOUND if strict and report.summary[Level.ERROR] else Exit.NOTHING


def _addresses(texts: Sequence[str]) -> tuple[Address, ...]:
    try:
        return tuple(map(parse_address, texts))
    except AddressError as exc:
        raise PreflightError(f"--probe: {exc}") from exc


def _wishes(configs: Sequence[str]) -> Wishes:
    desired, problems = _read(configs) if configs else (None, 0)
    usual = desired or DesiredState(revision="")
    exclusion = compile_exclusion(usual.settings.announcements.excluded_interfaces)
    return replace(wishes_of(usual, exclusion, is_given=desired is not None), problems=problems)


def _read(configs: Sequence[str]) -> tuple[DesiredState | None, int]:
    """The configuration, None where it is refused, and how many errors it has."""
    from reconciler.config.load import load  # noqa: PLC0415 - heavy

    loaded = load(configs)
    return loaded.desired, sum(problem.severity is Severity.ERROR for problem in loaded.problems)


async def _look(wishes: Wishes, addresses: Sequence[Address], seeds: Sequence[str]) -> Host:
    table = await LinkTable.open()
    try:
        host = gather(table.links)
    finally:
        table.close()
    if addresses:
        links = [found.state for found in used_interfaces(host, wishes)]
        answers, unprobed = await ask_for(addresses, links)
        host = replace(host, answers=answers, unprobed=unprobed)
    return replace(host, unreachable_seeds=await unreachable(seeds, wishes.membership_port))


def _report(host: Host, wishes: Wishes) -> PreflightReport:
    findings = examine(host, wishes)
    counts = Counter(found.level for found in findings)
    return PreflightReport(
        findings=findings,
        interfaces=tuple(_row(found, wishes) for found in host.interfaces),
        kube_proxy_mode=host.kube_proxy_mode,
        sees_all_processes=host.sees_all_processes,
        clock_synchronized=host.is_clock_synchronized,
        summary={level.value: counts[level] for level in Level},
    )


def _row(found: Interface, wishes: Wishes) -> InterfaceRow:
    reason = reason_unused(found, wishes) if wishes.uses_l2 else "no-l2-advertisement"
    return InterfaceRow(
        name=found.name,
        used=reason is None,
        reason=reason,
        mac=found.state.mac.hex(":"),
        mtu=found.mtu,
        kind=found.kind,
        carrier=found.state.has_carrier,
    )


def _write_text(report: PreflightReport, out: TextIO, *, has_configuration: bool, color: bool) -> None:
    paint = Paint(color=color)
    for found in report.findings:
        about = f" {visible(found.subject)}:" if found.subject else ":"
        level = paint(found.level.value, _COLOURS[found.level])
        out.write(f"{level}[{found.code}]{about} {visible(found.message)}\n  fix: {visible(found.fix)}\n")
    used = [row.name for row in report.interfaces if row.used]
    unused = [f"{row.name} ({row.reason})" for row in report.interfaces if not row.used]
    out.write(f"announces on: {visible(', '.join(used)) or 'no interface'}\n")
    if unused:
        out.write(f"not on: {visible(', '.join(unused))}\n")
    if not has_configuration:
        out.write("Without --config: by the defaults, for IPv4 by ARP; pools, peers and settings were not looked at.\n")
    words = [count(report.summary[level], level.value) for level in (Level.ERROR, Level.WARNING)]
    out.write(f"{', '.join(words)}\n")
