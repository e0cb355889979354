"""A sorted tuple of decisions, of which few change at a time."""

from bisect import bisect_left
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from reconciler.model.observed import ServiceKey

# A look-up is some ten times the work of copying a row and sorting what is nearly sorted.
_FEW = 16

_by_service = attrgetter("service")


class _AboutService(Protocol):
    @property
    def service(self) -> ServiceKey: ...


Row = TypeVar("Row", bound=_AboutService)


class Rows(Generic[Row]):
    """
    At most one row for each Service, in order of their keys.

    While no row changes, `all` gives the same tuple again.
    """

    __slots__ = ("_all", "_changes", "_rows")

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self._rows = list(rows)
        self._all = rows
        self._changes: dict[ServiceKey, Row | None] = {}

    def put(self, key: ServiceKey, row: Row | None) -> None:
        """From now on this is the row of the Service; None for none."""
        self._changes[key] = row

    def all(self) -> tuple[Row, ...]:
        """All rows."""
        changes, self._changes = self._changes, {}
        if len(changes) > _FEW + len(self._rows) // _FEW:
            changed = self._merge(changes)
        else:
            changed = sum(self._write(key, row) for key, row in changes.items()) > 0
        if changed:
            self._all = tuple(self._rows)
        return self._all

    def _write(self, key: ServiceKey, row: Row | None) -> bool:
        """Change one row; False when it was so already."""
        rows = self._rows
        index = bisect_left(rows, key, key=_by_service)
        before = rows[index] if index < len(rows) and rows[index].service == key else None
        if before == row:
            return False
        if before is None and row is not None:
            rows.insert(index, row)
        elif row is None:
            del rows[index]
        else:
            rows[index] = row
        return True

    def _merge(self, changes: dict[ServiceKey, Row | None]) -> bool:
        """Change many rows; False when all of them were so already."""
        before = self._rows
        self._rows = [row for row in before if row.service not in changes]
        self._rows += [row for row in changes.values() if row is not None]
        self._rows.sort(key=_by_service)
        return before != self._rows
