"""The live part of the demonstration, as people see it: it says what happened, in time, and cleans up."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.demo_router import why_no_router
from reconciler.cli.lab import LabError, why_no_lab
from tests.controlplane.api import wait_until

DEADLINE = 120.0
TOGETHER = "The speakers have found each other"


@pytest.fixture(autouse=True)
def _possible() -> None:
    reason = why_no_lab()
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        raise LabError(reason)
    pytest.skip(reason)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """The command in a session of its own, with a directory for what it makes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
    started = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "reconciler", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    with started:
        try:
            yield started
        finally:
            # Not by force: whatever went wrong, it is to clean up.
            started.send_signal(signal.SIGINT)


def processes_of(directory: Path) -> dict[int, str]:
    """The processes that work in a directory, and the command line of each."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(directory) in line:
            found[int(entry.parent.name)] = line
    return found


def namespaces() -> set[str]:
    return {path.name for path in Path("/run/netns").glob("lbr*")}


def test_it_tells_what_happened(demo: "subprocess.Popen[str]", tmp_path: Path) -> None:
    out, err = demo.communicate(timeout=DEADLINE)
    assert (demo.returncode, err) == (0, "")
    live = out[out.index("# Now live") :]
    assert ("Left out" in out) == (why_no_router() is not None)
    assert re.search(r"^192\.0\.2\.200 and 2001:db8::200 after \d+ ms\.$", live, re.MULTILINE)
    assert re.search(
        r"first answers after \d+ ms: 192\.0\.2\.200 by n\d and 2001:db8::200 by n\d\.$", live, re.MULTILINE
    )
    told = re.findall(
        r"^(n\d) (takes over|has it back) after [\d.]+ s\. Lost: (\d+) of (\d+) probes", live, re.MULTILINE
    )
    killed, started, cut, restored = told
    assert [verb for _, verb, _, _ in told] == ["takes over", "has it back"] * 2
    assert started[0] == restored[0] not in {killed[0], cut[0]}
    # A killed speaker silences nobody's traffic; a cut cable does, and what was lost is told.
    assert int(cut[2]) > int(killed[2]) < int(killed[3])
    assert "~ shop/web  192.0.2.200, 2001:db8::200 -> 192.0.2.220, 2001:db8::220" in live
    assert re.search(r"first answers from 192\.0\.2\.220 and 2001:db8::220 after \d+ ms\.$", live, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []
    wait_until(lambda: not processes_of(tmp_path), "all processes have ended")
    if why_no_router() is None:
        tells_of_the_router(live[live.index("# And BGP") :])
    else:
        assert os.environ.get("CI") != "true"
        assert f"a router that hears of the addresses by BGP: {why_no_router()}" in live


def tells_of_the_router(scene: str) -> None:
    assert scene.count("+ bgp  192.0.2.220/32") == scene.count("+ bgp  2001:db8::220/128") == 3
    tables = [
        set(re.findall(r"via (\S+) dev", table))
        for table in re.findall(r"^router\$ ip -[46] route show \S+\n\S.*\n((?: {4}.*\n)+)", scene, re.MULTILINE)
    ]
    before, before6, after = tables
    assert (len(before), len(before6)) == (3, 3)
    cut = re.search(r"^switch\$ ip link set p-n(\d) down$", scene, re.MULTILINE)
    told = re.search(r"^n(\d) answers after [\d.]+ s\. Lost: (\d+) of (\d+) probes", scene, re.MULTILINE)
    assert cut is not None
    assert told is not None
    victim = f"192.0.2.{9 + int(cut[1])}"
    assert told[1] != cut[1]
    assert 0 < int(told[2]) < int(told[3])
    assert victim in before
    assert after == before - {victim}
    assert "All nodes are in its table again" in scene


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "ended from outside"])
def test_it_cleans_up_when_it_is_interrupted(
    demo: "subprocess.Popen[str]", tmp_path: Path, number: signal.Signals
) -> None:
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith(TOGETHER):
            break
    else:
        raise AssertionError(demo.stderr.read() if demo.stderr else "")
    # Looked at while it stands still: it goes on with its story, and the next thing it does is to kill a speaker.
    demo.send_signal(signal.SIGSTOP)
    wait_until(lambda: " T " in Path(f"/proc/{demo.pid}/stat").read_text(), "it stands still")
    running = processes_of(tmp_path)
    speakers = [pid for pid, line in running.items() if " speaker " in line]
    identified = subprocess.run(
        ["ip", "netns", "identify", str(speakers[0])], check=True, capture_output=True, text=True
    )
    prefix = identified.stdout.strip().rpartition("-")[0]
    assert len(speakers) >= 2
    assert sum(name.startswith(prefix) for name in namespaces()) == 6
    demo.send_signal(number)
    demo.send_signal(signal.SIGCONT)
    _, err = demo.communicate(timeout=DEADLINE)
    # The end of the line that Ctrl-C is shown on.
    assert (demo.returncode, err) == (130, "\n")
    assert list(tmp_path.iterdir()) == []
    assert not [name for name in namespaces() if name.startswith(prefix)]
    wait_until(lambda: not processes_of(tmp_path), "all processes have ended")
