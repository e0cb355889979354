"""What speakers say to each other directly, beside the facts that all know: encoding, and nothing else. No I/O."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from reconciler.errors import ReconcilerError
from reconciler.model.desired import SHORT_REVISION


class MessageError(ReconcilerError):
    """The octets are no message of ours, or one of a later version."""


class TakeOver(msgspec.Struct, frozen=True, tag="t", array_like=True):
    """Asks another to say `Taken` once it announces these: the sender is about to fall silent. 4 or 16 octets each."""

    addresses: tuple[bytes, ...]


class Taken(msgspec.Struct, frozen=True, tag="k", array_like=True):
    """The sender announces these: the answer to `TakeOver`, as soon as it is true."""

    addresses: tuple[bytes, ...]


class Adopted(msgspec.Struct, frozen=True, tag="a", array_like=True):
    """The sender has just taken a revision into use, shortened by `short_revision`: nobody need wait any longer."""

    revision: Annotated[str, msgspec.Meta(max_length=SHORT_REVISION)]


class Silent(msgspec.Struct, frozen=True, tag="s", array_like=True):
    """The sender watches a node closely and hears nothing of it, or hears it again; `epoch` is the run it means."""

    node: str
    epoch: int
    is_silent: bool


class InUse(msgspec.Struct, frozen=True, tag="u", array_like=True):
    """A host that is none of ours uses an address, of 4 or 16 octets, or does not any more: probe it first."""

    address: bytes
    is_in_use: bool


Message = TakeOver | Taken | Adopted | Silent | InUse

_DECODER = msgspec.msgpack.Decoder(Message)
# What one message may hold: with 16 octets each some 60 KiB, below what kinship carries at once.
LARGEST = 3000


def encode(message: Message) -> bytes:
    """The octets of a message."""
    return msgspec.msgpack.encode(message)


def decode(data: bytes) -> Message:
    """
    Read a message.

    Raises:
        MessageError: It is none of ours.
    """
    try:
        message: Message = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise MessageError(f"{len(data)} octets that are no message: {exc}") from exc
    if isinstance(message, TakeOver | Taken):
        _check(message.addresses)
    return message


def _check(addresses: Sequence[bytes]) -> None:
    if len(addresses) > LARGEST or any(len(address) not in {4, 16} for address in addresses):
        raise MessageError("a message with too many addresses, or with something that is none")
