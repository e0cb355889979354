"""The name of what was read: a git commit where the files are those of one, otherwise a digest."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable

from reconciler.config.tree import SourceFile, Tree, is_configuration

# SHA-1 and SHA-256 repositories.
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TIMEOUT = 5.0
# Nothing that a repository's own configuration names may be run, nothing fetched, nothing asked, nothing written.
_SAFE = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never")
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}


def digest(files: Iterable[SourceFile]) -> str:
    """`sha256:` and the digest of all paths and contents; the order does not matter."""
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        whole.update(f"{file.path}\0{hashlib.sha256(file.data).hexdigest()}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def commit_of_checkout(tree: Tree) -> str | None:
    """
    The commit checked out around the files, when what was read is what is in it, no file more and none less.

    The octets that were read are compared with the commit, not the state git believes its files to be in: so nothing
    that happens meanwhile, and no ignored or assumed-unchanged file, can lend them a name that is not theirs.
    """
    git = shutil.which("git")
    if not git or tree.leads_outside:
        return None
    try:
        commit = _ask(git, tree.root, "rev-parse", "--verify", "--end-of-options", "HEAD^{commit}").strip().decode()
        if not _COMMIT.fullmatch(commit):
            return None
        listed = _ask(git, tree.root, "ls-tree", "-r", "-z", commit)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    committed = dict(_blobs(listed))
    read = {file.path.encode(): _blob(file.data, len(commit)) for file in tree.files}
    if not tree.is_directory:
        committed = {path: blob for path, blob in committed.items() if path in read}
    return commit if read == committed else None


def _ask(git: str, directory: str, *arguments: str) -> bytes:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603 - a fixed command; no part of it comes from a file
        [git, *_SAFE, "-C", directory, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment | _QUIET,
        timeout=_TIMEOUT,
        check=True,
    )
    return done.stdout


def _blobs(listed: bytes) -> Iterable[tuple[bytes, str]]:
    """Path and object name of each file that would be read, from the output of `git ls-tree -z`."""
    for line in listed.split(b"\0"):
        about, _, path = line.partition(b"\t")
        names = os.fsdecode(path).split("/")
        if is_configuration(names[-1]) and not any(name.startswith(".") for name in names):
            yield path, about.rpartition(b" ")[2].decode("ascii", "replace")


def _blob(data: bytes, digits: int) -> str:
    """The name of a blob with this content (git-hash-object)."""
    # The repository chose the algorithm, not we.
    algorithm = hashlib.sha1 if digits == 40 else hashlib.sha256
    return algorithm(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
