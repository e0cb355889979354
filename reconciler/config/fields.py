"""
A place in a document, for readers.

Readers run on documents that the schema complained about too, so that one wrong field does not hide what is wrong
with the others. A field of the wrong type therefore reads as absent here: the schema has said so already.
"""

from collections.abc import Iterator

import msgspec

from reconciler.config.documents import Document
from reconciler.model.origin import Origin

Pointer = tuple[str | int, ...]


class Text(msgspec.Struct, frozen=True, gc=False):
    """A string, and where it was written."""

    value: str
    document: Document
    pointer: Pointer

    @property
    def origin(self) -> Origin:
        """Where the string begins."""
        return self.document.origin(*self.pointer)

    @property
    def key_origin(self) -> Origin:
        """Where the key of the string begins."""
        return self.document.key_origin(*self.pointer)


class Field(msgspec.Struct, frozen=True, gc=False):
    """A value in a document. Names that are absent, null or of another type read as absent."""

    document: Document
    pointer: Pointer
    value: object

    @property
    def origin(self) -> Origin:
        """Where the value begins."""
        return self.document.origin(*self.pointer)

    def origin_of(self, *names: str) -> Origin:
        """Where the first of these that is there begins; this value's own beginning when none is."""
        written = (name for name in names if isinstance(self.value, dict) and name in self.value)
        return next((self.document.origin(*self.pointer, name) for name in written), self.origin)

    def _get(self, name: str) -> object:
        return self.value.get(name) if isinstance(self.value, dict) else None

    def has(self, name: str) -> bool:
        """Whether anything but null is written there, of whatever type."""
        return self._get(name) is not None

    def child(self, name: str) -> "Field":
        """The mapping of that name; an empty one when there is none."""
        found = self._get(name)
        if isinstance(found, dict):
            return Field(self.document, (*self.pointer, name), found)
        return Field(self.document, self.pointer, {})

    def children(self, name: str) -> Iterator["Field"]:
        """The mappings in the list of that name, in order."""
        for index, found in enumerate(self._list(name)):
            if isinstance(found, dict):
                yield Field(self.document, (*self.pointer, name, index), found)

    def texts(self, name: str) -> tuple[Text, ...]:
        """The strings in the list of that name, in order."""
        return tuple(
            Text(found, self.document, (*self.pointer, name, index))
            for index, found in enumerate(self._list(name))
            if isinstance(found, str)
        )

    def pairs(self, name: str) -> tuple[tuple[str, Text], ...]:
        """The strings of the mapping of that name, by key, in order of the keys."""
        found = self._get(name)
        if not isinstance(found, dict):
            return ()
        return tuple(
            (key, Text(value, self.document, (*self.pointer, name, key)))
            for key, value in sorted(found.items())
            if isinstance(key, str) and isinstance(value, str)
        )

    def is_empty_text(self, name: str) -> bool:
        """Whether the string of that name is there, and empty."""
        return self._get(name) == ""

    def is_empty_list(self, name: str) -> bool:
        """Whether the list of that name is there, and empty."""
        return self._get(name) == []

    def value_count(self, name: str) -> int:
        """How many values of any type the list of that name holds."""
        return len(self._list(name))

    def text(self, name: str) -> Text | None:
        """The string of that name; an empty one counts as absent, as it does at the Kubernetes API."""
        found = self._get(name)
        return Text(found, self.document, (*self.pointer, name)) if isinstance(found, str) and found else None

    def number(self, name: str) -> int | None:
        """The integer of that name."""
        found = self._get(name)
        if isinstance(found, float) and found.is_integer():
            return int(found)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def flag(self, name: str, *, default: bool = False) -> bool:
        """The boolean of that name."""
        found = self._get(name)
        return found if isinstance(found, bool) else default

    def _list(self, name: str) -> list[object]:
        found = self._get(name)
        return found if isinstance(found, list) else []
