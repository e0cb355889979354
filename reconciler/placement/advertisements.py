"""Which advertisements apply to a Service: those of its pool whose service selectors match its labels."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.selectors import Labels, matches_any_or_none_given

Advertisement = TypeVar("Advertisement", bound=L2Advertisement | BGPAdvertisement)
Coverage = TypeVar("Coverage")


class Matching(Generic[Advertisement, Coverage]):
    """
    Finds the advertisements of a Service, and what follows from exactly that set, each worked out once.

    What follows is whatever `cover` makes of the advertisements, which it gets sorted by name.
    """

    def __init__(
        self, advertisements: Iterable[Advertisement], cover: Callable[[tuple[Advertisement, ...]], Coverage]
    ) -> None:
        self._cover = cover
        self._ordered: Sequence[Advertisement] = sorted(advertisements, key=lambda advertisement: advertisement.name)
        self._of_pool: dict[str, tuple[int, ...]] = {}
        self._is_selective: dict[str, bool] = {}
        self._coverages: dict[tuple[int, ...], Coverage] = {}
        self._by_pool: dict[str, Coverage] = {}
        self._by_labels: dict[tuple[str, Labels], Coverage] = {}
        self._attach()

    def _attach(self) -> None:
        indices: dict[str, list[int]] = {}
        for index, advertisement in enumerate(self._ordered):
            for pool in dict.fromkeys(advertisement.pools):
                indices.setdefault(pool, []).append(index)
        for pool, found in indices.items():
            self._of_pool[pool] = tuple(found)
            self._is_selective[pool] = any(self._ordered[index].service_selectors for index in found)

    @property
    def is_used(self) -> bool:
        """Whether the configuration has any such advertisement."""
        return bool(self._ordered)

    def of_pool(self, pool: str) -> tuple[Advertisement, ...]:
        """All advertisements of a pool, by name, whatever Services they select."""
        return tuple(self._ordered[index] for index in self._of_pool.get(pool, ()))

    def covering(self, pool: str, labels: Labels) -> Coverage:
        """What covers a Service with those labels and an address of that pool."""
        if not self._is_selective.get(pool):
            found = self._by_pool.get(pool)
            if found is None:
                found = self._by_pool[pool] = self._coverage(self._of_pool.get(pool, ()))
            return found
        found = self._by_labels.get((pool, labels))
        if found is None:
            indices = (i for i in self._of_pool[pool] if self._selects(i, labels))
            found = self._by_labels[pool, labels] = self._coverage(tuple(indices))
        return found

    def _selects(self, index: int, labels: Labels) -> bool:
        return matches_any_or_none_given(self._ordered[index].service_selectors, labels)

    def _coverage(self, indices: tuple[int, ...]) -> Coverage:
        found = self._coverages.get(indices)
        if found is None:
            found = self._coverages[indices] = self._cover(tuple(self._ordered[index] for index in indices))
        return found
