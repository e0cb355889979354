"""
Meticulous Keyed SHA1 (RFC 5880 sections 4.4 and 6.7.4): every packet has a number of its own and a digest. No I/O.

SHA1 is what the RFC has. The digest is made over a secret of as many octets as itself, so the known collisions, for
which one must know all of the text, do not help a forger.
"""

from hashlib import sha1
from hmac import compare_digest
from struct import Struct as Layout

import msgspec

from reconciler.bfd.ignored import Ignored
from reconciler.bfd.packets import MANDATORY_LENGTH, ControlPacket, encode
from reconciler.errors import ReconcilerError

METICULOUS_KEYED_SHA1 = 5
KEY_LENGTH = 20
_SECTION = Layout("!BBBBI20s")
_DIGEST_AT = MANDATORY_LENGTH + 8
_NUMBERS = 1 << 32


class AuthenticationKeyError(ReconcilerError):
    """A key is longer than the 20 octets that fit into a packet, or empty."""


class Meticulous:
    """
    Signs the packets of one session, and checks those that arrive. Both ways may have keys of their own.

    The number of the last packet that was accepted is remembered: an older one is a replay. `forget` it when nothing
    came for twice the detection time, for the peer may have begun anew.
    """

    def __init__(self, *, send_key: bytes, receive_key: bytes, sequence: int, key_id: int = 1) -> None:
        """
        Args:
            send_key: Up to 20 octets; filled with zeros to 20.
            receive_key: The same for what arrives.
            sequence: Where the numbers of our packets begin: not where those of an earlier session began.
            key_id: 0 to 255, equal on both sides.

        Raises:
            AuthenticationKeyError: A key does not fit.
        """
        self._send_key = _padded(send_key)
        self._receive_key = _padded(receive_key)
        self._sequence = sequence % _NUMBERS
        self._key_id = key_id
        self._received: int | None = None

    @property
    def sequence(self) -> int:
        """The number of our latest packet. A session after this one of the same keys is believed if it goes on."""
        return self._sequence

    def sign(self, packet: ControlPacket) -> bytes:
        """The octets of a packet with its authentication section, under a number that no other packet has."""
        self._sequence = (self._sequence + 1) % _NUMBERS
        section = _section(self._key_id, self._sequence, self._send_key)
        unsigned = encode(msgspec.structs.replace(packet, authentication=section))
        return unsigned[:_DIGEST_AT] + sha1(unsigned, usedforsecurity=True).digest()  # noqa: S324

    def check(self, packet: ControlPacket, data: bytes) -> Ignored | None:
        """
        Why a packet is not to be believed; None when it is, and then its number counts as used.

        Args:
            packet: What `data` says.
            data: The payload as it arrived.
        """
        section = packet.authentication
        if section is None:
            return Ignored.NOT_AUTHENTICATED
        if len(section) != _SECTION.size:
            return Ignored.AUTHENTICATION_SECTION
        kind, length, key_id, _, sequence, digest = _SECTION.unpack(section)
        if (kind, length, key_id) != (METICULOUS_KEYED_SHA1, _SECTION.size, self._key_id):
            return Ignored.AUTHENTICATION_SECTION
        if not self._is_next(sequence, packet.detect_multiplier):
            return Ignored.SEQUENCE
        expected = sha1(data[:_DIGEST_AT] + self._receive_key, usedforsecurity=True).digest()  # noqa: S324
        if not compare_digest(digest, expected):
            return Ignored.DIGEST
        self._received = sequence
        return None

    def forget(self) -> None:
        """Take the next packet with any number."""
        self._received = None

    def _is_next(self, sequence: int, detect_multiplier: int) -> bool:
        # RFC 5880 6.7.4: from the one after the last, 3 x Detect Mult of them, on a circle of 32 bits.
        if self._received is None:
            return True
        return (sequence - self._received - 1) % _NUMBERS < 3 * detect_multiplier


def _padded(key: bytes) -> bytes:
    if not 0 < len(key) <= KEY_LENGTH:
        raise AuthenticationKeyError(f"a key of {len(key)} octets; it must have 1 to {KEY_LENGTH}")
    return key.ljust(KEY_LENGTH, b"\0")


def _section(key_id: int, sequence: int, digest: bytes) -> bytes:
    return _SECTION.pack(METICULOUS_KEYED_SHA1, _SECTION.size, key_id, 0, sequence, digest)
