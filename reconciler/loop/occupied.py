"""
Addresses that a host which is none of ours was found to use, here or by another speaker.

Whoever comes to announce one probes it first, however long it has been given to its Service.
"""

from collections.abc import Callable

from reconciler.addresses.family import Address, AddressError, unpacked
from reconciler.announcers.port import Report, ReportKind
from reconciler.membership.messages import InUse

# Seconds; whoever meets the host again says so again, and probes at least that often.
_REMEMBERED = 300.0
_MOST = 10_000


class Occupied:
    """Told of what was found; `tell` lets the others know what was found here."""

    def __init__(self, tell: Callable[[InUse], None], clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._until: dict[Address, float] = {}
        self._met_here: set[Address] = set()

    def reported(self, report: Report) -> None:
        """The announcer of this node has met somebody, or nobody any more."""
        match report.kind:
            case ReportKind.IN_USE | ReportKind.YIELDED:
                self._note(report.address, is_in_use=True)
                self._met_here.add(report.address)
                self._tell(InUse(report.address.packed, is_in_use=True))
            case ReportKind.FREE_AGAIN:
                self._note(report.address, is_in_use=False)
                self._tell(InUse(report.address.packed, is_in_use=False))
            case _:
                pass

    def heard(self, message: InUse) -> None:
        """Another speaker has."""
        try:
            self._note(unpacked(message.address), is_in_use=message.is_in_use)
        except AddressError:
            # No address: of a later version, or hostile.
            return

    def say_again(self) -> None:
        """Somebody is here who has not heard what was found here."""
        for address in self._met_here:
            if address in self:
                self._tell(InUse(address.packed, is_in_use=True))

    def __contains__(self, address: object) -> bool:
        until = self._until.get(address) if isinstance(address, Address) else None
        return until is not None and self._clock() < until

    def _note(self, address: Address, *, is_in_use: bool) -> None:
        self._until.pop(address, None)
        self._met_here.discard(address)
        if is_in_use:
            self._until[address] = self._clock() + _REMEMBERED
            while len(self._until) > _MOST:
                del self._until[next(iter(self._until))]
