"""
The objects of one kind as an API server last told of them: in list pages, watch events and answers to our writes.

Says of everything it is told whether a decision may depend on it. What stands stays the same object, and so does the
snapshot as a whole. No I/O.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Generic, NamedTuple

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_errors import event_error, one_line
from reconciler.cluster.kinds import Decoded, Kind, Value
from reconciler.cluster.objects import Interned
from reconciler.cluster.port import ClusterError

# So many parts are kept for sharing, and so many more for each object; what is beyond is left from objects now gone.
_PARTS, _PARTS_PER_OBJECT = 10_000, 16


class Change(Enum):
    """How much something that was told matters."""

    NOTHING = "nothing"
    VERSION = "only the resource version, which the next write has to name"
    VALUE = "something that a decision may depend on"


class Outcome(NamedTuple):
    """What came of something that was told, and of which object; the key is empty where it concerns none, or many."""

    change: Change
    key: str = ""


_NOTHING = Outcome(Change.NOTHING)


class Store(Generic[Decoded, Value]):
    """
    Objects of one kind, by key.

    `resume_version` is where a watch goes on; empty before the first list. `decode_failures` counts the objects that
    could not be read: each is handed to `report` as one line, and its last good version stays.
    """

    def __init__(self, kind: Kind[Decoded, Value], report: Callable[[str], None]) -> None:
        self.kind: Kind[Decoded, Value] = kind
        self.resume_version = ""
        self.decode_failures = 0
        self._report = report
        self._values: dict[str, Value] = {}
        # Both sorted by key, so that one change of ten thousand costs no sorting.
        self._keys: list[str] = []
        self._sorted: list[Value] = []
        self._snapshot: tuple[Value, ...] | None = ()
        self._by_key: Mapping[str, Value] | None = {}
        self._kept = Interned()
        self._listed: dict[str, Value] | None = None
        self._written: set[str] = set()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> Value | None:
        """The value of one object, None where there is none."""
        return self._values.get(key)

    def snapshot(self) -> tuple[Value, ...]:
        """All values, sorted by key; the same tuple until one of them changes."""
        if self._snapshot is None:
            self._snapshot = tuple(self._sorted)
        return self._snapshot

    def by_key(self) -> Mapping[str, Value]:
        """All values as they are now; the same mapping, which nobody changes, until one of them does."""
        if self._by_key is None:
            self._by_key = dict(self._values)
        return self._by_key

    # A list

    def begin_list(self) -> None:
        """A list is about to be told; pages of one that was not ended are void."""
        self._listed = {}
        self._written.clear()

    def add_page(self, raw: bytes) -> None:
        """
        Take a page of the list.

        Raises:
            ClusterError: It is no list of that kind.
        """
        listed = self._list_under_way()
        for found in self._items(raw):
            try:
                key = self.kind.key_of(found.metadata)
                value = self.kind.read(found, self._known_key(key), self._kept)
            except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                self._keep_last_good(found.metadata.namespace, found.metadata.name, exc)
                continue
            _, listed[key] = self._compared(self._values.get(key), value)

    def end_list(self, version: str) -> Outcome:
        """Let the whole list, which is of that version, stand for everything that was known."""
        before, values, self._listed = self._values, self._list_under_way(), None
        self._restore_written(values, version)
        self.resume_version = version
        gone = before.keys() - values.keys()
        replaced = [key for key, value in values.items() if value is not before.get(key)]
        if not gone and not replaced:
            return _NOTHING
        self._values = values
        self._keys = sorted(values)
        self._sorted = [values[key] for key in self._keys]
        self._was_changed()
        for key in gone:
            self._was_replaced(key, before[key], None)
        for key in replaced:
            self._was_replaced(key, before.get(key), values[key])
        is_version = not gone and all(
            self._compared(before.get(key), values[key])[0] is Change.VERSION for key in replaced
        )
        return Outcome(Change.VERSION if is_version else Change.VALUE)

    def _list_under_way(self) -> dict[str, Value]:
        if self._listed is None:
            raise ClusterError(f"list of {self.kind.path}: it has no beginning")
        return self._listed

    def _restore_written(self, values: dict[str, Value], version: str) -> None:
        """What we wrote while the list was under way may be newer than the list."""
        for key in self._written:
            ours, listed = self._values.get(key), values.get(key)
            if ours is not None and _is_older(
                self._version_of(listed) if listed else version, than=self._version_of(ours)
            ):
                values[key] = ours

    def _items(self, raw: bytes) -> Iterator[Decoded]:
        """The objects of a page, decoded together, or one by one where there is something wrong with one of them."""
        try:
            yield from self.kind.listing.decode(raw).items or ()
        except msgspec.ValidationError:
            pass
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ClusterError(f"list of {self.kind.path}: {one_line(str(exc))}") from exc
        else:
            return
        try:
            items = _RAW_ITEMS.decode(raw).items
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ClusterError(f"list of {self.kind.path}: {one_line(str(exc))}") from exc
        for item in items or ():
            try:
                yield self.kind.object.decode(item)
            except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                metadata = _identity(item)
                self._keep_last_good(metadata.namespace, metadata.name, exc)

    def _keep_last_good(self, namespace: str | None, name: str, why: Exception) -> None:
        self._failed(namespace, name, why)
        key = self.kind.key_of(wire.Identity(name, namespace)) if name else ""
        if self._listed is not None and key in self._values:
            self._listed[key] = self._values[key]

    # One object

    def apply(self, line: bytes) -> Outcome:
        """
        Take one line of a watch.

        Raises:
            ApiError: It is an ERROR event: the watch cannot go on.
            ClusterError: It is no event.
        """
        try:
            event = _EVENT.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ClusterError(f"watch of {self.kind.path}: not an event: {one_line(str(exc))}") from exc
        match event.type:
            case "ERROR":
                raise event_error(f"watch of {self.kind.path}", event.object)
            case "BOOKMARK":
                self._resume_at(_identity(event.object).resource_version)
                return _NOTHING
            case "DELETED":
                return self._remove(event.object)
            case _:
                return self._add(event.object)

    def note_written(self, raw: bytes) -> Outcome:
        """
        Take the object that a write of ours was answered with, unless something newer is known; its echo is no change.

        Only for kinds whose values carry a resource version.
        """
        try:
            found = self.kind.object.decode(raw)
            key = self.kind.key_of(found.metadata)
            version = found.metadata.resource_version or ""
            before = self._values.get(key)
            # An object that is not there went away before the version that the watch has come to.
            known = self.resume_version if before is None else self._version_of(before)
            if version == known or _is_older(version, than=known):
                return Outcome(Change.NOTHING, key)
            value = self.kind.read(found, self._known_key(key), self._kept)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            self._failed_raw(raw, exc)
            return _NOTHING
        if self._listed is not None:
            self._written.add(key)
        return self._settle(key, value)

    def _add(self, raw: msgspec.Raw) -> Outcome:
        try:
            found = self.kind.object.decode(raw)
            key = self.kind.key_of(found.metadata)
            version = found.metadata.resource_version or ""
            before = self._values.get(key)
            known = "" if before is None else self._version_of(before)
            # An answer to a write of ours comes before its echo, and may before the events that led to it.
            is_late = known != "" and (version == known or _is_older(version, than=known))
            value = before if is_late else self.kind.read(found, self._known_key(key), self._kept)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            self._failed_raw(raw, exc)
            self._resume_at(_identity(raw).resource_version)
            return _NOTHING
        self._resume_at(version)
        return Outcome(Change.NOTHING, key) if value is None else self._settle(key, value)

    def _remove(self, raw: msgspec.Raw) -> Outcome:
        metadata = _identity(raw)
        self._resume_at(metadata.resource_version)
        if not metadata.name:
            self._failed_raw(raw, "what was deleted has no name")
            return _NOTHING
        key = self.kind.key_of(metadata)
        before = self._values.get(key)
        if before is None or _is_older(metadata.resource_version or "", than=self._version_of(before)):
            return Outcome(Change.NOTHING, key)
        del self._values[key]
        index = bisect_left(self._keys, key)
        del self._keys[index], self._sorted[index]
        self._was_changed()
        self._was_replaced(key, before, None)
        return Outcome(Change.VALUE, key)

    def _settle(self, key: str, after: Value) -> Outcome:
        """Let a value stand for its object."""
        before = self._values.get(key)
        change, value = self._compared(before, after)
        if change is Change.NOTHING:
            return Outcome(change, key)
        self._values[key] = value
        index = bisect_left(self._keys, key)
        if before is None:
            self._keys.insert(index, key)
            self._sorted.insert(index, value)
        else:
            self._sorted[index] = value
        self._was_changed()
        self._was_replaced(key, before, value)
        return Outcome(change, key)

    def _compared(self, before: Value | None, after: Value) -> tuple[Change, Value]:
        """How much of a value has changed, and the value to go on with: the one from before as far as it stands."""
        if before is None:
            return Change.VALUE, after
        if before is after or before == after:
            return Change.NOTHING, before
        if self.kind.version_of and self.kind.at_version:
            same = self.kind.at_version(before, self.kind.version_of(after))
            if same == after:
                return Change.VERSION, same
        return Change.VALUE, after

    # What is kept beside the values

    def _was_replaced(self, key: str, before: Value | None, after: Value | None) -> None:
        """For stores that keep something beside the values."""

    def _was_changed(self) -> None:
        self._snapshot = self._by_key = None
        if len(self._kept) > _PARTS + _PARTS_PER_OBJECT * len(self._values):
            self._kept.clear()

    def _known_key(self, key: str) -> str:
        """The key as it is kept already, where it is."""
        index = bisect_left(self._keys, key)
        return self._keys[index] if index < len(self._keys) and self._keys[index] == key else key

    def _version_of(self, value: Value) -> str:
        return self.kind.version_of(value) if self.kind.version_of else ""

    def _resume_at(self, version: str | None) -> None:
        self.resume_version = version or self.resume_version

    def _failed_raw(self, raw: bytes | msgspec.Raw, why: Exception | str) -> None:
        metadata = _identity(raw)
        self._failed(metadata.namespace, metadata.name, why)

    def _failed(self, namespace: str | None, name: str, why: Exception | str) -> None:
        named = "/".join(filter(None, (namespace, name))) or "without a name"
        self.decode_failures += 1
        self._report(f"{self.kind.name} {named} cannot be read: {one_line(str(why))}")


def _is_older(version: str, *, than: str) -> bool:
    """Resource versions are compared only where both are numbers; the API promises no more, and servers give those."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


def _identity(raw: bytes | msgspec.Raw) -> wire.Identity:
    """What can still be told of an object that cannot be read."""
    try:
        return _IDENTITY.decode(raw).metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        return wire.Identity()


_EVENT = msgspec.json.Decoder(wire.WatchEvent)
_IDENTITY = msgspec.json.Decoder(wire.Identified)
_RAW_ITEMS = msgspec.json.Decoder(wire.Listing[msgspec.Raw])
