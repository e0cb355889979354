"""A cluster, a status board, a herald and a leadership in memory, and replicas of the controller that work on them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from reconciler.addresses.family import Address
from reconciler.cluster.port import ClusterError, Conflict, NotLeading
from reconciler.loop.account import Account
from reconciler.loop.configuration import Configuration
from reconciler.loop.controller import Controller
from reconciler.loop.execution import Executor
from reconciler.loop.last_good import LastGood
from reconciler.loop.notices import Notices
from reconciler.model.observed import Endpoint, Node, NodeName, ObservedState, Service, ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordEvent, ServiceAction, StatusWrite
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.status import ClusterState
from tests.builders import service
from tests.loop.corner import POOLS

_NODE = Node(NodeName("worker"))
_BOARD = "board"


class MemoryCluster:
    """
    Services by key, and what was written to them: `moves` are the addresses before and after, oldest first.

    `failures` are raised for the writes of a Service. `ready` is whether the only node is; every Service has an
    endpoint there. After `fall_behind` looks show something older, until
    somebody catches up.
    """

    def __init__(self) -> None:
        self.services: dict[ServiceKey, Service] = {}
        self.moves: list[tuple[str, str, str]] = []
        self.attempts: list[str] = []
        self.failures: dict[str, ClusterError] = {}
        self.ready = True
        self._versions = 1
        self._behind: Mapping[ServiceKey, Service] | None = None
        self._written: dict[ServiceKey, tuple[str, str]] = {}

    def create(self, *names: str, **attributes: Any) -> None:
        """Services in the namespace `shop`."""
        for name in names:
            self._put(service(f"shop/{name}", **attributes))

    def delete(self, name: str) -> None:
        del self.services[ServiceKey(f"shop/{name}")]

    def fall_behind(self, shown: Mapping[ServiceKey, Service]) -> None:
        self._behind = shown

    def held(self, prefix: str = "") -> dict[str, str]:
        """The addresses of the Services with such names, by name."""
        named = {str(key).partition("/")[2]: found for key, found in sorted(self.services.items())}
        return {name: _joined(found.ingress) for name, found in named.items() if name.startswith(prefix)}

    async def observe(self) -> ObservedState:
        node = msgspec.structs.replace(_NODE, ready=self.ready)
        shown = self.services if self._behind is None else self._behind
        return ObservedState(tuple(found for _, found in sorted(shown.items())), {}, (node,), {})

    async def endpoints(self) -> Mapping[ServiceKey, tuple[Endpoint, ...]]:
        return {key: (Endpoint(_NODE.name, serving=True),) for key in self.services}

    async def catch_up(self) -> None:
        self._behind = None

    async def changes(self) -> AsyncIterator[str]:
        while True:
            await asyncio.Event().wait()
            yield ""

    async def apply(self, action: ServiceAction) -> None:
        if isinstance(action, RecordEvent):
            return
        name = action.service.partition("/")[2]
        self.attempts.append(name)
        await asyncio.sleep(0)
        if name in self.failures:
            raise self.failures[name]
        before = self.services[action.service]
        first = (action.resource_version, before.resource_version)
        if action.resource_version != before.resource_version and self._written.get(before.key) != first:
            raise Conflict(f"{action.service} is at version {before.resource_version}")
        after = self._put(_written(before, action))
        self._written[before.key] = (action.resource_version, after.resource_version)
        if before.ingress != after.ingress:
            self.moves.append((name, _joined(before.ingress), _joined(after.ingress)))

    async def secret(self, name: str) -> bytes:
        raise ClusterError(f"there is no Secret {name}")

    def _put(self, found: Service) -> Service:
        self._versions += 1
        self.services[found.key] = msgspec.structs.replace(found, resource_version=str(self._versions))
        return self.services[found.key]


def _written(before: Service, write: StatusWrite) -> Service:
    match write:
        case AssignAddresses(addresses=addresses, pool=pool):
            changed = msgspec.structs.replace(before, ingress=addresses, allocated_pool=pool)
        case ClearAddresses():
            changed = msgspec.structs.replace(before, ingress=(), allocated_pool=None)
        case _:
            changed = before
    return msgspec.structs.replace(changed, condition=write.condition)


def _joined(addresses: tuple[Address, ...]) -> str:
    return " ".join(map(str, addresses))


class MemoryBoard:
    """
    One document, and each that was written, as values.

    `is_broken`: nothing can be written. `loses_answers`: it is written, and nobody learns that. While `gate` is not
    set, whoever writes waits.
    """

    def __init__(self) -> None:
        self.document: bytes | None = None
        self.history: list[Any] = []
        self.is_broken = False
        self.loses_answers = False
        self.waiting = 0
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def said(self) -> Any:
        """The document as it stands."""
        assert self.document is not None
        return msgspec.json.decode(self.document)

    async def published(self, name: str) -> bytes | None:
        assert name == _BOARD
        return self.document

    async def publish(self, name: str, document: bytes) -> None:
        assert name == _BOARD
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if self.is_broken:
            raise ClusterError("403 Forbidden")
        if document != self.document:
            self.document = document
            self.history.append(self.said)
        if self.loses_answers:
            raise ClusterError("the answer is lost")


class MemoryHerald:
    """Keeps what was announced: reason and message."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    async def announce(self, type: str, reason: str, message: str) -> None:  # noqa: A002 - the word of the API
        assert type in {"Normal", "Warning"}
        self.said.append((reason, message))


class MemoryKeys:
    """The port `MembershipKeys`: one that has been made."""

    async def membership_key(self) -> bytes | None:
        return bytes(32)

    async def ensure_membership_key(self) -> bytes:
        return bytes(32)


class Switch:
    """The port `Leadership`, as a test says."""

    def __init__(self) -> None:
        self.is_on = False

    def leads(self) -> bool:
        return self.is_on

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def release(self, patience: float) -> None:
        assert patience
        self.is_on = False


class Replica:
    """A controller with everything real but the ports; `passes` are made by hand, one after the other."""

    def __init__(self, name: str, ports: "Shared", state: Path | None) -> None:
        self.leadership = Switch()
        self.herald = MemoryHerald()
        self.configuration = Configuration([str(ports.config)], LastGood(state))
        describe: Callable[[], Callable[[], bytes]] = lambda: self.account.describe()  # noqa: E731, PLW0108
        self.controller = Controller(
            cluster=ports.cluster,
            board=ports.board,
            board_name=_BOARD,
            describe=describe,
            configuration=self.configuration,
            leadership=self.leadership,
            notices=Notices(self.herald),
            executor=Executor(ports.cluster, lambda *_: None, concurrency=4),
            keys=MemoryKeys(),
            lb_class="",
        )
        self.account = Account(
            controller=self.controller,
            configuration=self.configuration,
            leadership=self.leadership,
            leader=lambda: None,
            cluster_state=lambda: ClusterState(synced=True),
            metrics=Metrics("0"),
            identity=name,
            lb_class="",
        )

    @property
    def verdict(self) -> str | None:
        return self.controller.verdict

    @property
    def in_force(self) -> str | None:
        """The revision."""
        return self.configuration.in_force.revision if self.configuration.in_force else None

    @property
    def newest(self) -> str | None:
        """The revision of the files."""
        return self.configuration.newest.revision

    async def look(self) -> None:
        """A pass that looks at the files; who leads then publishes, as the process does."""
        await self.controller.make_pass(look_at_files=True)
        await self._publish()

    async def wake(self) -> None:
        """A pass because of the cluster."""
        await self.controller.make_pass(look_at_files=False)
        await self._publish()

    async def lead(self) -> None:
        """Gain leadership, and make the pass that follows."""
        self.leadership.is_on = True
        self.controller.lead()
        await self.wake()

    def lose(self) -> None:
        self.leadership.is_on = False

    async def _publish(self) -> None:
        if self.leadership.leads():
            try:
                await self.controller.publish()
            except NotLeading:
                raise
            except ClusterError:
                pass


class Shared:
    """What all replicas share: the cluster, the board and the files."""

    def __init__(self, root: Path) -> None:
        self.cluster = MemoryCluster()
        self.board = MemoryBoard()
        self.config = root / "config"
        self.config.mkdir()
        self._root = root

    def write(self, *documents: str) -> None:
        """Replace the files of the configuration."""
        (self.config / POOLS).write_text("---\n".join(documents))

    async def revise(self, *replicas: Replica, files: tuple[str, ...]) -> None:
        """Another commit, at which these look, one after the other."""
        self.write(*files)
        for replica in replicas:
            await replica.look()

    async def start(self, name: str, *, keeps: bool = False) -> Replica:
        """A new process; with `keeps` it goes on with the state directory of that name."""
        replica = Replica(name, self, self._root / name if keeps else None)
        await replica.configuration.restore()
        await replica.look()
        return replica

    async def leader(self, name: str, *, keeps: bool = False) -> Replica:
        """A new process that leads at once."""
        replica = await self.start(name, keeps=keeps)
        await replica.lead()
        return replica
