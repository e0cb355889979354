"""The cluster that a running role works on: every port of it, whatever is behind them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.cli.naming import MEMBERSHIP_KEY_FILE, MEMBERSHIP_SECRET, named
from reconciler.cli.options import ClusterChoice
from reconciler.cli.published import published_below
from reconciler.cluster.connection import Connection
from reconciler.cluster.directory import DirectoryCluster
from reconciler.cluster.event_bodies import Speaker, Subject
from reconciler.cluster.event_queue import EventQueue
from reconciler.cluster.herald import KubernetesHerald
from reconciler.cluster.kubernetes import KubernetesCluster
from reconciler.cluster.leases import KubernetesLeases
from reconciler.cluster.live import read_documents
from reconciler.cluster.membership_key import MembershipSecret
from reconciler.cluster.port import Cluster, Herald, MembershipKeys, StatusBoard
from reconciler.cluster.reflector import Reflector
from reconciler.cluster.role_files import MembershipKeyFile, RoleFiles
from reconciler.cluster.status_configmap import StatusConfigMaps
from reconciler.loop.leadership import AlwaysLeads, Leadership, LeaseLeadership
from reconciler.membership.lease import LeaseTiming
from reconciler.telemetry.status import ClusterState

# Requests at the same time: an API server with two cores is busy with fewer.
CONCURRENCY = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Who this process is.

    `pod` is the name of its Pod, where it runs in one; `config_object` the `namespace/name` of the ConfigMap that it
    is configured by. `lease` is the name of the Lease, which it holds as `holder`.
    """

    holder: str
    lease: str
    pod: str | None = None
    config_object: str | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """What a backend has counted; by kind of object."""

    events_waiting: int = 0
    events_dropped: int = 0
    relists: Mapping[str, int] = field(default_factory=dict)
    watch_restarts: Mapping[str, int] = field(default_factory=dict)
    decode_failures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backend:
    """The ports of a cluster, and what has to run beside them. `documents` reads what all roles have published."""

    cluster: Cluster
    board: StatusBoard
    documents: Callable[[], Awaitable[Mapping[str, bytes]]]
    herald: Herald
    keys: MembershipKeys
    leadership: Leadership
    leader: Callable[[], str | None]
    state: Callable[[], ClusterState]
    counters: Callable[[], Counters]
    flush_events: Callable[[float], Awaitable[None]]
    beside: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()


@asynccontextmanager
async def open_backend(
    choice: ClusterChoice, identity: Identity, timing: LeaseTiming, notify: Callable[[bool], None]
) -> AsyncIterator[Backend]:
    """
    Reach the cluster that the command line names; `notify` is told of leadership gained and lost.

    Raises:
        ClusterError: It cannot be reached at all, or somebody else works on that directory.
    """
    opened = (
        _live(choice, identity, timing, notify) if choice.directory is None else _directory(choice, identity, notify)
    )
    async with opened as backend:
        yield backend


@asynccontextmanager
async def _directory(
    choice: ClusterChoice, identity: Identity, notify: Callable[[bool], None]
) -> AsyncIterator[Backend]:
    path = str(choice.directory)
    files = RoleFiles(path)

    async def nothing_waits(_seconds: float) -> None:
        """Events of a directory are written at once."""

    with files.alone(identity.lease):
        yield Backend(
            cluster=DirectoryCluster(path, namespace=choice.namespace),
            board=files,
            documents=lambda: asyncio.to_thread(published_below, path),
            herald=files,
            keys=MembershipKeyFile(path, name=named(MEMBERSHIP_KEY_FILE, choice.lb_class)),
            leadership=AlwaysLeads(notify),
            leader=lambda: identity.holder,
            state=lambda: ClusterState(synced=True),
            counters=Counters,
            flush_events=nothing_waits,
        )


@asynccontextmanager
async def _live(
    choice: ClusterChoice, identity: Identity, timing: LeaseTiming, notify: Callable[[bool], None]
) -> AsyncIterator[Backend]:
    connection = await Connection.open(kubeconfig=choice.kubeconfig, context=choice.context, concurrency=CONCURRENCY)
    try:
        leadership = LeaseLeadership(
            KubernetesLeases(connection, namespace=choice.namespace, name=identity.lease),
            identity=identity.holder,
            timing=timing,
            notify=notify,
        )
        queue = EventQueue(connection, Speaker("lb-reconciler-controller", identity.holder), may_write=leadership.leads)
        pod = Subject("Pod", choice.namespace, identity.pod) if identity.pod else None
        namespace, _, name = (identity.config_object or "").partition("/")
        config_map = Subject("ConfigMap", namespace, name) if name else None
        cluster = KubernetesCluster(connection, queue, namespace=choice.namespace, may_write=leadership.leads)
        status_namespace = f"{choice.namespace}-status"
        yield Backend(
            cluster=cluster,
            board=StatusConfigMaps(connection, namespace=status_namespace, may_write=leadership.leads),
            documents=lambda: read_documents(connection, namespace=status_namespace),
            herald=KubernetesHerald(connection, queue, pod=pod, config_map=config_map),
            keys=MembershipSecret(
                connection, namespace=choice.namespace, name=named(MEMBERSHIP_SECRET, choice.lb_class)
            ),
            leadership=leadership,
            leader=lambda: leadership.holder,
            state=lambda: cluster_state(cluster.reflectors),
            counters=lambda: counters_of(cluster.reflectors, queue),
            flush_events=queue.flush,
            beside=(cluster.run,),
        )
    finally:
        await connection.close()


def cluster_state(reflectors: Iterable[Reflector[Any, Any]]) -> ClusterState:
    """How well a cluster is followed."""
    reflectors = tuple(reflectors)
    synced = all(reflector.synced for reflector in reflectors)
    away = [(found.away_since, found.last_error) for found in reflectors if found.away_since is not None]
    if not away:
        return ClusterState(synced=synced)
    since, error = min(away)
    began = datetime.now(UTC) - timedelta(seconds=time.monotonic() - since)
    return ClusterState(synced=synced, away_since=began.replace(microsecond=0), error=error)


def counters_of(reflectors: Iterable[Reflector[Any, Any]], queue: EventQueue) -> Counters:
    """What was counted while following it."""
    reflectors = tuple(reflectors)
    return Counters(
        events_waiting=queue.waiting,
        events_dropped=queue.dropped,
        relists={found.kind: found.relists for found in reflectors},
        watch_restarts={found.kind: found.watch_restarts for found in reflectors},
        decode_failures={found.kind: found.decode_failures for found in reflectors},
    )
