"""
Documents of the Kubernetes API to single objects, and the decoding of those. No I/O.

Every error names the file, the line where that is known, the object and the field.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.port import ClusterError

# The group of each kind that we read; any version of it.
GROUPS = {"Service": "", "EndpointSlice": "discovery.k8s.io", "Node": "", "Namespace": "", "Secret": ""}

Pointer = tuple[str | int, ...]
Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document was read: its file, and the line of a field where that is known."""

    file: str
    locate: Callable[[Pointer], str] | None = None

    def of(self, pointer: Pointer) -> str:
        """The most precise place there is of a field."""
        return self.locate(pointer) if self.locate else self.file


class ApiObject(msgspec.Struct, frozen=True, gc=False):
    """One object, undecoded; `pointer` leads to it inside its document."""

    raw: msgspec.Raw
    kind: str
    place: Place
    pointer: Pointer = ()


def objects_in(raw: msgspec.Raw, place: Place) -> Iterator[ApiObject]:
    """
    The objects of a document that we read; lists and plain arrays are opened, all other kinds left out.

    Raises:
        ClusterError: The text is no JSON, the document no object, or the items of a list no list.
    """
    document = ApiObject(raw, "", place)
    return _items(document, raw) if bytes(memoryview(raw)[:64]).lstrip()[:1] == b"[" else _unfold(document)


def _unfold(document: ApiObject) -> Iterator[ApiObject]:
    """An item of a typed list (`ServiceList`) need not name its kind: `document.kind` is what it then is."""
    head = decode(document, _HEAD)
    kind = head.kind or document.kind
    group = (head.api_version or "").rpartition("/")[0]
    if kind in GROUPS:
        if group == GROUPS[kind] or (not head.api_version and document.kind):
            yield ApiObject(document.raw, kind, document.place, document.pointer)
        return
    item_kind = kind.removesuffix("List")
    if item_kind == kind or (item_kind and item_kind not in GROUPS) or group != GROUPS.get(item_kind, ""):
        return
    yield from _items(ApiObject(document.raw, kind, document.place, (*document.pointer, "items")), head.items)


def _items(listing: ApiObject, items: msgspec.Raw) -> Iterator[ApiObject]:
    decoded = decode(listing, _ITEMS, items)
    for index, item in enumerate(decoded or ()):
        pointer = (*listing.pointer, index)
        yield from _unfold(ApiObject(item, listing.kind.removesuffix("List"), listing.place, pointer))


_HEAD = msgspec.json.Decoder(wire.Head)
_ITEMS: msgspec.json.Decoder[list[msgspec.Raw] | None] = msgspec.json.Decoder(list[msgspec.Raw] | None)

_FIELD = re.compile(r" - at (?:`key` in )?`\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def decode(
    found: ApiObject, decoder: msgspec.json.Decoder[Decoded], raw: msgspec.Raw | None = None, under: Pointer = ()
) -> Decoded:
    """
    Decode an object, or the part of it that stands `under` a field.

    Raises:
        ClusterError: A field has another type.
    """
    try:
        return decoder.decode(found.raw if raw is None else raw)
    except msgspec.ValidationError as exc:
        text, _, path = _FIELD.sub(r"\n\1", str(exc)).partition("\n")
        steps: Pointer = tuple(name or int(index) for name, index in _STEP.findall(path))
        field = ".".join(str(step) for step in under) + path.removesuffix("[...]")
        text = text[:1].lower() + text[1:]
        described = f"{field.removeprefix('.')}: {text}" if field else text
        refuse(found, described, (*under, *steps))
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ClusterError(f"{found.place.of(found.pointer)}: {exc}") from exc


def refuse(found: ApiObject, message: str, pointer: Pointer = ()) -> NoReturn:
    """An object that cannot be read: where it stands, which it is, and what is wrong with it."""
    place = found.place.of((*found.pointer, *pointer))
    raise ClusterError(f"{place}: {_name_of(found)}: {message}") from None


def _name_of(found: ApiObject) -> str:
    """Kind, namespace and name, as far as they can be told."""
    try:
        value = msgspec.json.decode(found.raw)
        metadata = value.get("metadata") or {}
        names = [metadata.get("namespace"), metadata.get("name") or metadata.get("generateName")]
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        names = []
    return " ".join(filter(None, (found.kind or "object", "/".join(str(name) for name in names if name))))
