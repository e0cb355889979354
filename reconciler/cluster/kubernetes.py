"""
The Kubernetes API as the port `Cluster`: what a role decides on is followed in memory, what it decides is written.

Only the status of Services is written, with one annotation beside it, and Events.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_errors import NotFound
from reconciler.cluster.api_object import ApiObject, Place
from reconciler.cluster.connection import Connection
from reconciler.cluster.endpoint_store import EndpointStore
from reconciler.cluster.event_bodies import Statement, Subject
from reconciler.cluster.event_queue import EventQueue
from reconciler.cluster.kinds import NAMESPACES, NODES, SERVICES
from reconciler.cluster.listing import pages, read_all
from reconciler.cluster.objects import password_of
from reconciler.cluster.port import ClusterError, NotLeading, NotSynced
from reconciler.cluster.reflector import Reflector
from reconciler.cluster.status_writes import StatusWriter
from reconciler.cluster.store import Store
from reconciler.model.observed import Endpoint, ObservedState, ServiceKey
from reconciler.plan.actions import RecordEvent, ServiceAction, StatusWrite

_LOG = logging.getLogger(__name__)

# What a controller decides on, and what of it wakes it: nodes only matter to what it reports.
FOLLOWED = frozenset({SERVICES.name, NAMESPACES.name, NODES.name})
WAKING = frozenset({SERVICES.name, NAMESPACES.name})
# Statements about so many Services that are gone may be remembered before they are forgotten.
_SLACK = 1000
_SERVICES = msgspec.json.Decoder(wire.Listing[msgspec.Raw])


class KubernetesCluster:
    """
    A live cluster. `run` follows it and has Events written; everything else is called while that runs.

    `reflectors` tell how well it is followed.
    """

    def __init__(
        self,
        connection: Connection,
        events: EventQueue,
        *,
        namespace: str,
        followed: Collection[str] = FOLLOWED,
        waking: Collection[str] = WAKING,
        may_write: Callable[[], bool] = lambda: True,
        repeats_events: bool = False,
    ) -> None:
        """
        Args:
            connection: To the API server; whoever opened it closes it.
            events: Where Events go.
            namespace: Our own, whose Secrets are ours.
            followed: The names of the kinds that are kept in memory; those of others stay empty.
            waking: The names of those of which a change is a reason to look again.
            may_write: Asked at the last moment before a write goes out.
            repeats_events: Whether an Event is written that was said before since the last write of its Service: for a
                role that writes nothing, and knows by itself when there is something new to say.
        """
        self._connection = connection
        self._events = events
        self._repeats_events = repeats_events
        self._namespace = namespace
        self._waking = waking
        self._may_write = may_write
        self._services = Store(SERVICES, _report)
        self._namespaces = Store(NAMESPACES, _report)
        self._nodes = Store(NODES, _report)
        self._endpoints = EndpointStore(_report)
        stores: tuple[Store[Any, Any], ...] = (self._services, self._namespaces, self._nodes, self._endpoints)
        self.reflectors: tuple[Reflector[Any, Any], ...] = tuple(
            Reflector(connection, store, on_change=self._wake) for store in stores if store.kind.name in followed
        )
        self._writer = StatusWriter(connection, self._services, may_write=may_write)
        self._listeners: set[_Listener] = set()
        self._last_reason = ""
        self._is_synced = False
        self._said: dict[ServiceKey, set[Statement]] = {}
        self._observed = ObservedState()

    async def run(self) -> None:
        """Follow the cluster and write Events, until this is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in self.reflectors:
                tasks.create_task(reflector.run())
            tasks.create_task(self._events.run())

    async def observe(self) -> ObservedState:
        """
        What was read of everything that is followed; the same object while nothing changed.

        Raises:
            NotSynced: Something was not read completely yet.
        """
        missing = [reflector for reflector in self.reflectors if not reflector.synced]
        if missing:
            raise NotSynced("; ".join(map(_why_missing, missing)))
        before = self._observed
        services, nodes = self._services.snapshot(), self._nodes.snapshot()
        namespaces, endpoints = self._namespaces.by_key(), self._endpoints.endpoints()
        stands = (
            services is before.services
            and nodes is before.nodes
            and namespaces is before.namespaces
            and endpoints is before.endpoints
        )
        if not stands:
            self._observed = ObservedState(services, endpoints, nodes, namespaces)
            self._forget_the_gone()
        return self._observed

    async def endpoints(self) -> Mapping[ServiceKey, tuple[Endpoint, ...]]:
        """
        The endpoints of all Services, listed now.

        Raises:
            ClusterError: They could not be listed.
        """
        store = EndpointStore(_report)
        await read_all(self._connection, store)
        return store.endpoints()

    async def catch_up(self) -> None:
        """
        Know of every Service at least what is so now, however far behind the watch is.

        Raises:
            ClusterError: They could not be listed.
        """
        async with aclosing(pages(self._connection, SERVICES.path)) as listed:
            async for page in listed:
                for raw in _SERVICES.decode(page.raw).items or ():
                    self._services.note_written(raw)

    async def changes(self) -> AsyncGenerator[str, None]:
        """A reason each time something changed that wakes us, by somebody else; several at once may be one."""
        # Whoever begins to listen may have missed something.
        listener = _Listener(self._last_reason)
        self._listeners.add(listener)
        try:
            while True:
                yield await listener.next()
        finally:
            self._listeners.discard(listener)

    async def apply(self, action: ServiceAction) -> None:
        """
        Write to the status of a Service, or have its Event written when there is time.

        Where a write ends without an answer, nothing is known of it until the next look.

        Raises:
            Conflict: The Service changed, or went away, since it was observed.
            NotLeading: We may not write any more.
            ClusterError: It was refused, or whether it was written is not known.
        """
        if isinstance(action, RecordEvent):
            self._record_event(action)
        else:
            await self._write(action)

    async def secret(self, name: str) -> bytes:
        """
        Ask for the password in a Secret of our own namespace; nothing of it is kept.

        Raises:
            ClusterError: There is no such Secret, it has no password, or we may not read it.
        """
        key = f"{self._namespace}/{name}"
        path = f"/api/v1/namespaces/{self._namespace}/secrets/{quote(name, safe='')}"
        try:
            raw = await self._connection.request("GET", path)
        except NotFound as exc:
            raise ClusterError(f'there is no Secret "{key}"') from exc
        password = password_of(ApiObject(msgspec.Raw(raw), "Secret", Place(self._connection.server)), key)
        if password is None:
            raise ClusterError(f'the Secret "{key}" has no password')
        return password

    async def _write(self, action: StatusWrite) -> None:
        try:
            with self._events.held_back():
                was_sent = await self._writer.write(action)
        except NotLeading:
            self._said.clear()
            raise
        if was_sent:
            self._said.pop(action.service, None)

    def _record_event(self, event: RecordEvent) -> None:
        """An Event is left out where it was said since the last write, or where there is nobody to say it of."""
        if not self._may_write():
            # Whoever leads next speaks, and should we lead again, everything is to be said once more.
            self._said.clear()
            raise NotLeading("another process may be speaking by now")
        service = self._services.get(event.service)
        if service is None:
            return
        subject = Subject("Service", service.namespace, service.name, service.uid)
        statement = Statement(subject, event.type, event.reason, event.message)
        if self._repeats_events:
            self._events.put(statement)
            return
        said = self._said.setdefault(event.service, set())
        if statement not in said:
            said.add(statement)
            self._events.put(statement)

    def _wake(self, kind: str, reason: str) -> None:
        # Whoever looked before everything was read is told when it is, whatever kind came last.
        if kind in self._waking or not self._is_synced:
            self._is_synced = all(reflector.synced for reflector in self.reflectors)
            self._last_reason = reason
            for listener in self._listeners:
                listener.tell(reason)

    def _forget_the_gone(self) -> None:
        """Nobody says when a Service is gone for good, so what was said of them is looked through now and then."""
        if len(self._said) > len(self._services) + _SLACK:
            self._said = {key: said for key, said in self._said.items() if self._services.get(key) is not None}


class _Listener:
    """Somebody who wants to know of changes; the last of several reasons stands for all."""

    def __init__(self, missed: str) -> None:
        self._reason = ""
        self._told = asyncio.Event()
        if missed:
            self.tell(missed)

    def tell(self, reason: str) -> None:
        self._reason = reason
        self._told.set()

    async def next(self) -> str:
        await self._told.wait()
        self._told.clear()
        return self._reason


def _why_missing(reflector: Reflector[Any, Any]) -> str:
    why = f": {reflector.last_error}" if reflector.last_error else ""
    return f"no complete list of {reflector.kind}s yet{why}"


def _report(problem: str) -> None:
    _LOG.warning("%s", problem)
