"""What counts as a change of a directory of manifests, on the real file system."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cluster.directory import DirectoryCluster, read_snapshot, status_directory
from reconciler.cluster.status_files import StatusFiles
from reconciler.cluster.watching import changes_below
from reconciler.model.observed import ServiceKey
from reconciler.plan.actions import AssignAddresses, RecordEvent
from tests.builders import addresses

KEY = ServiceKey("shop/web")
MANIFEST = json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}})

_UNTIL_WATCHED = 0.3
_PATIENCE = 10.0
_SILENCE = 0.8
_NEVER = 3600.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path / "cluster"
    found.mkdir()
    (found / "a.json").write_text(MANIFEST, encoding="utf-8")
    return found


async def first_reason(root: Path, edit: Callable[[], object], *, look_again: float, patience: float) -> str | None:
    changes = changes_below(root, StatusFiles(status_directory(root)), look_again=look_again)
    assert await anext(changes) == f"{root} is watched from now on"
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(_UNTIL_WATCHED)
    assert not waiting.done()
    edit()
    try:
        return await asyncio.wait_for(waiting, patience)
    except TimeoutError:
        return None


def noticed(root: Path, edit: Callable[[], object]) -> str | None:
    """The reason that a notification gives, without looking again."""
    return asyncio.run(first_reason(root, edit, look_again=_NEVER, patience=_PATIENCE))


def passed_over(root: Path, edit: Callable[[], object]) -> bool:
    return asyncio.run(first_reason(root, edit, look_again=_NEVER, patience=_SILENCE)) is None


def test_an_edited_manifest(root: Path) -> None:
    assert noticed(root, lambda: (root / "a.json").write_text("{}")) == f"{root}/a.json changed"


def test_an_edit_that_keeps_the_size(root: Path) -> None:
    edited = MANIFEST.replace("web", "wob")
    assert noticed(root, lambda: (root / "a.json").write_text(edited)) == f"{root}/a.json changed"


def test_a_new_manifest(root: Path) -> None:
    assert noticed(root, lambda: (root / "b.yaml").write_text("")) == f"{root}/b.yaml changed"


def test_a_deleted_manifest(root: Path) -> None:
    assert noticed(root, (root / "a.json").unlink) == f"{root}/a.json changed"


def test_a_new_directory_of_manifests(root: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/b.yaml").write_text("")
    assert noticed(root, lambda: (tmp_path / "made").rename(root / "made")) == f"{root}/made/b.yaml changed"


def test_a_file_that_is_watched_by_itself(root: Path) -> None:
    file = root / "a.json"

    def replace() -> None:
        (root / ".a.json.new").write_text("{}")
        (root / ".a.json.new").rename(file)

    assert noticed(file, replace) == f"{file} changed"


def test_a_mounted_config_map_that_is_swapped(tmp_path: Path) -> None:
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.json").write_text(version)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.json").symlink_to("..data/a.json")

    def swap() -> None:
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    assert noticed(tmp_path, swap) == f"{tmp_path}/a.json changed"


def test_a_root_that_is_a_link_to_another_tree(tmp_path: Path) -> None:
    for tree in ("one", "two"):
        (tmp_path / tree).mkdir()
        (tmp_path / tree / "a.json").write_text(tree)
    root = tmp_path / "current"
    root.symlink_to("one")

    def flip() -> None:
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").rename(root)

    assert noticed(root, flip) == f"{root}/a.json changed"


@pytest.mark.parametrize("name", [".a.json.swp", "notes.txt", ".git"])
def test_other_files_are_no_change(root: Path, name: str) -> None:
    assert passed_over(root, lambda: (root / name).write_text("x"))


def test_our_own_writes_are_no_change(root: Path) -> None:
    cluster = DirectoryCluster(root, namespace="lb")

    async def write_and_wait() -> str:
        changes = cluster.changes()
        await anext(changes)
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(_UNTIL_WATCHED)
        for last in range(3):
            (service,) = (await cluster.observe()).services
            version = service.resource_version
            await cluster.apply(AssignAddresses(KEY, (), addresses(f"192.0.2.{last}"), "p", version, "r", "m"))
            await cluster.apply(RecordEvent(KEY, "Normal", "IPAllocated", f"{last}"))
            await asyncio.sleep(0.2)
        assert not waiting.done()
        (root / "a.json").write_text("{}")
        return await asyncio.wait_for(waiting, _PATIENCE)

    assert asyncio.run(write_and_wait()) == f"{root}/a.json changed"


def test_a_record_that_somebody_else_changes(root: Path) -> None:
    cluster = DirectoryCluster(root, namespace="lb")
    (service,) = read_snapshot(root, namespace="lb").services
    action = AssignAddresses(KEY, (), addresses("192.0.2.1"), "p", service.resource_version, "r", "m")
    asyncio.run(cluster.apply(action))
    record = root / "status/shop/web.json"
    assert noticed(root, record.unlink) == f"{record} changed"


def test_several_changes_one_after_the_other(root: Path, tmp_path: Path) -> None:
    async def follow() -> list[str]:
        found = []
        changes = changes_below(root, StatusFiles(root / "status"), look_again=_NEVER)
        await anext(changes)
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(_UNTIL_WATCHED)
        for name in ("b.json", "a.json", "b.json"):
            # At once: between the two steps of a write in place a busy machine may have it told of twice.
            (tmp_path / "written").write_text(name)
            (tmp_path / "written").rename(root / name)
            found.append(await asyncio.wait_for(waiting, _PATIENCE))
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(_UNTIL_WATCHED)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return found

    assert asyncio.run(follow()) == [f"{root}/b.json changed", f"{root}/a.json changed", f"{root}/b.json changed"]


def test_a_root_that_is_removed_and_made_again(root: Path) -> None:
    def make_again() -> None:
        root.mkdir()
        (root / "a.json").write_text("again")

    async def follow() -> list[str]:
        found = []
        changes = changes_below(root, StatusFiles(root / "status"), look_again=0.2)
        await anext(changes)
        edits: list[Callable[[], object]] = [
            lambda: shutil.rmtree(root),
            make_again,
            lambda: (root / "a.json").write_text("and again"),
        ]
        for edit in edits:
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(_UNTIL_WATCHED)
            edit()
            found.append(await asyncio.wait_for(waiting, _PATIENCE))
        return found

    assert asyncio.run(follow()) == [f"{root}/a.json changed"] * 3


def test_a_root_that_is_not_there_yet(tmp_path: Path) -> None:
    root = tmp_path / "not/yet"

    def make() -> None:
        root.mkdir(parents=True)
        (root / "a.json").write_text("{}")

    found = asyncio.run(first_reason(root, make, look_again=0.2, patience=_PATIENCE))
    assert found == f"{root}/a.json changed"


def test_what_cannot_be_watched_is_looked_at_again(tmp_path: Path) -> None:
    # The target of the link is in no directory that is watched.
    (tmp_path / "cluster").mkdir()
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere/a.json"
    target.write_text("{}")
    (tmp_path / "cluster/a.json").symlink_to(target)

    def edit() -> object:
        return target.write_text('{"a": 1}')

    found = asyncio.run(first_reason(tmp_path / "cluster", edit, look_again=0.2, patience=_PATIENCE))
    assert found == f"{tmp_path}/cluster/a.json changed"
