"""`reconciler snapshot`: a live cluster to a file that `diff` and `explain` read in its place."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from reconciler.cli.progress import Progress
from reconciler.cli.report import Exit
from reconciler.cluster.live import Target, save_live
from reconciler.errors import ReconcilerError

STANDARD_OUTPUT = "-"
# That of a file which the shell would have made; the temporary one is for its owner only.
_MODE = 0o666


class SnapshotError(ReconcilerError):
    """The file cannot be written; the message names it and the cause."""


def run(output_file: str, *, kubeconfig: str | None, context: str | None) -> int:
    """
    Write what a decision may depend on, Secrets left out, and return the exit status.

    Raises:
        ClusterError: The cluster cannot be read.
        SnapshotError: The file cannot be written; what was there before still is.
    """
    # All of it first: neither a file nor a pipe gets half a cluster.
    with Progress() as progress:
        progress.doing("reading the cluster")
        lines = tuple(save_live(Target(kubeconfig, context)))
    if output_file == STANDARD_OUTPUT:
        sys.stdout.writelines(line.decode() for line in lines)
    else:
        _replace(Path(output_file), lines)
    return Exit.NOTHING


def _replace(path: Path, lines: Iterable[bytes]) -> None:
    # A link leads to the file that is meant; replaced would be the link.
    path = path.resolve()
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(b"".join(lines))  # a device or a named pipe
            return
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.writelines(lines)
                file.flush()
                os.fchmod(file.fileno(), _MODE & ~_umask())
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(file.name).unlink()
                raise
    except OSError as exc:
        raise SnapshotError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _umask() -> int:
    # There is no other way to ask.
    mask = os.umask(0)
    os.umask(mask)
    return mask
