"""What the announcer of ARP and NDP reports, with its sentences for people. No I/O."""

from dataclasses import dataclass

from reconciler.addresses.family import Address
from reconciler.announcers.port import Report, ReportKind
from reconciler.model.observed import InterfaceName, NodeName

_LATER = "it is asked again from time to time, and the address is announced once it does not answer any more"


@dataclass(frozen=True, slots=True)
class Claimant:
    """Another host: its hardware address, our node that this belongs to, and where it was heard by which frame."""

    mac: bytes
    member: NodeName | None = None
    interface: InterfaceName | None = None
    frame: bytes = b""

    def __str__(self) -> str:
        return f"the host {self.text}" if self.member is None else f"the node {self.member} ({self.text})"

    @property
    def text(self) -> str:
        """The hardware address as people write it."""
        return self.mac.hex(":")


def announced(address: Address) -> Report:
    """Answered for and announced; or announced again after it was not."""
    return Report(kind=ReportKind.ANNOUNCED, address=address)


def withdrawn(address: Address) -> Report:
    """Not answered for any more, as it was asked for."""
    return Report(kind=ReportKind.WITHDRAWN, address=address)


def no_interface(address: Address, interfaces: frozenset[InterfaceName] | None) -> Report:
    """There is nothing to announce it on; None stands for any interface."""
    names = sorted(interfaces or ())
    if interfaces is None:
        why = "no interface of this node can be used"
    elif len(names) == 1:
        why = f"the interface {names[0]} is not there, or cannot be used"
    else:
        why = f"of the interfaces {', '.join(names)} none is there that can be used"
    return Report(kind=ReportKind.NO_INTERFACE, address=address, message=f"{address} is not announced: {why}")


def in_use(address: Address, by: Claimant, *, was_announced: bool) -> Report:
    """Another host answered the probe, or answered it too late."""
    lead = "is withdrawn" if was_announced else "is not announced"
    return _about(ReportKind.IN_USE, address, by, f"{address} {lead}: {by} uses it; {_LATER}")


def yielded(address: Address, by: Claimant) -> Report:
    """Given up for another host, as it is configured."""
    return _about(ReportKind.YIELDED, address, by, f"{address} is given up: {by} claims it again; {_LATER}")


def defended(address: Address, against: Claimant) -> Report:
    """Claimed by another host, and announced once more."""
    message = f"{against} claims {address}, which is announced here; it has been announced once more"
    if against.member is not None:
        message = (
            f"{against} still claims {address}, which is announced here: another speaker on that node, such as "
            "MetalLB's, still answers for it; it has been announced once more"
        )
    return _about(ReportKind.CLAIMED, address, against, message)


def noticed(address: Address, claimant: Claimant) -> Report:
    """Another host would like to have it, or claims it while a member takes it from us."""
    return _about(ReportKind.CLAIMED, address, claimant, f"{claimant} wants {address}, which is answered for here")


def free_again(address: Address) -> Report:
    """The host that had it is gone."""
    message = f"{address} is announced now: the host that used it does not answer any more"
    return Report(kind=ReportKind.FREE_AGAIN, address=address, message=message)


def claim_over(address: Address) -> Report:
    """Nobody else has claimed it for a while."""
    message = f"no other host claims {address} any more"
    return Report(kind=ReportKind.CLAIM_OVER, address=address, message=message)


def _about(kind: ReportKind, address: Address, by: Claimant, message: str) -> Report:
    return Report(
        kind=kind,
        address=address,
        interface=by.interface,
        mac=by.text,
        member=by.member,
        message=message,
        frame=by.frame,
    )
