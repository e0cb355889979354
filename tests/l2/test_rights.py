"""The rights of a process in a Pod: user id 0, and of the capabilities NET_RAW or none at all."""

import subprocess
import sys

import pytest

from reconciler.cli.lab import Lab

# Owns an address of either family, so that every socket is made, and says so.
_PROGRAM = """
import asyncio, socket
from reconciler.l2.port import LinkState
from reconciler.l2.transport import Frames, MissingCapabilityError

async def main():
    frames = Frames()
    try:
        link = LinkState(index=socket.if_nametoindex("eth0"), name="eth0", mac=bytes((2, 0, 0, 0, 0, 1)))
        port = frames.open(link, print)
        port.own(bytes((192, 0, 2, 100)))
        port.own(bytes.fromhex("20010db8000000000000000000000100"))
        print("refused:", port.counts().ignored)
    except MissingCapabilityError as exc:
        print(exc)
    frames.close()

asyncio.run(main())
"""


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return ("n1",)


def said_with(lab: Lab, capabilities: str) -> str:
    limited = ("setpriv", "--no-new-privs", f"--bounding-set={capabilities}", "--inh-caps=-all")
    command = (*lab.inside("n1"), *limited, sys.executable, "-W", "error", "-c", _PROGRAM)
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


def test_net_raw_is_enough(lab: Lab) -> None:
    assert said_with(lab, "-all,+net_raw") == "refused: {}\n"


def test_without_it_one_line_names_it(lab: Lab) -> None:
    said = said_with(lab, "-all")
    assert "NET_RAW" in said
    assert said.count("\n") == 1
