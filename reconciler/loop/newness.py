"""
Which addresses nobody can have announced before: those may be in use by a host that has never heard of us.

An address that one of our speakers announced a moment ago must move without a wait, so only what is certain counts.
"""

from bisect import bisect_left
from collections.abc import Collection, Container
from datetime import datetime, timedelta

from reconciler.addresses.family import Address
from reconciler.model.announcements import Announcement
from reconciler.model.observed import ObservedState, Service, ServiceKey
from reconciler.placement.decisions import Placement

# How long after its condition became true an address can still be one that nobody has seen in use.
_YOUNG = timedelta(minutes=1)


def new_addresses(
    placement: Placement,
    fresh: Collection[Announcement],
    observed: ObservedState,
    *,
    before: ObservedState | None,
    alone: bool,
    occupied: Container[Address],
    today: datetime,
) -> frozenset[Address]:
    """
    Name those among `fresh` whose Service was given them within the last minute, and that were not there before.

    And those that a host which is none of ours was found to use, whoever has met it.

    Args:
        placement: What this node announces from now on.
        fresh: What of it is not announced yet.
        observed: The cluster now.
        before: The cluster at the last pass, None at the first one.
        occupied: Addresses that somebody else was found to use.
        alone: No other speaker is alive, so nobody else can have been announcing anything.
        today: The time of day, with its zone.
    """
    is_known = before is not None or alone
    found = set()
    for placed in placement.by_layer2:
        if placed.announcement in fresh:
            service = _service(observed, placed.service) if is_known else None
            was = None if before is None else _service(before, placed.service)
            had_it = was is not None and placed.address in was.ingress
            is_fresh = service is not None and not had_it and _is_young(service, today)
            if is_fresh or placed.address in occupied:
                found.add(placed.address)
    return frozenset(found)


def _service(observed: ObservedState, key: ServiceKey) -> Service | None:
    index = bisect_left(observed.services, key, key=lambda service: service.key)
    if index < len(observed.services) and observed.services[index].key == key:
        return observed.services[index]
    return None


def _is_young(service: Service, today: datetime) -> bool:
    condition = service.condition
    if condition is None or condition.status != "True":
        return False
    try:
        since = datetime.fromisoformat(condition.last_transition)
    except ValueError:
        return False
    # The clocks of two machines are never quite the same.
    return since.tzinfo is not None and abs(today - since) < _YOUNG
