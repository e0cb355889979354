"""
One look at a file or directory on disk: every text in it, or the news that it changed meanwhile.

A mounted ConfigMap and a git-sync directory are replaced as a whole, by turning a symbolic link, and what it pointed to
is deleted soon after. So a link is followed once per look, and a look counts only when a second walk finds every
directory and every file as the first did.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from reconciler.model.origin import Origin, Problem

SUFFIXES = (".yaml", ".yml", ".json")
# A ConfigMap is limited to 1 MiB; the rendered configuration of a whole cluster is a few of that size.
MAXIMUM_FILE_OCTETS = 8 << 20
MAXIMUM_OCTETS = 32 << 20
MAXIMUM_FILES = 20_000
MAXIMUM_ENTRIES = 200_000
MAXIMUM_DEPTH = 32

# SHA-1 and SHA-256 repositories; git-sync 3 wrote `rev-` before the name.
_WORKTREE = re.compile(r"(?:rev-)?([0-9a-f]{40}|[0-9a-f]{64})")
_UNREADABLE = "files-unreadable"
_CONFIG_MAP_LINK = "..data"
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}
_Signature: TypeAlias = tuple[int, ...]


class TreeError(Exception):
    """Nothing can be read from the path. Never leaves `files`."""


class ChangedError(Exception):
    """The directory is not what it was a moment ago: look again. Never leaves `files`."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """
    One file as it was read.

    `path` is relative to the directory that was asked for; a file asked for by itself is its bare name, and standard
    input is `<stdin>`. `identity` is the device and inode, where there are any.
    """

    path: str
    data: bytes
    identity: tuple[int, int] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Tree:
    """
    What one look found.

    `root` is the directory behind all links, empty where there is none. `commit` is the git commit that the name of a
    worktree promises (its own files were not compared), empty where there is none. `changed_at` is the latest change of
    a file, in seconds of the file system's clock. `leads_outside` tells that a link inside leads out of the root.
    """

    files: tuple[SourceFile, ...]
    problems: tuple[Problem, ...] = ()
    directories: tuple[str, ...] = ()
    root: str = ""
    commit: str = ""
    is_directory: bool = False
    leads_outside: bool = False
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    place: str
    signature: _Signature


@dataclass(slots=True)
class _Walk:
    """What a walk has met so far. Two walks of an unchanged directory are equal."""

    root: str
    entries: list[_Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # The directory as it was named, and what it was behind all links.
    directories: dict[str, str] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)
    names: int = 0
    leads_outside: bool = False

    def report(self, path: str, code: str, message: str) -> None:
        self.problems.append(Problem(Origin(path, 1, 1), code, message))


def is_configuration(name: str) -> bool:
    """Whether a file of that name is read."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def read_tree(path: str) -> Tree:
    """
    Look once.

    Raises:
        ChangedError: Something moved while we looked.
        OSError: There is nothing at the path, or it may not be read.
        TreeError: It is neither a file nor a directory, or too much.
    """
    info = os.stat(path)  # noqa: PTH116 - the path as it was given, links followed
    if stat.S_ISREG(info.st_mode):
        return _single(path)
    if not stat.S_ISDIR(info.st_mode):
        raise TreeError(f"{path}: is {_kind(info.st_mode)}, neither a file nor a directory")
    walk = _walk(path)
    files, problems = _read_all(walk.entries)
    # Before the second walk: afterwards the worktree may be gone.
    commit = _commit_of_link(path, walk)
    if _walk(path) != walk:
        raise ChangedError(path)
    return Tree(
        files=tuple(sorted(files, key=lambda file: file.path)),
        problems=(*walk.problems, *problems),
        directories=(*_directories_of_links(path), *walk.directories),
        root=walk.root,
        commit=commit,
        is_directory=True,
        leads_outside=walk.leads_outside,
        changed_at=max((entry.signature[-1] for entry in walk.entries), default=0) / 1e9,
    )


def _single(path: str) -> Tree:
    real = os.path.realpath(path)
    entry = _Entry(_shown(Path(path).name), real, _signature(os.stat(real)))  # noqa: PTH116 - as above
    files, problems = _read_all([entry])
    if any(problem.code == _UNREADABLE for problem in problems):
        raise TreeError(f"{path}: permission denied")
    if os.path.realpath(path) != real or _signature(os.stat(real)) != entry.signature:  # noqa: PTH116 - as above
        raise ChangedError(path)
    return Tree(
        files=tuple(files),
        problems=tuple(problems),
        directories=(*_directories_of_links(path), str(Path(path).absolute().parent)),
        root=str(Path(real).parent),
        leads_outside=Path(real).name != Path(path).name,
        changed_at=entry.signature[-1] / 1e9,
    )


def _directories_of_links(path: str) -> Iterator[str]:
    """The directory that holds each symbolic link on the way to a path: there a swap is seen."""
    for place in (absolute := Path(os.path.abspath(path)), *absolute.parents):  # noqa: PTH100 - `..` has to go
        if place.is_symlink():
            yield str(place.parent)
            target = place.parent / place.readlink()
            yield str(Path(os.path.abspath(target)).parent)  # noqa: PTH100 - as above


def _commit_of_link(path: str, walk: _Walk) -> str:
    """
    The commit in the name of the directory that a link leads to, as git-sync lays it out.

    git-sync checks out each commit into a directory of that name and never touches it again, so the name can be
    believed, also where no git is installed.
    """
    if walk.leads_outside:
        return ""
    written = Path(os.path.abspath(path)).parts  # noqa: PTH100 - `resolve` would follow the link
    for place in (Path(walk.root), *Path(walk.root).parents):
        named = _WORKTREE.fullmatch(place.name)
        if named and place.name not in written and os.path.lexists(place / ".git"):
            return named[1]
    return ""


def _walk(path: str) -> _Walk:
    root = os.path.realpath(path)
    walk = _Walk(root)
    _enter(walk, os.path.abspath(path), root, "", ())  # noqa: PTH100 - `resolve` would follow links
    return walk


def _enter(walk: _Walk, named: str, place: str, prefix: str, ancestors: tuple[tuple[int, int], ...]) -> None:
    """Take in one directory: `named` as the person wrote it, `place` behind all links."""
    identity = _identity(place)
    if identity in ancestors:
        walk.report(prefix.rstrip("/"), "files-link-loop", "this link leads back to a directory it is in; remove it")
        return
    if len(ancestors) > MAXIMUM_DEPTH:
        walk.report(prefix.rstrip("/"), "files-too-deep", f"directories are read {MAXIMUM_DEPTH} levels deep")
        return
    if identity in walk.seen:
        # A second way to the same directory brings nothing new.
        return
    walk.seen.add(identity)
    walk.directories[named] = place
    try:
        entries = _entries(walk, place)
    except PermissionError as error:
        if not prefix:
            raise
        walk.report(prefix.rstrip("/"), _UNREADABLE, f"this directory cannot be read: {error.strerror}")
        return
    mounted = any(entry.name == _CONFIG_MAP_LINK for entry in entries)
    if mounted:
        target = os.path.realpath(f"{place}/{_CONFIG_MAP_LINK}")
        _enter(walk, f"{named}/{_CONFIG_MAP_LINK}", target, prefix, (*ancestors, identity))
    for entry in entries:
        if entry.name.startswith(".") or (mounted and _leads_into_config_map(entry)):
            continue
        _take(walk, named, entry, prefix + _shown(entry.name), (*ancestors, identity))


def _identity(place: str) -> tuple[int, int]:
    try:
        info = os.stat(place)  # noqa: PTH116 - links were followed already
    except FileNotFoundError as error:
        raise ChangedError(place) from error
    return info.st_dev, info.st_ino


def _entries(walk: _Walk, place: str) -> list[os.DirEntry[str]]:
    found = []
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                walk.names += 1
                if walk.names > MAXIMUM_ENTRIES:
                    raise TreeError(f"{place}: more than {MAXIMUM_ENTRIES} names to look through")
                found.append(entry)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ChangedError(place) from error
    return sorted(found, key=lambda entry: entry.name)


def _leads_into_config_map(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and Path(entry.path).readlink().parts[:1] == (_CONFIG_MAP_LINK,)
    except OSError as error:
        raise ChangedError(entry.path) from error


def _take(
    walk: _Walk, directory: str, entry: os.DirEntry[str], path: str, ancestors: tuple[tuple[int, int], ...]
) -> None:
    """Take in one name of a directory."""
    if not entry.is_symlink() and not entry.is_dir() and not is_configuration(entry.name):
        return
    try:
        info = entry.stat()
        place = os.path.realpath(entry.path, strict=True) if entry.is_symlink() else entry.path
    except OSError as error:
        _take_broken(walk, entry, path, error)
        return
    if not place.startswith(walk.root.rstrip("/") + "/"):
        walk.leads_outside = True
    if stat.S_ISDIR(info.st_mode):
        _enter(walk, f"{directory}/{entry.name}", place, f"{path}/", ancestors)
    elif not is_configuration(entry.name):
        return
    elif not stat.S_ISREG(info.st_mode):
        walk.report(path, "files-not-regular", f"this is {_kind(info.st_mode)}, not a file; it is not read")
    elif len(walk.entries) == MAXIMUM_FILES:
        if not any(problem.code == "files-too-many" for problem in walk.problems):
            walk.report(path, "files-too-many", f"there are more than {MAXIMUM_FILES} files; this one is not read")
    elif (info.st_dev, info.st_ino) not in walk.seen:
        walk.seen.add((info.st_dev, info.st_ino))
        walk.entries.append(_Entry(path, place, _signature(info)))


def _take_broken(walk: _Walk, entry: os.DirEntry[str], path: str, error: OSError) -> None:
    if not entry.is_symlink():
        raise ChangedError(entry.path) from error
    if isinstance(error, FileNotFoundError):
        target = _shown(str(Path(entry.path).readlink()))
        walk.report(path, "files-broken-link", f"this link leads to {target}, which does not exist")
    else:
        walk.report(path, _UNREADABLE, f"this link cannot be followed: {error.strerror}")


def _signature(info: os.stat_result) -> _Signature:
    """What changes when a file does. The last one is the time of the change, in nanoseconds."""
    return info.st_dev, info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _read_all(entries: list[_Entry]) -> tuple[list[SourceFile], list[Problem]]:
    files: list[SourceFile] = []
    problems: list[Problem] = []
    octets = 0
    for entry in entries:
        start = Origin(entry.path, 1, 1)
        octets += min(entry.signature[3], MAXIMUM_FILE_OCTETS)
        if octets > MAXIMUM_OCTETS:
            message = (
                f"the files have more than {MAXIMUM_OCTETS} octets together; this one and those after it are not read"
            )
            problems.append(Problem(start, "files-too-large", message))
            break
        try:
            data = _read(entry)
        except PermissionError as error:
            problems.append(Problem(start, _UNREADABLE, f"this file cannot be read: {error.strerror}"))
            continue
        if len(data) > MAXIMUM_FILE_OCTETS:
            message = f"this file has more than {MAXIMUM_FILE_OCTETS} octets; it is not read"
            problems.append(Problem(start, "files-too-large", message))
            continue
        files.append(SourceFile(entry.path, data, entry.signature[:2]))  # type: ignore[arg-type]  # device and inode
    return files, problems


def _read(entry: _Entry) -> bytes:
    """The octets of a file, one more than allowed at most."""
    try:
        # Between the walk and now a pipe may have taken its place: never wait for somebody to write.
        descriptor = os.open(entry.place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError as error:
        raise ChangedError(entry.place) from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if _signature(os.fstat(descriptor)) != entry.signature:
            raise ChangedError(entry.place)
        return _up_to(file.fileno(), MAXIMUM_FILE_OCTETS + 1)


def descriptor_of(path: str) -> int | None:
    """The number in `/dev/fd/63`, as a shell writes it for `<(kustomize build .)`; None for any other path."""
    if path == "/dev/stdin":
        return 0
    for directory in ("/dev/fd/", "/proc/self/fd/"):
        if path.startswith(directory) and path.removeprefix(directory).isdecimal():
            return int(path.removeprefix(directory))
    return None


def read_descriptor(descriptor: int, name: str) -> bytes:
    """
    All octets of a stream that somebody else opened.

    Raises:
        TreeError: There are too many of them.
    """
    data = _up_to(descriptor, MAXIMUM_FILE_OCTETS + 1)
    if len(data) > MAXIMUM_FILE_OCTETS:
        raise TreeError(f"{name}: has more than {MAXIMUM_FILE_OCTETS} octets")
    return data


def _up_to(descriptor: int, octets: int) -> bytes:
    parts = []
    while octets > 0 and (part := os.read(descriptor, min(octets, 1 << 20))):
        parts.append(part)
        octets -= len(part)
    return b"".join(parts)


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "something else")


def _shown(name: str) -> str:
    """A file name that is not UTF-8 with its octets written out."""
    return os.fsencode(name).decode(errors="backslashreplace")
