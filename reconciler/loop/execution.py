"""Carries plans out: many writes at a time, but none that relies on another one before that has succeeded."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from reconciler.cluster.api_errors import Unreachable
from reconciler.cluster.port import Cluster, ClusterError, Conflict, NotLeading
from reconciler.model.observed import ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, Plan, RecordCondition, ServiceAction, StatusWrite
from reconciler.plan.waves import Execution
from reconciler.telemetry.metrics import WriteResult

_LOG = logging.getLogger(__name__)
_LINES_LOGGED = 20
_LINES_AT_A_TIME = 10
# So many requests without an answer, one after the other, and the server counts as away.
_UNANSWERED_AT_MOST = 3


class IncompleteError(ClusterError):
    """
    Not everything of a plan could be written; the message counts, and names the first failure.

    `is_unreachable`: the server does not answer, so nothing else can be written either.
    """

    def __init__(self, message: str, *, is_unreachable: bool) -> None:
        super().__init__(message)
        self.is_unreachable = is_unreachable


class _Answers:
    """How the writes of one plan went; `why_stop` is why it is of no use to go on, None while it is."""

    def __init__(self) -> None:
        self.failures: dict[ServiceKey, ClusterError] = {}
        self.why_stop: ClusterError | None = None
        self._any = False
        self._unanswered_in_a_row = 0

    def add(self, write: StatusWrite, error: ClusterError | None) -> None:
        """A write has ended, or was not even begun."""
        if error is not None:
            self.failures[write.service] = error
        if isinstance(error, Unreachable):
            # One that is not answered may be the fault of whoever admits that Service.
            self._unanswered_in_a_row += 1
        else:
            self._any, self._unanswered_in_a_row = True, 0
        if isinstance(error, NotLeading) or self._unanswered_in_a_row >= _UNANSWERED_AT_MOST:
            self.why_stop = self.why_stop or error

    def summary(self, *, left_out: int) -> IncompleteError:
        """What to tell of the failures, of which there are some."""
        first = next(iter(self.failures.values()))
        number = len(self.failures) + left_out
        which = f"{number} writes were not made, for example because of" if number > 1 else "a write was not made:"
        return IncompleteError(f"{which} {first}", is_unreachable=self.why_stop is not None or not self._any)


class Executor:
    """Writes through a cluster, and says of each write how it ended."""

    def __init__(self, cluster: Cluster, count: Callable[[WriteResult, float], None], *, concurrency: int) -> None:
        """`count` is told the result of each write, and the seconds that it took."""
        self._cluster = cluster
        self._count = count
        self._concurrency = concurrency
        self._stopping: NotLeading | None = None
        self._said: Mapping[ServiceKey, str] = {}
        self._journal = _Journal()

    def stop(self) -> None:
        """Begin no further write, in this plan or another: what is under way is finished, the rest is a successor's."""
        self._stopping = NotLeading("this process is about to end")

    async def carry_out(self, plan: Plan[ServiceAction], *, revision: str | None = None) -> None:
        """
        Write everything in order, as much as possible of it at the same time; then record the Events.

        The log names `revision` as what was decided on.

        Where the server cannot be reached, or we may not write any more, the rest is left for the next pass.

        Raises:
            NotLeading: We may not write any more.
            IncompleteError: Something was not written.
        """
        execution = Execution(plan)
        answers = _Answers()
        self._journal.revision = revision
        for wave in execution.waves():
            await self._write_all(wave, execution, answers)
            if answers.why_stop is not None:
                break
        else:
            await self._record_events(execution)
        self._complain(answers.failures)
        if isinstance(answers.why_stop, NotLeading):
            raise answers.why_stop
        if answers.failures:
            raise answers.summary(left_out=len(execution.left_out))

    async def _write_all(self, wave: Iterable[StatusWrite], execution: Execution, answers: "_Answers") -> None:
        queue = iter(wave)

        async def work() -> None:
            for write in queue:
                error = self._stopping or answers.why_stop or await self._write(write)
                answers.add(write, error)
                if error is not None:
                    execution.failed(write)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._concurrency):
                    group.create_task(work())
        finally:
            self._journal.flush()

    async def _write(self, write: StatusWrite) -> ClusterError | None:
        began = time.monotonic()
        failure: ClusterError | None = None
        result = WriteResult.WRITTEN
        try:
            await self._cluster.apply(write)
        except Conflict as error:
            failure, result = error, WriteResult.CONFLICT
        except NotLeading as error:
            failure, result = error, WriteResult.NOT_LEADING
        except ClusterError as error:
            failure, result = error, WriteResult.FAILED
        self._count(result, time.monotonic() - began)
        if failure is None:
            self._journal.add(write)
        return failure

    def _complain(self, failures: Mapping[ServiceKey, ClusterError]) -> None:
        """Log what is new among the failures, and not all of it where much fails at once."""
        said = {service: str(error) for service, error in failures.items()}
        news = [service for service, problem in said.items() if self._said.get(service) != problem]
        for service in news[:_LINES_LOGGED]:
            _LOG.info("%s was not written: %s", service, said[service], extra={"service": service})
        if len(news) > _LINES_LOGGED:
            _LOG.info("%d more were not written", len(news) - _LINES_LOGGED)
        self._said = said

    async def _record_events(self, execution: Execution) -> None:
        for event in execution.events():
            await self._cluster.apply(event)


class _Journal:
    """
    The log of what was written, some lines at a time, and all that are left at the end of a wave.

    One by one, between two requests, the lines of ten thousand writes cost more of the processor than together.
    """

    def __init__(self) -> None:
        self.revision: str | None = None
        self._waiting: list[StatusWrite] = []

    def add(self, write: StatusWrite) -> None:
        self._waiting.append(write)
        if len(self._waiting) >= _LINES_AT_A_TIME:
            self.flush()

    def flush(self) -> None:
        written, self._waiting = self._waiting, []
        for write in written:
            _log(write, dict(_facts(write, self.revision)))


def _log(write: StatusWrite, facts: Mapping[str, object]) -> None:
    """One line for each decision that changed something."""
    match write:
        case AssignAddresses():
            before = " ".join(map(str, write.before)) or "nothing"
            after = " ".join(map(str, write.addresses))
            _LOG.info("%s: %s -> %s (%s)", write.service, before, after, write.message, extra=facts)
        case ClearAddresses():
            before = " ".join(map(str, write.before)) or "nothing"
            _LOG.info("%s: %s -> nothing (%s)", write.service, before, write.message, extra=facts)
        case RecordCondition(condition=condition):
            said = f"{condition.reason}: {condition.message}" if condition else "nothing to say any more"
            _LOG.info("%s: %s", write.service, said, extra=facts)


def _facts(write: StatusWrite, revision: str | None) -> Iterator[tuple[str, object]]:
    yield "service", write.service
    if revision is not None:
        yield "revision", revision
    if isinstance(write, AssignAddresses):
        yield "addresses", [str(address) for address in write.addresses]
        yield "pool", write.pool
    if not isinstance(write, RecordCondition):
        yield "before", [str(address) for address in write.before]
        yield "reason", write.reason
    if write.cause:
        yield "cause", str(write.cause)
