"""How a changed file reaches the Services: every way in which files are delivered, and what no notification tells."""

import mmap
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controlplane.api import wait_until
from tests.loop.conftest import NewCorner
from tests.loop.corner import EVERYWHERE, POOLS, Corner, pool
from tests.loop.deliveries import ConfigMapMount, Edited, GitSync
from tests.loop.running import RunningController


class EditedDirectory(Edited):
    """The same, changed in all the other ways as well."""

    def put(self, text: str) -> float:
        return super().put(text + EVERYWHERE_ELSE)

    def rewrite(self, text: str) -> None:
        """In place."""
        (self.path / POOLS).write_text(text + EVERYWHERE_ELSE)

    def make_anew(self, text: str) -> None:
        shutil.rmtree(self.path)
        self.path.mkdir()
        self.rewrite(text)


EVERYWHERE_ELSE = f"---\n{EVERYWHERE}"


class Layouts:
    def __init__(self, root: Path) -> None:
        self.config_map = ConfigMapMount(root, pool("mounted", "10.1.0.0/28"))
        self.git_sync = GitSync(root, pool("synced", "10.2.0.0/28"))
        self.edited = EditedDirectory(root, pool("edited", "10.3.0.0/28"))


@pytest.fixture(scope="module")
def corner(new_corner: NewCorner) -> Corner:
    return new_corner()


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Layouts:
    return Layouts(tmp_path_factory.mktemp("layouts"))


@pytest.fixture(scope="module")
def running(corner: Corner, layouts: Layouts) -> Iterator[RunningController]:
    """One that reads all three, and is not woken by its schedule."""
    paths = (layouts.config_map.path, layouts.git_sync.path, layouts.edited.path)
    with corner.start(configs=paths, interval=3600) as controller:
        yield controller.wait_until_ready()


def numbered(first: int, last: int) -> str:
    """Pools with these numbers in their names and their addresses."""
    return "---\n".join(pool(f"pool-{number}", f"10.4.{number}.0/30") for number in range(first, last + 1))


@pytest.mark.parametrize(
    ("put", "first", "last"),
    [
        pytest.param(lambda layouts: layouts.config_map.put, 1, 1, id="a ConfigMap is swapped"),
        pytest.param(lambda layouts: layouts.config_map.put, 1, 2, id="a ConfigMap is swapped again"),
        pytest.param(lambda layouts: layouts.git_sync.put, 11, 11, id="a checkout is flipped"),
        pytest.param(lambda layouts: layouts.git_sync.put, 11, 12, id="a checkout is flipped again"),
        pytest.param(lambda layouts: layouts.edited.put, 21, 21, id="a file is renamed over"),
        pytest.param(lambda layouts: layouts.edited.put, 21, 22, id="a file is renamed over again"),
        pytest.param(lambda layouts: layouts.edited.rewrite, 21, 23, id="a file is rewritten"),
        pytest.param(lambda layouts: layouts.edited.make_anew, 21, 24, id="a directory is made anew"),
        pytest.param(lambda layouts: layouts.edited.make_anew, 21, 25, id="a directory is made anew again"),
    ],
)
@pytest.mark.usefixtures("running")
def test_a_change_of_files_serves_who_waits_for_it(
    corner: Corner, layouts: Layouts, put: Callable[[Layouts], Callable[[str], object]], first: int, last: int
) -> None:
    name = f"pool-{last}"
    corner.create(name, annotations={"metallb.io/address-pool": name})
    corner.wait_for_refusal(name, "UnknownPool")
    put(layouts)(numbered(first, last))
    corner.wait_for_address(name, f"10.4.{last}.0")


def test_a_mount_that_appears_late_is_waited_for(corner: Corner, tmp_path: Path) -> None:
    late = tmp_path / "mounts" / "late"
    other = f"{corner.lb_class}-late"
    with corner.start(configs=[late], name="late", lb_class=other) as controller:
        wait_until(lambda: controller.ask("/healthz")[0] == 200, "alive")
        missing = f"no valid configuration: {late}: no such file or directory\n"
        wait_until(lambda: controller.ask("/readyz") == (503, missing), "it says what is missing")
        corner.create("early", loadBalancerClass=other)
        late.mkdir(parents=True)
        (late / POOLS).write_text(pool("late", "10.5.0.0/28"))
        corner.wait_for_address("early", "10.5.0.0")
        assert controller.ask("/readyz") == (200, "ok\n")


@pytest.fixture
def without_clock() -> Iterator[Path]:
    """A directory on a file system that does not keep account of writes to mapped files."""
    shared = Path("/dev/shm")  # noqa: S108 - it is about that very file system
    if not shared.is_dir():
        pytest.skip("there is no /dev/shm")
    with tempfile.TemporaryDirectory(dir=shared) as made:
        yield Path(made)


def test_the_schedule_finds_what_no_notification_and_no_time_stamp_tells(corner: Corner, without_clock: Path) -> None:
    text, changed = (pool("p", f"10.6.{number}.0/30").encode() for number in (1, 2))
    assert len(text) == len(changed)
    file = without_clock / POOLS
    file.write_bytes(text)
    other = f"{corner.lb_class}-tick"
    corner.create("ticking", loadBalancerClass=other, annotations={"metallb.io/loadBalancerIPs": "10.6.2.3"})
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as memory:
        memory[:] = text
        before = file.stat()
        with corner.start(configs=[without_clock], interval=1, name="ticking", lb_class=other) as controller:
            corner.wait_for_refusal("ticking", "NotInAnyPool")
            memory[:] = changed
            corner.wait_for_address("ticking", "10.6.2.3")
            assert file.stat().st_mtime_ns == before.st_mtime_ns
            wait_until(lambda: controller.status()["lastPass"]["reasons"] == ["1 s have passed"], "it ticks")


def test_a_sighup_looks_at_the_files(corner: Corner, without_clock: Path) -> None:
    text, changed = (pool("p", f"10.7.{number}.0/30").encode() for number in (1, 2))
    file = without_clock / POOLS
    file.write_bytes(text)
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as memory:
        memory[:] = text
        other = f"{corner.lb_class}-hup"
        with corner.start(configs=[without_clock], interval=3600, name="hup", lb_class=other) as controller:
            before = controller.wait_until_ready().status()["newest"]["revision"]
            memory[:] = changed
            controller.look_again()
            assert controller.status()["newest"]["revision"] != before


# In a user namespace of its own a process may set limits for itself.
_WITHOUT_INOTIFY = """
echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"
"""


def test_files_are_looked_at_where_inotify_is_exhausted(corner: Corner) -> None:
    under = ("unshare", "--user", "--map-root-user", "/bin/sh", "-c", _WITHOUT_INOTIFY, "sh")
    if shutil.which(under[0]) is None or subprocess.run([*under, "true"], check=False, capture_output=True).returncode:
        pytest.skip("a process of its own user namespace is not allowed here")
    other = f"{corner.lb_class}-blind"
    corner.write(pool("p", "10.8.0.0/30"))
    with corner.start(under=under, interval=3600, name="blind", lb_class=other) as controller:
        controller.wait_until_ready()
        corner.create("blind", loadBalancerClass=other, annotations={"metallb.io/address-pool": "q"})
        corner.wait_for_refusal("blind", "UnknownPool")
        corner.write(pool("p", "10.8.0.0/30"), pool("q", "10.8.1.0/30"))
        corner.wait_for_address("blind", "10.8.1.0")
        assert len(controller.lines("warning: the configuration cannot be watched")) == 1
