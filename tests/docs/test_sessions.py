"""What docs/commands.md shows is what the commands print today: what can be typed is typed, from the top to the end."""

import shlex
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from signal import SIGTERM

import pytest

from reconciler.cli.lab import Lab
from tests.controlplane.api import wait_until
from tests.controlplane.daemon import Daemon
from tests.docs.fences import Command, commands
from tests.docs.walk import environment, typed, without_the_machine, without_times

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text("utf-8")
PREFLIGHT = (ROOT / "docs" / "preflight.md").read_text("utf-8")
_LEFT_OUT = "..."


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return ("worker-1",)


@pytest.fixture
def desk(tmp_path: Path, lab: Lab) -> Iterator["Desk"]:
    made = Desk(tmp_path, lab)
    yield made
    made.close()


class Desk:
    """A checkout, and a terminal for each role, on a host of its own. What was started goes on until the end."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        shutil.copytree(ROOT / "config-examples", folder / "config-examples")
        self._folder = folder
        self._lab = lab
        self._roles: list[tuple[Daemon, Command]] = []

    def close(self) -> None:
        for role, _ in self._roles:
            role.kill()

    def prints(self, step: Command) -> bool:
        """Type it, and compare what it prints; without a difference the answer is true."""
        finished = typed(f"{step.typed} 2>&1", self._folder, environment())
        assert without_times(finished.stdout) == without_times(step.printed or ""), step.typed
        return True

    def finds(self, step: Command) -> bool:
        """The same of preflight on the host, where it finds something of this machine as well."""
        finished = typed(step.typed, self._folder, environment(), self._lab.inside("worker-1"))
        assert without_the_machine(finished.stdout) == without_the_machine(step.printed or ""), step.typed
        return True

    def start(self, step: Command) -> None:
        """Start a role, which goes on beside what follows."""
        command = [*self._lab.inside("worker-1"), "env", "-C", str(self._folder), *shlex.split(step.typed)]
        log = self._folder.parent / f"role-{len(self._roles)}.log"
        self._roles.append((Daemon(command, log, environment()), step))

    def listen(self) -> None:
        """Until each role has said all that the page shows of it, in that order."""
        for role, step in self._roles:
            shown = [line for line in without_times(step.printed or "").splitlines() if line != _LEFT_OUT]
            wait_until(partial(_has_said, role, shown), step.typed)

    def end_roles(self) -> list[int]:
        """The exit status of each."""
        for role, _ in self._roles:
            role.signal(SIGTERM)
        return [role.wait() for role, _ in self._roles]


def test_the_sessions_are_true(desk: Desk, lab: Lab) -> None:
    assert lab.address6("worker-1") == "2001:db8::10"
    steps = [command for command in commands(PAGE) if command.printed is not None]
    known = {"validate", "diff", "explain", "controller", "speaker", "status", "import", "preflight"}
    assert known <= set(_ours(steps))
    published, of_the_host = [], []
    for step in steps:
        match step.typed.split():
            case ["reconciler", "controller" | "speaker", *_]:
                desk.start(step)
            case ["reconciler", "status", *_]:
                published.append(step)
            case ["reconciler", "preflight", *_]:
                of_the_host.append(step)
            case _:
                desk.prints(step)
    desk.listen()
    for step in published:
        # Roles publish what they are a moment after they became it.
        wait_until(partial(desk.prints, step), step.typed)
    for step in of_the_host:
        # Interfaces get their link-local addresses a moment after they are up.
        wait_until(partial(desk.finds, step), step.typed)
    assert desk.end_roles() == [0, 0]


def test_the_page_of_preflight_is_true(desk: Desk, lab: Lab) -> None:
    lab.run("worker-1", "ip", "link", "add", "kube-ipvs0", "type", "bridge")
    (step,) = (command for command in commands(PREFLIGHT) if command.printed is not None)
    wait_until(partial(desk.finds, step), step.typed)


def _ours(steps: list[Command]) -> Iterator[str]:
    yield from (words[words.index("reconciler") + 1] for step in steps if "reconciler" in (words := step.typed.split()))


def _has_said(role: Daemon, shown: list[str]) -> bool:
    assert not role.has_ended(), role.output()
    lines = iter(without_times(role.output()).splitlines())
    assert shown
    assert all(line in lines for line in shown), role.output()
    return True
