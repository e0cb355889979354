"""`reconciler controller`: wires the controller to files, a cluster and an operator, and runs it."""

import asyncio
import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from reconciler import __version__
from reconciler.cli.backend import CONCURRENCY, Backend, Counters, Identity, open_backend
from reconciler.cli.naming import CONTROLLER_STATUS, LEASE, named
from reconciler.cli.options import ClusterChoice
from reconciler.cli.report import Exit
from reconciler.cli.signals import ended_by_signals
from reconciler.loop.account import Account
from reconciler.loop.configuration import Configuration
from reconciler.loop.controller import Controller
from reconciler.loop.execution import Executor
from reconciler.loop.file_changes import FileChanges
from reconciler.loop.last_good import LastGood
from reconciler.loop.notices import Notices
from reconciler.loop.pacing import Pacer
from reconciler.loop.process import Parts, Process
from reconciler.loop.rounds import Rounds
from reconciler.loop.triggers import Triggers
from reconciler.loop.viewing import Viewing
from reconciler.membership.lease import LeaseTiming
from reconciler.telemetry.http import parse_http_address, serve
from reconciler.telemetry.logs import identify
from reconciler.telemetry.metrics import Metrics, Reading
from reconciler.telemetry.status import status_json

_LOG = logging.getLogger(__name__)

# Of the Kubernetes components' defaults: 10 s and 2 s for a lease of 15 s.
_RENEW_DEADLINE, _RETRY_PERIOD = 2 / 3, 2 / 15


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; times in seconds."""

    configs: tuple[str, ...]
    choice: ClusterChoice
    http_address: str
    interval: float
    lease_duration: int
    pod_name: str | None = None
    config_object: str | None = None
    state_dir: str | None = None


def run(options: Options) -> int:
    """
    Run until SIGTERM or SIGINT.

    Raises:
        HttpAddressError: The address to listen on is no address.
        ListenError: It cannot be listened on.
        LeaseTimingError: The lease is too short.
        ClusterError: There is no way to reach the cluster.
    """
    asyncio.run(_run(options))
    return Exit.NOTHING


async def _run(options: Options) -> None:
    address = parse_http_address(options.http_address)
    duration = options.lease_duration
    timing = LeaseTiming(duration, duration * _RENEW_DEADLINE, duration * _RETRY_PERIOD)
    identity = _identity(options)
    running: list[Process] = []

    def notify(leads: bool) -> None:  # noqa: FBT001 - the port of the leadership
        for process in running:
            process.leadership_changed(leads=leads)

    with ended_by_signals(running):
        async with open_backend(options.choice, identity, timing, notify) as backend:
            wired = _wire(options, identity, backend)
            served = serve(
                address,
                ready=wired.account.not_ready,
                metrics=wired.metrics.exposition,
                status=lambda: status_json(wired.account.status(services=True)),
                view=wired.viewing.view,
            )
            async with served as served_at:
                namespace, board = options.choice.namespace, named(CONTROLLER_STATUS, options.choice.lb_class)
                _LOG.info(
                    "reconciler %s: controller %s, Lease %s/%s, status object %s-status/%s, http %s",
                    *(__version__, identity.holder, namespace, identity.lease, namespace, board, served_at),
                )
                running.append(wired.process)
                await wired.process.run()


@dataclass(frozen=True, slots=True)
class _Wired:
    process: Process
    account: Account
    metrics: Metrics
    viewing: Viewing


def _wire(options: Options, identity: Identity, backend: Backend) -> _Wired:
    lb_class = options.choice.lb_class
    metrics = Metrics(__version__)
    last_good = LastGood(Path(options.state_dir) if options.state_dir else None)
    configuration = Configuration(options.configs, last_good)
    identify(lambda: {"revision": configuration.in_force.revision if configuration.in_force else None})
    executor = Executor(backend.cluster, metrics.write_ended, concurrency=CONCURRENCY)
    controller = Controller(
        cluster=backend.cluster,
        board=backend.board,
        board_name=named(CONTROLLER_STATUS, lb_class),
        describe=lambda: account.describe(),  # noqa: PLW0108 - it does not exist yet
        configuration=configuration,
        leadership=backend.leadership,
        notices=Notices(backend.herald),
        executor=executor,
        keys=backend.keys,
        lb_class=lb_class,
    )
    account = Account(
        controller=controller,
        configuration=configuration,
        leadership=backend.leadership,
        leader=backend.leader,
        cluster_state=backend.state,
        metrics=metrics,
        identity=identity.holder,
        lb_class=lb_class,
    )
    viewing = Viewing(
        account=account,
        controller=controller,
        configuration=configuration,
        cluster=backend.cluster,
        documents=backend.documents,
        board_name=named(CONTROLLER_STATUS, lb_class),
        lb_class=lb_class,
    )
    # The process does not exist yet.
    rounds = Rounds(lambda occasion: process.make_pass(occasion), account, pacer=Pacer())  # noqa: PLW0108
    triggers = Triggers(
        lambda wake: rounds.wake(wake.source, wake.reason),
        files=FileChanges(options.configs),
        cluster_changes=backend.cluster.changes,
        interval=options.interval,
    )
    process = Process(
        Parts(
            controller=controller,
            configuration=configuration,
            executor=executor,
            rounds=rounds,
            triggers=triggers,
            leadership=backend.leadership,
            flush_events=backend.flush_events,
            beside=backend.beside,
        )
    )
    metrics.follow(lambda: _reading(account, rounds, backend.counters()))
    return _Wired(process, account, metrics, viewing)


def _reading(account: Account, rounds: Rounds, counted: Counters) -> Reading:
    return Reading(
        status=account.status(),
        updates=rounds.wakes,
        queue_age=rounds.queue_age,
        events_waiting=counted.events_waiting,
        events_dropped=counted.events_dropped,
        relists=counted.relists,
        watch_restarts=counted.watch_restarts,
        decode_failures=counted.decode_failures,
    )


def _identity(options: Options) -> Identity:
    # A container that is restarted in its Pod goes on with the Lease of the one before; anybody else has to wait.
    holder = options.pod_name or f"{socket.gethostname()}_{uuid4()}"
    return Identity(
        holder, named(LEASE, options.choice.lb_class), pod=options.pod_name, config_object=options.config_object
    )
