"""Plain manifests on disk, as `kubectl get -o json` or a person wrote them: which files, and the objects in them."""

import mmap
import os
import re
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from pathlib import Path

import msgspec

from reconciler.cluster.api_object import ApiObject, Place, Pointer, objects_in
from reconciler.cluster.port import ClusterError
from reconciler.config.documents import Document, parse_documents
from reconciler.model.origin import Problem, Severity

_SUFFIXES = (".json", ".yaml", ".yml")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# msgspec names the octet after the one it stopped at.
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_POSITION = re.compile(r"(?:JSON is malformed: )?(.*) \(byte (\d+)\)")
# A large file is given back to the system in steps of this size as its objects are read.
_RELEASE_STEP = 16 << 20


def manifest_files(path: Path, *, leave_out: Path) -> Iterator[Path]:
    """
    The files a cluster is made of, sorted: the file itself, or those below a directory with a suffix we know.

    Names that begin with a dot are skipped, and so is the directory `leave_out`. Links are followed, except one that
    leads back to a directory it is in.

    Raises:
        ClusterError: There is nothing at that path, or a directory cannot be read.
    """
    try:
        if not path.is_dir():
            path.stat()
            yield path
            return
        for directory in manifest_directories(path, leave_out=leave_out):
            for entry in _entries(directory):
                if entry.name.endswith(_SUFFIXES) and not entry.is_dir():
                    yield directory / entry.name
    except OSError as exc:
        raise ClusterError(f"{exc.filename or path}: {exc.strerror}") from exc


def manifest_directories(root: Path, *, leave_out: Path) -> Iterator[Path]:
    """
    The directories that hold those files, the root first.

    Raises:
        OSError: A directory cannot be read.
    """
    pending: list[tuple[Path, tuple[str, ...]]] = [(root, ())] if root.is_dir() else []
    while pending:
        directory, ancestors = pending.pop()
        real = os.path.realpath(directory)
        if real in ancestors or directory == leave_out:
            continue
        yield directory
        inside = [directory / entry.name for entry in _entries(directory) if entry.is_dir()]
        pending += [(below, (*ancestors, real)) for below in reversed(inside)]


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)


def objects_of(path: Path) -> Iterator[ApiObject]:
    """
    The objects in a file, in the order in which they are written; each is readable until the next one is asked for.

    Raises:
        ClusterError: The file cannot be read, or holds neither JSON nor YAML; the message names the line.
    """
    try:
        with path.open("rb") as file:
            content = _Content(file)
    except OSError as exc:
        raise ClusterError(f"{path}: {exc.strerror}") from exc
    for found in _parsed(path, content.text()):
        yield found
        content.consumed(len(memoryview(found.raw)))


class _Content:
    """
    The octets of a file. Those of a large one are forgotten as they are consumed.

    A large file is copied into memory of its own: a mapped file that somebody cuts short meanwhile would end the
    process with a bus error.
    """

    def __init__(self, file: BufferedReader) -> None:
        size = os.fstat(file.fileno()).st_size
        self._memory: mmap.mmap | None = None
        self._consumed = self._released = 0
        if size < 2 * _RELEASE_STEP:
            self._text = memoryview(file.read())
            return
        self._memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        whole = memoryview(self._memory)
        filled = 0
        while got := file.readinto(whole[filled : filled + _RELEASE_STEP]):
            filled += got
        self._text = whole[:filled].toreadonly()

    def text(self) -> memoryview:
        return self._text

    def consumed(self, size: int) -> None:
        """So many octets more, in the order of the file, are needed no longer."""
        self._consumed += size
        if self._memory and self._consumed - self._released >= _RELEASE_STEP:
            end = self._consumed // mmap.PAGESIZE * mmap.PAGESIZE
            self._memory.madvise(mmap.MADV_DONTNEED, self._released, end - self._released)
            self._released = end


def _parsed(path: Path, text: memoryview) -> Iterator[ApiObject]:
    start = bytes(text[:64])
    if start.startswith(_UTF_16_MARKS):
        raise ClusterError(f"{path}: is UTF-16: save it as UTF-8")
    if start.startswith(_BYTE_ORDER_MARK):
        text, start = text[len(_BYTE_ORDER_MARK) :], start[len(_BYTE_ORDER_MARK) :]
    if not start.strip() and not bytes(text).strip():
        return
    if path.suffix != ".json" and not (start.lstrip()[:1] in {b"{", b"["} and _is_json(text)):
        yield from _in_yaml(path, bytes(text))
        return
    for document in _json_documents(path, text):
        yield from objects_in(document, Place(str(path)))


def _is_json(text: memoryview) -> bool:
    """Whether something that begins like JSON is JSON: it may be YAML in flow style, or JSON between dashes."""
    try:
        size = _size_of_first(Path(), text)
    except ClusterError:
        return False
    return bytes(text[size : size + 64]).lstrip()[:1] in {b"", b"{", b"["}


def _json_documents(path: Path, text: memoryview) -> Iterator[msgspec.Raw]:
    """One document, or several one after the other: the output of two commands in one file."""
    while bytes(text[:64]).strip() or bytes(text).strip():
        size = _size_of_first(path, text)
        yield msgspec.json.decode(text[:size], type=msgspec.Raw)
        text = text[size:]


def _size_of_first(path: Path, text: memoryview) -> int:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except RecursionError as exc:
        raise ClusterError(f"{path}: is nested too deeply") from exc
    except msgspec.DecodeError as exc:
        if trailing := _TRAILING.search(str(exc)):
            return int(trailing[1]) - 1
        raise _malformed(path, text, str(exc)) from exc
    return len(text)


def _malformed(path: Path, text: memoryview, message: str) -> ClusterError:
    position = _POSITION.search(message)
    if not position:
        return ClusterError(f"{path}: is no complete JSON: {message[:1].lower()}{message[1:]}")
    before = bytes(text[: int(position[2])])
    line = before.count(b"\n") + 1
    column = len(before) - before.rfind(b"\n")
    return ClusterError(f"{path}:{line}:{column}: is no JSON: {position[1]}")


def _in_yaml(path: Path, text: bytes) -> Iterator[ApiObject]:
    parsed = parse_documents(str(path), text, strict=False)
    _refuse(parsed.problems)
    for document in parsed.documents:
        if isinstance(document.value, dict | list):
            for found in objects_in(_as_json(document), Place(str(path), _locator(document))):
                _refuse(document.problems)
                yield found


def _refuse(problems: Iterable[Problem]) -> None:
    for problem in problems:
        if problem.severity is Severity.ERROR:
            raise ClusterError(f"{problem.origin}: {problem.message}")


def _as_json(document: Document) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(document.value))
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise ClusterError(f"{document.origin()}: cannot be an object of the Kubernetes API: {exc}") from exc


def _locator(document: Document) -> Callable[[Pointer], str]:
    return lambda pointer: str(document.origin(*pointer))
