"""How a role shows itself beside plain manifests, and keeps a second one of its name away."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cluster.directory import DirectoryCluster, read_snapshot
from reconciler.cluster.port import ClusterError
from reconciler.cluster.role_files import MembershipKeyFile, RoleFiles

NAME = "lb-reconciler-status-controller"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}),
        encoding="utf-8",
    )
    return tmp_path


async def test_a_document_is_read_back_by_anybody(root: Path) -> None:
    assert await RoleFiles(root).published(NAME) is None
    await RoleFiles(root).publish(NAME, b'{"role": "controller"}')
    assert await RoleFiles(root).published(NAME) == b'{"role": "controller"}'
    assert (root / f"status/{NAME}.json").read_bytes() == b'{"role": "controller"}'


async def test_the_same_document_is_not_written_again(root: Path) -> None:
    files = RoleFiles(root)
    inodes = set()
    for document in (b"{}", b"{}", b"[]"):
        await files.publish(NAME, document)
        inodes.add((root / f"status/{NAME}.json").stat().st_ino)
    assert len(inodes) == 2


async def test_beside_a_single_file(root: Path) -> None:
    await RoleFiles(root / "a.json").publish(NAME, b"{}")
    assert (root / f"a.json.status/{NAME}.json").exists()


async def test_a_name_cannot_lead_elsewhere(root: Path) -> None:
    await RoleFiles(root).publish("../a", b"{}")
    assert [path.name for path in (root / "status").glob("*.json")] == ["..%2Fa.json"]
    assert await RoleFiles(root).published("../a") == b"{}"


async def test_a_document_is_the_status_of_no_service(root: Path) -> None:
    cluster = DirectoryCluster(root, namespace="lb")
    before = await cluster.observe()
    await RoleFiles(root).publish("web", b"no status of a Service")
    assert await cluster.observe() is before


async def test_events_of_a_role_are_about_no_service(root: Path) -> None:
    await RoleFiles(root).announce("Warning", "PlanHeld", "a plan is held")
    (line,) = (root / "status/events.jsonl").read_text(encoding="utf-8").splitlines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {"service": None, "type": "Warning", "reason": "PlanHeld", "message": "a plan is held"}


async def test_an_event_that_cannot_be_recorded_is_only_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "status").write_text("in the way", encoding="utf-8")
    await RoleFiles(root).announce("Normal", "ConfigurationApplied", "x")
    assert "status: cannot write status: File exists" in caplog.text


async def test_a_document_that_cannot_be_written_is_an_error(root: Path) -> None:
    (root / f"status/{NAME}.json").mkdir(parents=True)
    with pytest.raises(ClusterError, match=f"{NAME}.json: Is a directory"):
        await RoleFiles(root).publish(NAME, b"{}")


def test_there_is_one_of_each_name(root: Path) -> None:
    with RoleFiles(root).alone("controller"):
        with RoleFiles(root).alone("controller-for/other"):
            pass
        with (
            pytest.raises(ClusterError, match=r"another controller is at work here: stop one of the two$"),
            RoleFiles(root).alone("controller"),
        ):
            pass
    with RoleFiles(root).alone("controller"):
        pass
    assert [service.name for service in read_snapshot(root, namespace="lb").services] == ["web"]


def test_an_error_inside_is_not_mistaken_for_one_of_the_lock(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="mine"), RoleFiles(root).alone("controller"):
        raise FileNotFoundError("mine")


def test_where_no_lock_can_be_made_nobody_works(root: Path) -> None:
    (root / "status").write_text("in the way", encoding="utf-8")
    with (
        pytest.raises(ClusterError, match="status: cannot be locked: File exists"),
        RoleFiles(root).alone("controller"),
    ):
        pass


def test_one_that_is_killed_leaves_room_for_the_next(root: Path) -> None:
    program = f"""
import time
from reconciler.cluster.role_files import MembershipKeyFile, RoleFiles
with RoleFiles({str(root)!r}).alone("controller"):
    print("here", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "here\n"
        with pytest.raises(ClusterError), RoleFiles(root).alone("controller"):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with RoleFiles(root).alone("controller"):
        pass


# The speakers' key


async def test_the_key_is_made_once_and_read_by_all(root: Path) -> None:
    assert await MembershipKeyFile(root).membership_key() is None
    made = await asyncio.gather(*(MembershipKeyFile(root).ensure_membership_key() for _ in range(8)))
    assert len(set(made)) == 1
    assert len(made[0]) == 32
    assert await MembershipKeyFile(root).membership_key() == made[0]
    assert await MembershipKeyFile(root, name="membership-key-x").ensure_membership_key() != made[0]


async def test_the_key_is_nobody_elses_business(root: Path) -> None:
    await MembershipKeyFile(root).ensure_membership_key()
    assert (root / "status/membership-key").stat().st_mode & 0o777 == 0o600
    assert (await DirectoryCluster(root, namespace="lb").observe()).secrets is None


async def test_a_key_that_somebody_put_there_is_used(root: Path) -> None:
    (root / "status").mkdir()
    (root / "status/membership-key").write_bytes(bytes(range(32)))
    assert await MembershipKeyFile(root).ensure_membership_key() == bytes(range(32))


async def test_a_key_of_the_wrong_size_is_refused_and_left_alone(root: Path) -> None:
    (root / "status").mkdir()
    (root / "status/membership-key").write_bytes(b"horse")
    for ask in (MembershipKeyFile(root).membership_key, MembershipKeyFile(root).ensure_membership_key):
        with pytest.raises(ClusterError, match="membership-key: 5 octets instead of 32: delete it") as refused:
            await ask()
        assert "horse" not in str(refused.value)
    assert (root / "status/membership-key").read_bytes() == b"horse"


async def test_a_key_that_cannot_be_kept_is_an_error(root: Path) -> None:
    (root / "status").write_text("in the way", encoding="utf-8")
    with pytest.raises(ClusterError, match="status"):
        await MembershipKeyFile(root).ensure_membership_key()
