"""Finds kubectl, or builds it once from the Go module beside this file, with what `tests.controlplane.build` has."""

import hashlib
import os
import platform
import tempfile
from pathlib import Path

from tests.controlplane import build

_MODULE = Path(__file__).parent


def find_kubectl() -> Path:
    """
    That of `KUBEBUILDER_ASSETS`, or that of the cache, which is built first where it is not there yet.

    Raises:
        NoControlPlaneError: It is not there and cannot be built here.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(Path(assets) / "kubectl", os.X_OK):
        return Path(assets) / "kubectl"
    parent = build.cache() / "kubectl"
    folder = parent / _digest()
    if not folder.is_dir():
        parent.mkdir(parents=True, exist_ok=True)
        with build._only_one(folder):
            if not folder.is_dir():
                _build(folder)
    return folder / "kubectl"


def _digest() -> str:
    digest = hashlib.sha256(repr((build._FLAGS, sorted(build._GO_SETTINGS.items()), platform.machine())).encode())
    for path in (_MODULE / "go.mod", _MODULE / "go.sum", _MODULE / "kubectl" / "main.go"):
        digest.update(f"\0{path.relative_to(_MODULE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path) -> None:
    """Make the folder appear with the program in it, or not at all."""
    go = build._find_go()
    build._say(f"building kubectl of Kubernetes {build._VERSION}, once, into {folder} (a minute on 2 cores)")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder.parent) as temporary:
        unfinished = Path(temporary) / "bin"
        unfinished.mkdir()
        build._run([str(go), "build", "-C", str(_MODULE), *build._FLAGS, "-o", f"{unfinished}/", "./kubectl"])
        unfinished.rename(folder)
