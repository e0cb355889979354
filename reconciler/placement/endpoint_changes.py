"""Which Services have other endpoints in one snapshot than in another, found without a look at every one of them."""

from collections.abc import Iterator, Mapping
from itertools import compress
from operator import ne

from reconciler.model.observed import Endpoint, ServiceKey

Endpoints = Mapping[ServiceKey, tuple[Endpoint, ...]]

# What is equal is passed over in runs, by a comparison that takes some nanoseconds for each.
_RUN = 1024


def endpoints_changed(before: Endpoints, after: Endpoints) -> Iterator[ServiceKey]:
    """
    Name the Services whose endpoints are others, or gone, or there for the first time.

    A store keeps what did not change as the same object, and in its place, with new keys at the end: so it is quick.
    """
    if before is after:
        return
    keys, now = list(before), list(after)
    if now[: len(keys)] == keys:
        yield from _differing(keys, list(before.values()), list(after.values()))
        yield from now[len(keys) :]
    else:
        yield from _differing(now, list(map(before.get, now)), list(after.values()))
        yield from (key for key in keys if key not in after)


def _differing(keys: list[ServiceKey], before: list[object], after: list[object]) -> Iterator[ServiceKey]:
    for start in range(0, len(keys), _RUN):
        run = slice(start, start + _RUN)
        if before[run] != after[run]:
            yield from compress(keys[run], map(ne, before[run], after[run]))
