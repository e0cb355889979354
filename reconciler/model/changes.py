"""Which Services differ between two snapshots, found without looking into those that do not."""

from typing import NamedTuple

from reconciler.model.observed import Service

_RUN = 256


class Changes(NamedTuple):
    """The Services as they were that are so no longer, and those that are new; one that was edited is in both."""

    gone: list[Service]
    come: list[Service]

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.gone) + len(self.come)


def changes_between(before: tuple[Service, ...], after: tuple[Service, ...]) -> Changes | None:
    """
    Walk two snapshots side by side; None when `after` is not in order of keys, each once, as `before` is.

    A store keeps what did not change as the same object, and a comparison of two runs of those is a few nanoseconds
    for each.
    """
    found = Changes([], [])
    i = j = 0
    while i < len(before) and j < len(after):
        run, other = before[i : i + _RUN], after[j : j + _RUN]
        if run == other:
            i, j = i + len(run), j + len(other)
            continue
        ahead = _alike(run, other)
        i, j = i + ahead, j + ahead
        if i == len(before) or j == len(after):
            break
        old, new = before[i], after[j]
        if old.key <= new.key:
            found.gone.append(old)
            i += 1
        if new.key <= old.key:
            if j and after[j - 1].key >= new.key:
                return None
            found.come.append(new)
            j += 1
    found.gone.extend(before[i:])
    found.come.extend(after[j:])
    return found if is_in_order(after[max(0, j - 1) :]) else None


def is_in_order(services: tuple[Service, ...]) -> bool:
    """Whether they are sorted by key, and no key is there twice."""
    keys = [service.key for service in services]
    return all(map(str.__lt__, keys, keys[1:]))


def _alike(run: tuple[Service, ...], other: tuple[Service, ...]) -> int:
    """How many Services the two have in common from their beginning."""
    ahead = 0
    for one, two in zip(run, other, strict=False):
        if one is not two and one != two:
            break
        ahead += 1
    return ahead
