"""
Which configuration is in force, and which one waits for a verdict.

Files are read anew when somebody says that they may have changed; what is not valid never replaces what is. The
verdict itself is the controller's business.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.config.files import FilesError, SourceSet, read_files
from reconciler.config.load import Loaded, load_sources
from reconciler.loop.last_good import LastGood
from reconciler.model.desired import DesiredState
from reconciler.model.origin import Problem, Severity

_LOG = logging.getLogger(__name__)
# So many looks at valid files are remembered, to recognise what others have put in force.
_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class Newest:
    """
    What the files say at the moment.

    `unreadable` is why they could not be read at all, and `loaded` is then None. `refused` are problems that showed
    only beside the cluster.
    """

    sources: SourceSet | None = None
    loaded: Loaded | None = None
    unreadable: str | None = None
    refused: tuple[Problem, ...] = ()

    @property
    def revision(self) -> str | None:
        """The name of what was read, None when nothing could be."""
        return self.loaded.revision if self.loaded else None

    @property
    def desired(self) -> DesiredState | None:
        """The desired state where everything is valid."""
        return None if self.loaded is None or self.refused else self.loaded.desired

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was found in the files and beside the cluster, sorted."""
        return tuple(sorted((*(self.loaded.problems if self.loaded else ()), *self.refused)))

    @property
    def why_refused(self) -> str | None:
        """One line that says why this is not taken into use; None when it is valid."""
        if self.unreadable:
            return self.unreadable
        errors = [problem for problem in self.problems if problem.severity is Severity.ERROR]
        if not errors:
            return None
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return f"{errors[0].origin}: {errors[0].message}{more}"


class Configuration:
    """
    The files below some paths, the state that they had when they last passed, and the last good ones on disk.

    `in_force` is what the cluster follows, None until something has passed; `newest` is what the files say now.
    """

    def __init__(
        self, paths: Sequence[str], last_good: LastGood, *, read: Callable[[Sequence[str]], SourceSet] = read_files
    ) -> None:
        self._paths = tuple(paths)
        self._last_good = last_good
        self._read = read
        self.newest = Newest(unreadable="nothing was read yet")
        self._known: dict[str, Newest] = {}
        self.in_force: DesiredState | None = None

    @property
    def candidate(self) -> DesiredState | None:
        """What is valid and waits for its verdict; None when that is in force already, or nothing is valid."""
        return None if self.newest.refused else self.waiting

    @property
    def waiting(self) -> DesiredState | None:
        """What is valid by itself and not in force, whether the cluster lets it wait for a verdict or not."""
        desired = self.newest.loaded.desired if self.newest.loaded else None
        if desired is None or (self.in_force is not None and desired.revision == self.in_force.revision):
            return None
        return desired

    @property
    def directories(self) -> tuple[str, ...]:
        """The directories in which a change of the files would show."""
        return self.newest.sources.directories if self.newest.sources else ()

    @property
    def last_good_problem(self) -> str | None:
        """Why the last good files are in memory only, or those kept on disk could not be used."""
        return self._last_good.problem

    async def restore(self) -> DesiredState | None:
        """What passed before the last restart is in force again, whatever the files say now."""
        sources = await asyncio.to_thread(self._last_good.restore)
        if sources is not None:
            self.in_force = (await asyncio.to_thread(load_sources, sources)).desired
        return self.in_force

    async def look(self) -> bool:
        """Read the files, and say whether they are other than at the last look."""
        before = self.newest
        self.newest = await asyncio.to_thread(self._look, before)
        if self.newest is before:
            return False
        if self.newest.loaded is not None and self.newest.loaded.desired is not None:
            self._known.pop(self.newest.loaded.revision, None)
            self._known[self.newest.loaded.revision] = self.newest
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return True

    def _look(self, before: Newest) -> Newest:
        try:
            sources = self._read(self._paths)
        except FilesError as error:
            same = before.unreadable == str(error)
            # The last directories are still the ones to watch.
            return before if same else Newest(before.sources, unreadable=str(error))
        except Exception as error:  # noqa: BLE001 - a defect of ours must not stop what is in force
            _LOG.exception("the files cannot be read")
            return Newest(before.sources, unreadable=f"{type(error).__name__}: {error}")
        if before.loaded is not None and before.sources == sources:
            return before
        return self._loaded(sources)

    def _loaded(self, sources: SourceSet) -> Newest:
        try:
            return Newest(sources, load_sources(sources))
        except Exception as error:  # noqa: BLE001 - as above
            _LOG.exception("the configuration cannot be understood")
            return Newest(sources, unreadable=f"{type(error).__name__}: {error}")

    def refuse(self, problems: tuple[Problem, ...]) -> None:
        """The newest configuration is valid by itself, but not in this cluster; it is, where there are no problems."""
        if problems != self.newest.refused:
            self.newest = Newest(self.newest.sources, self.newest.loaded, refused=problems)

    async def recognise(self, revision: str | None) -> bool:
        """
        Another process has put a revision in force: adopt it, if the files had it at one of the last few looks.

        False where it is not known here.
        """
        if revision == _revision_of(self.in_force):
            return True
        known = self._known.get(revision or "")
        if known is None:
            return False
        await self._adopt(known)
        return True

    async def follow(self, revision: str | None) -> None:
        """
        Take over from another process that has put a revision in force.

        One that is not known here makes what was in force here worthless: it is older, also where the files say the
        same again now. The same is so where nothing is in force there: that process had lost it too.
        """
        if not await self.recognise(revision):
            self.in_force = None

    async def put_in_force(self) -> None:
        """The newest configuration has passed: it is kept for the next start, and used from now on."""
        await self._adopt(self.newest)

    async def _adopt(self, passed: Newest) -> None:
        if passed.sources is not None:
            await asyncio.to_thread(self._last_good.keep, passed.sources)
        self.in_force = passed.loaded.desired if passed.loaded else None


def _revision_of(desired: DesiredState | None) -> str | None:
    return desired.revision if desired else None
