"""`reconciler speaker`: wires the speaker of one node to files, a cluster, the network and the others, and runs it."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler import __version__
from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.announcers.port import Report
from reconciler.cli.naming import CONTROLLER_STATUS, named
from reconciler.cli.naming import speaker_status as status_name
from reconciler.cli.options import ClusterChoice
from reconciler.cli.report import Exit
from reconciler.cli.signals import ended_by_signals
from reconciler.cli.speaker_backend import SpeakerBackend, SpeakerIdentity, open_speaker_backend
from reconciler.cluster.port import ClusterError
from reconciler.l2.packet_socket import check_capability
from reconciler.l2.transport import Frames
from reconciler.loop.adoption import Adoption
from reconciler.loop.bgp_events import BGPEvents
from reconciler.loop.configuration import Configuration
from reconciler.loop.file_changes import FileChanges
from reconciler.loop.group import Group
from reconciler.loop.handing_over import HandingOver
from reconciler.loop.hearing import Hearing
from reconciler.loop.last_good import LastGood
from reconciler.loop.notices import Notices
from reconciler.loop.occupied import Occupied
from reconciler.loop.pacing import Pace, Pacer, Source
from reconciler.loop.rounds import Rounds
from reconciler.loop.session_rows import tallies
from reconciler.loop.speaker import Speaker
from reconciler.loop.speaker_account import AccountParts, SpeakerAccount
from reconciler.loop.speaker_events import SpeakerEvents
from reconciler.loop.speaker_links import SpeakerLinks
from reconciler.loop.speaker_process import SpeakerParts, SpeakerProcess
from reconciler.loop.triggers import Triggers
from reconciler.membership.gossip import Gossip
from reconciler.membership.revisions import Revisions
from reconciler.membership.seeds import endpoint
from reconciler.model.observed import NodeName
from reconciler.model.settings import AnnouncementSettings, MembershipSettings
from reconciler.telemetry.http import parse_http_address, serve
from reconciler.telemetry.logs import identify
from reconciler.telemetry.speaker_metrics import SpeakerMetrics, SpeakerReading

_LOG = logging.getLogger(__name__)
# Clients wait for the answers: the first reason makes a pass, and what comes meanwhile makes the next one.
_PACE = Pace(quiet=0.0, longest_wait=0.05, longest_gap=0.5)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; times in seconds."""

    configs: tuple[str, ...]
    choice: ClusterChoice
    node: str
    http_address: str
    interval: float
    bind: str | None = None
    seeds: tuple[str, ...] = ()
    ignore_exclude_label: bool = False
    pod_name: str | None = None
    pod_ip: str | None = None
    state_dir: str | None = None
    per_address_metrics: bool = False


def run(options: Options) -> int:
    """
    Run until SIGTERM or SIGINT.

    Raises:
        MissingCapabilityError: We may not open packet sockets.
        HttpAddressError: The address to listen on is no address.
        ListenError: It cannot be listened on.
        LinksError: The kernel does not tell of its links.
        ClusterError: There is no way to reach the cluster.
    """
    check_capability()
    # The modules stay: nobody has to look for garbage among them while sessions are waited for.
    gc.freeze()
    asyncio.run(_run(options))
    return Exit.NOTHING


async def _run(options: Options) -> None:
    address = parse_http_address(options.http_address)
    identity = SpeakerIdentity(options.node, options.pod_name, options.pod_ip)
    running: list[SpeakerProcess] = []
    with ended_by_signals(running):
        async with open_speaker_backend(options.choice, identity) as backend:
            wiring = _Wiring(options, backend)
            try:
                await wiring.links.open()
                served = serve(
                    address,
                    ready=wiring.account.not_ready,
                    metrics=wiring.metrics.exposition,
                    status=wiring.account.status_json,
                )
                async with served as served_at:
                    _LOG.info("reconciler %s: speaker of node %s, http %s", __version__, options.node, served_at)
                    running.append(wiring.process)
                    await wiring.process.run()
            finally:
                wiring.links.close()
                wiring.frames.close()


class _Wiring:
    """All parts of one process, each given what it needs of the others."""

    def __init__(self, options: Options, backend: SpeakerBackend) -> None:
        self._options = options
        self._backend = backend
        self._clock: Callable[[], float] = time.monotonic
        self._node = node = NodeName(options.node)
        self.metrics = SpeakerMetrics(__version__, per_address=options.per_address_metrics)
        self.frames = Frames()
        self._configuration = configuration = Configuration(
            options.configs, LastGood(Path(options.state_dir) if options.state_dir else None)
        )
        identify(
            lambda: {
                "node": node,
                "revision": configuration.in_force.revision if configuration.in_force else None,
            }
        )
        self._events = SpeakerEvents(node, backend.cluster, lambda: self._speaker.placement, self.metrics.reported)
        self._group = Group(node, key=self._key, open_gossip=self._open_gossip, clock=self._clock)
        self._occupied = Occupied(self._group.say, self._clock)

        def report(report: Report) -> None:
            self._events.report(report)
            self._occupied.reported(report)

        self._announcer = Layer2Announcer(self.frames.open, AnnouncementSettings(), self._clock, report)
        self._bgp_events = BGPEvents(node, backend.cluster, backend.herald, lambda: self.process.has_news())  # noqa: PLW0108
        # A peer that has no routes of an earlier run takes no harm from being told of one.
        self._bgp = BGPAnnouncer(
            options.node, backend.cluster.secret, self._bgp_events.report, clock=self._clock, restarted=True
        )
        self.links = SpeakerLinks(self._announcer, self._group, self._wake_for(Source.LINKS))
        self._handing_over = HandingOver(
            self._announcer, self._group.send, self.metrics.handover_ended, clock=self._clock
        )
        self._adoption = Adoption(
            configuration,
            Revisions(node, self._clock()),
            backend.board,
            named(CONTROLLER_STATUS, options.choice.lb_class),
            peers=self._group.known_peers,
            adopted=self._group.adopted,
            wake=self._wake_for(Source.MEMBERS),
            clock=self._clock,
        )
        hearing = Hearing(
            announcer=self._announcer,
            handing_over=self._handing_over,
            adoption=self._adoption,
            group=self._group,
            occupied=self._occupied,
            wake=self._wake_for(Source.MEMBERS),
            clock=self._clock,
        )
        self._group.follow(hearing)
        self._speaker = self._made_speaker(hearing)
        self.account = self._made_account()
        # The process does not exist yet.
        self._rounds = Rounds(lambda occasion: self.process.make_pass(occasion), self.account, pacer=Pacer(_PACE))  # noqa: PLW0108
        self.process = self._made_process()
        self.metrics.follow(self._reading)

    def _made_speaker(self, hearing: Hearing) -> Speaker:
        return Speaker(
            node=self._node,
            cluster=self._backend.cluster,
            configuration=self._configuration,
            adoption=self._adoption,
            group=self._group,
            links=self.links,
            announcer=self._announcer,
            bgp=self._bgp,
            on_told=self._bgp_events.told,
            handing_over=self._handing_over,
            hearing=hearing,
            occupied=self._occupied,
            notices=Notices(self._backend.herald),
            lb_class=self._options.choice.lb_class,
            ignore_exclude_label=self._options.ignore_exclude_label,
        )

    def _made_account(self) -> SpeakerAccount:
        return SpeakerAccount(
            AccountParts(
                speaker=self._speaker,
                configuration=self._configuration,
                adoption=self._adoption,
                group=self._group,
                announcer=self._announcer,
                bgp=self._bgp,
                links=self.links,
                handing_over=self._handing_over,
                events=self._events,
                cluster_state=self._backend.state,
                metrics=self.metrics,
                node=self._node,
                lb_class=self._options.choice.lb_class,
                ignore_exclude_label=self._options.ignore_exclude_label,
                clock=self._clock,
            )
        )

    def _made_process(self) -> SpeakerProcess:
        triggers = Triggers(
            lambda wake: self._rounds.wake(wake.source, wake.reason),
            files=FileChanges(self._options.configs),
            cluster_changes=self._backend.cluster.changes,
            interval=self._options.interval,
        )
        return SpeakerProcess(
            SpeakerParts(
                speaker=self._speaker,
                configuration=self._configuration,
                group=self._group,
                announcer=self._announcer,
                bgp=self._bgp,
                handing_over=self._handing_over,
                rounds=self._rounds,
                triggers=triggers,
                publish=self._publish,
                flush_events=self._backend.flush_events,
                beside=(
                    self._adoption.run,
                    self._group.run,
                    self._group.watch_gossip,
                    self.links.run,
                    self._events.run,
                    self._bgp_events.run,
                    *self._backend.beside,
                ),
            )
        )

    def _wake_for(self, source: Source) -> Callable[[str], None]:
        return lambda reason: self._rounds.wake(source, reason)

    async def _publish(self) -> None:
        document = await asyncio.to_thread(self.account.describe())
        await self._backend.board.publish(status_name(self._options.node, self._options.choice.lb_class), document)

    async def _key(self) -> bytes:
        key = await self._backend.keys.membership_key()
        if key is None:
            raise ClusterError("the key of the speakers' group is not there yet: the controller makes it")
        return key

    async def _open_gossip(self, settings: MembershipSettings, key: bytes, group: Group) -> Gossip:
        host = self._options.bind or self._options.pod_ip or "0.0.0.0"  # noqa: S104 - where no address is known
        gossip = Gossip(
            group.node,
            bind=endpoint(host, settings.port),
            advertise=None,
            key=key,
            seeds=self._seeds,
            settings=settings,
            on_change=group.changed,
            on_message=group.received,
            on_missing=self.links.look_for,
        )
        await gossip.start()
        return gossip

    async def _seeds(self) -> Sequence[str]:
        if self._options.seeds or self._backend.pods is None:
            return self._options.seeds
        return await self._backend.pods.addresses()

    def _reading(self) -> SpeakerReading:
        counted = self._backend.counters()
        return SpeakerReading(
            status=self.account.status(every_address=self._options.per_address_metrics),
            updates=self._rounds.wakes,
            queue_age=self._rounds.queue_age,
            events_waiting=counted.events_waiting,
            events_dropped=counted.events_dropped,
            relists=counted.relists,
            watch_restarts=counted.watch_restarts,
            decode_failures=counted.decode_failures,
            links=self._announcer.counts(),
            tallies=tallies(self._bgp.sessions()),
        )
