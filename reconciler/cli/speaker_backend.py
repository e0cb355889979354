"""The cluster that a running speaker works on: every port of it, whatever is behind them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from reconciler.cli.backend import CONCURRENCY, Counters, cluster_state, counters_of
from reconciler.cli.naming import MEMBERSHIP_KEY_FILE, MEMBERSHIP_SECRET, named
from reconciler.cli.options import ClusterChoice
from reconciler.cluster.connection import Connection
from reconciler.cluster.directory import DirectoryCluster
from reconciler.cluster.event_bodies import Speaker, Subject
from reconciler.cluster.event_queue import EventQueue
from reconciler.cluster.herald import KubernetesHerald
from reconciler.cluster.kinds import ENDPOINT_SLICES, NODES, SERVICES
from reconciler.cluster.kubernetes import KubernetesCluster
from reconciler.cluster.membership_key import MembershipSecret
from reconciler.cluster.port import Cluster, Herald, MembershipKeys, SpeakerPods, StatusBoard
from reconciler.cluster.role_files import MembershipKeyFile, RoleFiles
from reconciler.cluster.speaker_pods import KubernetesSpeakerPods
from reconciler.cluster.status_configmap import StatusConfigMaps
from reconciler.telemetry.status import ClusterState

_COMPONENT = "lb-reconciler-speaker"
# Namespaces matter to those who give addresses only.
_FOLLOWED = frozenset({SERVICES.name, NODES.name, ENDPOINT_SLICES.name})


@dataclass(frozen=True, slots=True)
class SpeakerIdentity:
    """Who this process is: its node, and where it runs in a Pod, the Pod's name and address."""

    node: str
    pod: str | None = None
    pod_ip: str | None = None


@dataclass(frozen=True, slots=True)
class SpeakerBackend:
    """The ports of a cluster, and what has to run beside them. `pods` is None where the cluster knows none."""

    cluster: Cluster
    board: StatusBoard
    herald: Herald
    keys: MembershipKeys
    pods: SpeakerPods | None
    state: Callable[[], ClusterState]
    counters: Callable[[], Counters]
    flush_events: Callable[[float], Awaitable[None]]
    beside: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()


@asynccontextmanager
async def open_speaker_backend(choice: ClusterChoice, identity: SpeakerIdentity) -> AsyncIterator[SpeakerBackend]:
    """
    Reach the cluster that the command line names.

    Raises:
        ClusterError: It cannot be reached at all, or another speaker works for this node on that directory.
    """
    opened = _live(choice, identity) if choice.directory is None else _directory(choice, identity)
    async with opened as backend:
        yield backend


@asynccontextmanager
async def _directory(choice: ClusterChoice, identity: SpeakerIdentity) -> AsyncIterator[SpeakerBackend]:
    path = str(choice.directory)
    files = RoleFiles(path)

    async def nothing_waits(_seconds: float) -> None:
        """Events of a directory are written at once."""

    with files.alone(named(f"{_COMPONENT}-{identity.node}", choice.lb_class)):
        yield SpeakerBackend(
            cluster=DirectoryCluster(path, namespace=choice.namespace, repeats_events=True),
            board=files,
            herald=files,
            keys=MembershipKeyFile(path, name=named(MEMBERSHIP_KEY_FILE, choice.lb_class)),
            pods=None,
            state=lambda: ClusterState(synced=True),
            counters=Counters,
            flush_events=nothing_waits,
        )


@asynccontextmanager
async def _live(choice: ClusterChoice, identity: SpeakerIdentity) -> AsyncIterator[SpeakerBackend]:
    connection = await Connection.open(kubeconfig=choice.kubeconfig, context=choice.context, concurrency=CONCURRENCY)
    try:
        queue = EventQueue(connection, Speaker(_COMPONENT, identity.pod or identity.node, host=identity.node))
        cluster = KubernetesCluster(
            connection,
            queue,
            namespace=choice.namespace,
            followed=_FOLLOWED,
            waking=_FOLLOWED,
            repeats_events=True,
        )
        pod = Subject("Pod", choice.namespace, identity.pod) if identity.pod else None
        secret = named(MEMBERSHIP_SECRET, choice.lb_class)
        yield SpeakerBackend(
            cluster=cluster,
            board=StatusConfigMaps(connection, namespace=f"{choice.namespace}-status", node=identity.node),
            # Not on the ConfigMap: the controller says that there, and speakers are many.
            herald=KubernetesHerald(connection, queue, pod=pod),
            keys=MembershipSecret(connection, namespace=choice.namespace, name=secret),
            pods=KubernetesSpeakerPods(connection, namespace=choice.namespace, own_address=identity.pod_ip),
            state=lambda: cluster_state(cluster.reflectors),
            counters=lambda: counters_of(cluster.reflectors, queue),
            flush_events=queue.flush,
            beside=(cluster.run,),
        )
    finally:
        await connection.close()
