import os
import subprocess
import sys
from pathlib import Path
from signal import Signals

from tests.controlplane.api import wait_until
from tests.controlplane.daemon import Daemon

_TELLS_ITS_PID = ("sh", "-c", "echo $$; exec sleep 600")
# A run of tests that is killed before it can end anything.
_KILLED_RUN = """
import sys, time
from pathlib import Path
from tests.controlplane.daemon import Daemon
daemon = Daemon(sys.argv[2:], Path(sys.argv[1]))
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_in(log: Path) -> int:
    return wait_until(lambda: log.exists() and int(log.read_text("utf-8") or 0))


def test_a_daemon_is_gone_when_kill_returns(tmp_path: Path) -> None:
    log = tmp_path / "log"
    daemon = Daemon(_TELLS_ITS_PID, log)
    assert pid_in(log) == daemon.pid
    assert not daemon.has_ended()
    daemon.kill()
    assert not is_running(daemon.pid)
    assert daemon.has_ended()
    daemon.kill()


def test_a_daemon_that_ends_on_its_own_is_known(tmp_path: Path) -> None:
    daemon = Daemon(["sh", "-c", "echo no such flag >&2; exit 3"], tmp_path / "log")
    assert daemon.wait() == 3
    assert daemon.output() == "no such flag\n"
    daemon.signal(Signals.SIGTERM)
    daemon.kill()


def test_a_daemon_hears_signals(tmp_path: Path) -> None:
    daemon = Daemon(["sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"], tmp_path / "log")
    wait_until(lambda: "ready" in daemon.output())
    daemon.signal(Signals.SIGTERM)
    assert daemon.wait() == 7


def test_a_daemon_may_have_an_environment_of_its_own(tmp_path: Path) -> None:
    daemon = Daemon(["sh", "-c", "echo $COLOUR; kill -9 $$"], tmp_path / "log", {"COLOUR": "blue"})
    assert daemon.wait() == -Signals.SIGKILL
    assert daemon.output() == "blue\n"


def test_a_daemon_does_not_outlive_a_killed_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run = subprocess.Popen(
        [sys.executable, "-c", _KILLED_RUN, str(log), *_TELLS_ITS_PID], cwd=Path(__file__).parents[2]
    )
    pid = pid_in(log)
    run.kill()
    run.wait()
    wait_until(lambda: not is_running(pid))
