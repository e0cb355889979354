"""
What the page of a controller shows, gathered when somebody looks, and not more often than that takes.

A view asks the cluster for what the controller does not follow: the documents of the speakers, and endpoints. As long
as nobody looks nothing is asked.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from reconciler.cluster.port import Cluster, ClusterError
from reconciler.loop.account import Account
from reconciler.loop.configuration import Configuration
from reconciler.loop.controller import Controller, Decided
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Endpoint, ServiceKey
from reconciler.plan.services import applied
from reconciler.telemetry.ownership import Ownership, ownership
from reconciler.telemetry.speaker_condition import SpeakerCondition, conditions_of, speakers_among
from reconciler.telemetry.view import HeldChange, controller_view, held_changes, view_json

# In seconds: how old what is shown may be. Endpoints are the one large list.
_VIEW_AGE, _DOCUMENTS_AGE, _ENDPOINTS_AGE = 0.5, 1.0, 30.0
# Of the time of a processor, what a page that is looked at may take at most: a tenth.
_REST = 9.0

_Endpoints = Mapping[ServiceKey, tuple[Endpoint, ...]]
_Documents = Mapping[str, bytes]
_Value = TypeVar("_Value")


class Viewing:
    """Writes the JSON of `/view`; however many ask at the same time, it is written once."""

    def __init__(
        self,
        *,
        account: Account,
        controller: Controller,
        configuration: Configuration,
        cluster: Cluster,
        documents: Callable[[], Awaitable[_Documents]],
        board_name: str,
        lb_class: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`documents` reads what all roles have published, by name; that of the controllers is `board_name`."""
        self._account = account
        self._controller = controller
        self._configuration = configuration
        self._board_name = board_name
        self._lb_class = lb_class
        self._clock = clock
        self._documents = _Reread[_Documents]("what the speakers have published", documents, {}, _DOCUMENTS_AGE, clock)
        self._endpoints = _Reread[_Endpoints]("the endpoints", cluster.endpoints, {}, _ENDPOINTS_AGE, clock)
        self._owned: _Remembered[Ownership] = _Remembered()
        self._held: _Remembered[tuple[HeldChange, ...]] = _Remembered()
        self._writing = asyncio.Lock()
        self._written = b""
        self._good_until = float("-inf")

    async def view(self) -> bytes:
        """The JSON of `/view`, not much older than half a second."""
        async with self._writing:
            if self._clock() >= self._good_until:
                documents, decided = await self._documents.value(), self._controller.decided
                endpoints = await self._endpoints_for(decided) if decided else {}
                began = self._clock()
                self._written = await asyncio.to_thread(self._write, decided, documents, endpoints)
                took = self._clock() - began
                self._good_until = self._clock() + max(_VIEW_AGE, _REST * took)
        return self._written

    async def _endpoints_for(self, decided: Decided) -> _Endpoints:
        # Those of a directory are there already.
        return decided.observed.endpoints or await self._endpoints.value()

    def _write(self, decided: Decided | None, documents: _Documents, endpoints: _Endpoints) -> bytes:
        status = self._account.status(services=True)
        speakers = conditions_of(
            found for found in speakers_among(documents.values()) if found.lb_class == self._lb_class
        )
        leading = decided if status.leading else None
        problems = (self._documents.problem, self._endpoints.problem if leading else None)
        view = controller_view(
            status,
            leader=None if status.leading else _decoded(documents.get(self._board_name)),
            held_plan=self._held_plan(leading) if leading else None,
            nodes=decided.observed.nodes if decided else (),
            speakers=speakers,
            owned=self._ownership(leading, speakers, endpoints) if leading else None,
            notes=filter(None, problems),
        )
        return view_json(view)

    def _ownership(
        self, decided: Decided, speakers: tuple[SpeakerCondition, ...], endpoints: _Endpoints
    ) -> Ownership | None:
        if self._endpoints.problem or self._documents.problem:
            return None
        # While a plan is held the speakers announce by the former revision, and the last pass decided by the new one.
        in_force = self._configuration.in_force
        if in_force is None:
            return None
        work_out = partial(_owned, in_force, decided, speakers, endpoints, self._lb_class)
        return self._owned.of((_Same(in_force), _Same(decided), speakers, _Same(endpoints)), work_out)

    def _held_plan(self, decided: Decided) -> tuple[HeldChange, ...] | None:
        hold = self._controller.hold
        if hold is None or hold.desired is None:
            return None
        affected = hold.verdict.affected
        work_out = partial(held_changes, hold.desired, decided.observed, self._lb_class, affected)
        return self._held.of((_Same(hold.desired), _Same(decided.observed), affected), work_out)


def _owned(
    in_force: DesiredState,
    decided: Decided,
    speakers: Iterable[SpeakerCondition],
    endpoints: _Endpoints,
    lb_class: str,
) -> Ownership:
    # What this pass has written is not in what it looked at.
    written = applied(decided.observed, decided.plan)
    return ownership(in_force, replace(written, endpoints=endpoints), speakers, lb_class=lb_class)


def _decoded(document: bytes | None) -> Mapping[str, Any] | None:
    try:
        return msgspec.json.decode(document, type=dict[str, Any]) if document is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class _Reread(Generic[_Value]):
    """Something of the cluster that is read again when it is too old; `problem` says why it could not be."""

    def __init__(
        self,
        what: str,
        read: Callable[[], Awaitable[_Value]],
        nothing: _Value,
        age: float,
        clock: Callable[[], float],
    ) -> None:
        self._what = what
        self._read = read
        self._value = nothing
        self._age = age
        self._clock = clock
        self._good_until = float("-inf")
        self.problem: str | None = None

    async def value(self) -> _Value:
        if self._clock() >= self._good_until:
            try:
                self._value, self.problem = await self._read(), None
            except ClusterError as error:
                self.problem = f"{self._what} cannot be read: {error}"
            self._good_until = self._clock() + self._age
        return self._value


class _Same:
    """A value of which it is enough to know that it is the very same: comparing it would take long."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)


class _Remembered(Generic[_Value]):
    """The last result of something that takes long, for as long as nothing that it was made of changes."""

    def __init__(self) -> None:
        self._known: tuple[object, _Value] | None = None

    def of(self, made_of: object, work_out: Callable[[], _Value]) -> _Value:
        if self._known is None or self._known[0] != made_of:
            self._known = (made_of, work_out())
        return self._known[1]
