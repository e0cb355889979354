"""
Rounds of harm to two controllers that share a Lease, while people work on their Services and their files.

Each controller reaches the API server through a proxy of its own, which knows when a write has got to the server and
its answer has not got back. After each round everything comes to rest, and the audit looks at all that happened.
"""

import json
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random

from tests.controlplane.api import wait_until
from tests.controlplane.fault_proxy import FaultProxy
from tests.controlplane.faults import Answer, Cut, Delay, Fault, Pass, Rule, Swallow
from tests.controlplane.harness import ControlPlane
from tests.loop.audit import Findings
from tests.loop.audit_record import Pool
from tests.loop.corner import EVERYWHERE, Corner, pool, settings
from tests.loop.recording import Recording
from tests.loop.running import RunningController

STATUS = r"/services/[^/]+/status"
LEASES = "/leases"
# Seconds. Writes that overtake each other are this far apart, and what is late cannot be later than a few of those.
_OVERTAKING = 0.3
_LATE = 5.0
_LEASE = 2
_FEWEST, _MOST = 8, 20


class Replica:
    """A controller behind a proxy of its own. It may end and be started again, under its name or as another Pod."""

    def __init__(self, control_plane: ControlPlane, corner: Corner, name: str, state: Path, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.name = name
        self._corner = corner
        self._kubeconfig = control_plane.kubeconfig("controller", server=proxy.url)
        self._state = state
        self._started: list[RunningController] = []

    @property
    def running(self) -> RunningController:
        """The process that was started last."""
        return self._started[-1]

    def start(self, name: str | None = None) -> None:
        """Start it, or start it again when it has ended."""
        self.name = name or self.name
        options = (f"--kubeconfig={self._kubeconfig}",)
        self._started.append(self._corner.start(*options, name=self.name, lease=_LEASE, interval=5, state=self._state))

    def signal(self, number: int) -> None:
        """To the process that was started last, unless it has ended."""
        _signal(self.running, number)

    def leads(self) -> bool:
        """By its own word; False where it has ended or does not answer yet."""
        if self.running.has_ended():
            return False
        code, body = self.running.ask("/status")
        return code == 200 and bool(json.loads(body)["leading"])

    def close(self) -> None:
        """End every process."""
        for running in self._started:
            running.kill()


def _signal(running: RunningController, number: int) -> None:
    if not running.has_ended():
        running.signal(number)


@contextmanager
def replica(control_plane: ControlPlane, corner: Corner, name: str, root: Path) -> Iterator[Replica]:
    """One that has not been started yet; it has ended afterwards."""
    with FaultProxy(control_plane) as proxy:
        made = Replica(control_plane, corner, name, root / f"state-of-{name}", proxy)
        try:
            yield made
        finally:
            made.close()


class Files:
    """The configuration of the rounds: a pool for everybody, and one that has to be asked for; both small."""

    def __init__(self, corner: Corner, recording: Recording) -> None:
        self._corner = corner
        self._recording = recording

    def put(self, size: int) -> None:
        """The first pool has so many addresses of each family; the guard lets everything through but an end of all."""
        self._write(_numbered("main", range(1, size + 1)), _numbered("extra", range(101, 104), auto=False))

    def put_elsewhere(self) -> None:
        """Nobody may keep what he has, which the guard does not let through."""
        self._write(_numbered("elsewhere", range(201, 204)), held=True)

    def _write(self, *pools: Pool, held: bool = False) -> None:
        self._recording.say_files(*pools, held=held)
        documents = (pool(one.name, *(f"{a}-{a}" for a in sorted(one.addresses)), auto=one.auto) for one in pools)
        self._corner.write(*documents, EVERYWHERE, settings(minimumServices=1000))


def _numbered(name: str, numbers: Iterable[int], *, auto: bool = True) -> Pool:
    return Pool(name, frozenset(text for n in numbers for text in (f"10.20.0.{n}", f"fd20::{n:x}")), auto)


class People:
    """Who makes, changes and deletes Services, at random."""

    def __init__(self, corner: Corner) -> None:
        self._corner = corner
        self._made = 0
        self._there: list[str] = []

    def work(self, random: Random, times: int) -> None:
        """Do so many things, one after the other."""
        for _ in range(times):
            few, many = len(self._there) < _FEWEST, len(self._there) > _MOST
            deed = random.choices((self._create, self._edit, self._delete), (0 if many else 3, 3, 0 if few else 2))[0]
            deed(random)

    def _create(self, random: Random) -> None:
        self._made += 1
        name = f"s{self._made}"
        families = random.choice((["IPv4"], ["IPv4"], ["IPv6"], ["IPv4", "IPv6"]))
        policy = "RequireDualStack" if len(families) > 1 else "SingleStack"
        marks = {name: mark for name, mark in _marks(random, families).items() if mark}
        ports = [{"port": random.choice((80, 81, 82))}]
        self._corner.create(name, annotations=marks, ports=ports, ipFamilies=families, ipFamilyPolicy=policy)
        self._there.append(name)

    def _edit(self, random: Random) -> None:
        if not self._there:
            return
        name = random.choice(self._there)
        match random.randrange(3):
            case 0:
                families = self._corner.get(name)["spec"]["ipFamilies"]
                self._corner.patch(name, {"metadata": {"annotations": _marks(random, families)}})
            case 1:
                self._corner.patch(name, {"spec": {"ports": [{"port": random.choice((80, 81, 82))}]}})
            case _:
                # Of no consequence, but another version.
                self._corner.patch(name, {"metadata": {"labels": {"example.com/touched": secrets.token_hex(4)}}})

    def _delete(self, random: Random) -> None:
        self._corner.delete(self._there.pop(random.randrange(len(self._there))))


def _marks(random: Random, families: list[str]) -> dict[str, str | None]:
    """Annotations: what one does not ask for is taken away."""
    key = random.choice((None, "k", "k", "l"))
    wish = random.choice(("", "", "", "pool", "address"))
    number = random.randrange(1, 9)
    addresses = [f"10.20.0.{number}" if family == "IPv4" else f"fd20::{number:x}" for family in families]
    return {
        "metallb.io/allow-shared-ip": key,
        "metallb.io/address-pool": "extra" if wish == "pool" else None,
        "metallb.io/loadBalancerIPs": ",".join(addresses) if wish == "address" else None,
    }


class Rounds:
    """
    Two replicas, and what is done to them.

    `done` counts what befell the leader, by name. `findings` are those of the last audit.
    """

    def __init__(self, corner: Corner, recording: Recording, replicas: tuple[Replica, Replica]) -> None:
        self._corner = corner
        self._recording = recording
        self._replicas = replicas
        self._files = Files(corner, recording)
        self._people = People(corner)
        self._armed: list[Rule] = []
        self.done: Counter[str] = Counter()
        self.findings = Findings()

    @property
    def landed(self) -> int:
        """How often a signal came with a write; in some rounds the leader has lost the Lease before there was one."""
        return sum(rule.done for rule in self._armed)

    def begin(self) -> None:
        """Files, and two replicas of which one leads."""
        self._files.put(6)
        for one in self._replicas:
            one.start()
        self._leader()

    def round(self, number: int, seed: int) -> None:
        """One round; raises AssertionError with the seed of it where something was wrong."""
        random = Random(f"{seed}-{number}")  # noqa: S311
        harm = _HARM[number % len(_HARM)]
        name = harm.__name__.strip("_")
        harm(self, random)
        for one in self._replicas:
            one.proxy.clear()
            one.proxy.accept()
            if one.running.has_ended():
                one.start(random.choice((None, f"pod-{secrets.token_hex(3)}")))
        self._recording.wait_for_rest()
        self.findings = self._recording.audit(late=_LATE)
        assert not self.findings.wrong, f"round {number} of seed {seed}, {name}: {self.findings.wrong}"
        self.done[name] += 1

    # What befalls the leader

    def killed_before_the_answer(self, random: Random) -> None:
        """The server has done what it was asked, and nobody is told."""
        self._kill_at(Cut(0), random)

    def killed_before_the_request(self, random: Random) -> None:
        """It was sent, and never arrived."""
        self._kill_at(Swallow(), random)

    def killed_while_writes_overtake_each_other(self, random: Random) -> None:
        leader = self._leader()
        leader.proxy.when(Delay(_OVERTAKING), path=STATUS, times=2)
        self._kill_at(Pass(), random)

    def killed_while_files_change(self, random: Random) -> None:
        leader = self._leader()
        self._arm(leader, Cut(0), random, signal.SIGKILL)
        self._files.put(random.randrange(3, 9))
        self._people.work(random, 4)
        self._wait_for_the_signal(leader, random)
        leader.running.kill()

    def files_held_while_leaders_change(self, random: Random) -> None:
        self._people.work(random, 3)
        self._recording.wait_for_rest()
        leader = self._leader()
        self._files.put_elsewhere()
        self._corner.wait_for_verdict("held")
        leader.running.kill()
        self._wait_for_another(leader)
        self._people.work(random, 2)
        self._files.put(random.randrange(4, 8))

    def told_to_end(self, random: Random) -> None:
        leader = self._leader()
        self._people.work(random, 4)
        leader.signal(signal.SIGTERM)
        self._people.work(random, 3)
        assert leader.running.wait() == 0

    def paused_until_another_leads(self, random: Random) -> None:
        leader = self._leader()
        self._arm(leader, Pass(), random, signal.SIGSTOP)
        self._people.work(random, 6)
        self._wait_for_the_signal(leader, random)
        leader.signal(signal.SIGSTOP)
        self._wait_for_another(leader)
        self._people.work(random, 3)
        leader.signal(signal.SIGCONT)

    def kept_from_its_lease(self, random: Random) -> None:
        leader = self._leader()
        leader.proxy.when(Answer(503), path=LEASES)
        self._people.work(random, 5)
        self._wait_for_another(leader)
        self._people.work(random, 3)

    def cut_off(self, random: Random) -> None:
        leader = self._leader()
        self._people.work(random, 3)
        leader.proxy.refuse()
        self._people.work(random, 3)
        if random.random() < 0.5:
            self._wait_for_another(leader)

    def both_killed(self, random: Random) -> None:
        self._kill_at(Cut(0), random)
        for one in self._replicas:
            one.running.kill()
        self._people.work(random, 3)

    def _kill_at(self, fault: Fault, random: Random) -> None:
        leader = self._leader()
        self._arm(leader, fault, random, signal.SIGKILL)
        self._people.work(random, 7)
        self._wait_for_the_signal(leader, random)
        leader.running.kill()

    def _arm(self, leader: Replica, fault: Fault, random: Random, number: int) -> None:
        """The signal comes with one of the next writes."""
        leader.proxy.when(Pass(), path=STATUS, times=random.randrange(3))
        # The process of now: the answer may come when another one has taken its place.
        befall = partial(_signal, leader.running, number)
        self._armed.append(leader.proxy.when(fault, path=STATUS, times=1, call=befall))

    def _wait_for_the_signal(self, leader: Replica, random: Random) -> None:
        """Until it has come, or somebody else leads; where nothing is left to be written, people do some more."""
        armed, name = self._armed[-1], leader.name
        for _ in range(5):
            wait_until(lambda: armed.done or self._recording.is_at_rest() or self._corner.holder() != name, "a signal")
            if armed.done or self._corner.holder() != name:
                return
            self._people.work(random, 3)

    def _leader(self) -> Replica:
        """Whoever leads by the Lease and by its own word: a process that has just started may find its own name."""
        found = wait_until(self._find_leader, "somebody leads")
        assert found is not None
        return found

    def _find_leader(self) -> Replica | None:
        holder = self._corner.holder()
        return next((one for one in self._replicas if one.name == holder and one.leads()), None)

    def _wait_for_another(self, than: Replica) -> None:
        # Not asked itself: it may be stopped.
        (other,) = (one for one in self._replicas if one is not than)
        wait_until(lambda: self._corner.holder() == other.name and other.leads(), "another one leads")


_HARM: tuple[Callable[[Rounds, Random], None], ...] = (
    Rounds.killed_before_the_answer,
    Rounds.killed_before_the_request,
    Rounds.killed_while_files_change,
    Rounds.paused_until_another_leads,
    Rounds.killed_before_the_answer,
    Rounds.told_to_end,
    Rounds.killed_while_writes_overtake_each_other,
    Rounds.kept_from_its_lease,
    Rounds.both_killed,
    Rounds.cut_off,
    Rounds.files_held_while_leaders_change,
)


@contextmanager
def rounds(control_plane: ControlPlane, corner: Corner, root: Path) -> Iterator[Rounds]:
    """Everything that the rounds need, in an empty corner."""
    with ExitStack() as stack:
        recording = stack.enter_context(Recording(control_plane, corner))
        first, second = (stack.enter_context(replica(control_plane, corner, name, root)) for name in ("a", "b"))
        made = Rounds(corner, recording, (first, second))
        made.begin()
        yield made
