"""The sockets that accept connections of peers: one for each address, and each VRF that a peer is in."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from reconciler.bgp.sockets import FamilyError, TransportError, listening, set_password, share

_ANY = bytes(4), bytes(16)
# Connections of one turn; more wait.
_BATCH = 16
# Seconds until the next try when there are no more file descriptors.
_PAUSE = 1.0

# An accepted connection, and the device that its listener is bound to.
OnAccepted = Callable[[socket.socket, str | None], None]
# By device, None for none: passwords by address, 4 or 16 octets.
Passwords = Mapping[str | None, Mapping[bytes, bytes]]


class Listener:
    """One socket."""

    def __init__(
        self, address: bytes, port: int, device: str | None, on_accepted: OnAccepted, *, is_shared: bool
    ) -> None:
        """
        Raises:
            TransportError: See `listening`.
        """
        self._loop = asyncio.get_running_loop()
        self._device = device
        self._on_accepted = on_accepted
        self._octets = len(address)
        self._passwords: dict[bytes, bytes] = {}
        self._pause: asyncio.TimerHandle | None = None
        self.socket = listening(address, port, device, is_shared=is_shared)
        self._index = _index_of(device)
        self._loop.add_reader(self.socket, self._accept)

    @property
    def is_stale(self) -> bool:
        """Whether its device is gone, or is another one of the same name: nothing arrives here any more."""
        return self._index != _index_of(self._device)

    def sign(self, wanted: Mapping[bytes, bytes]) -> None:
        """
        Have connections of these addresses signed by these passwords, and no others.

        Raises:
            TransportError: The kernel takes one of them not; it has the others.
        """
        own = {address: password for address, password in wanted.items() if len(address) == self._octets}
        for address in self._passwords.keys() - own.keys():
            with suppress(TransportError):
                set_password(self.socket, address, b"")
            del self._passwords[address]
        refusal: TransportError | None = None
        for address, password in own.items():
            if self._passwords.get(address) != password:
                try:
                    set_password(self.socket, address, password)
                    self._passwords[address] = password
                except TransportError as exc:
                    refusal = refusal or exc
        if refusal is not None:
            raise refusal

    def close(self) -> None:
        """Accept nobody any more."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self.socket)
        self.socket.close()

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                accepted, _ = self.socket.accept()
            except OSError as exc:
                if exc.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # It would be ready again at once, and fail again.
                    self._loop.remove_reader(self.socket)
                    self._pause = self._loop.call_later(_PAUSE, self._resume)
                return
            accepted.settimeout(0)
            self._on_accepted(accepted, self._device)

    def _resume(self) -> None:
        self._loop.add_reader(self.socket, self._accept)


@dataclass(frozen=True, slots=True)
class _Place:
    address: bytes
    device: str | None


class Listeners:
    """All of them, by the peers that there are."""

    def __init__(self, on_accepted: OnAccepted) -> None:
        self._on_accepted = on_accepted
        self._port = 0
        self._addresses: tuple[bytes, ...] = ()
        self._open: dict[_Place, Listener] = {}

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted at all."""
        return bool(self._open)

    @property
    def has_devices(self) -> bool:
        """Whether some are bound to devices, which come and go: `update` is to be called now and then."""
        return any(place.device is not None for place in self._open)

    def open(self, port: int, addresses: tuple[bytes, ...]) -> None:
        """
        Listen where no VRF is; `update` adds what peers need. What was listened on before is closed.

        Args:
            port: TCP.
            addresses: Of this host; none of them means all.

        Raises:
            TransportError: We may not, or it is taken. Nothing is listened on then.
        """
        self.close()
        self._port, self._addresses = port, addresses or _ANY
        try:
            for address in self._addresses:
                try:
                    self._add(_Place(address, None))
                except FamilyError:
                    # Some kernels run without IPv6.
                    if addresses:
                        raise
        except TransportError:
            self.close()
            raise

    def close(self) -> None:
        """Accept nobody any more."""
        for listener in self._open.values():
            listener.close()
        self._open.clear()

    def update(self, passwords: Passwords) -> dict[str | None, str]:
        """
        Listen for peers in these devices, with these passwords; the problems there are, by device.

        Only while sockets of other devices are added may the port be shared, and a port that another program has
        taken is noticed by the one without device, which comes first.
        """
        if not self.is_listening:
            return {}
        stale = [place for place, listener in self._open.items() if listener.is_stale]
        unwanted = [place for place in self._open if place.device is not None and place.device not in passwords]
        for place in {*stale, *unwanted}:
            self._open.pop(place).close()
        problems: dict[str | None, str] = {}
        for device, by_address in passwords.items():
            try:
                self._listen_in(device)
                for place, listener in self._open.items():
                    if place.device == device:
                        listener.sign(by_address)
            except TransportError as exc:
                problems[device] = str(exc)
        return problems

    def _listen_in(self, device: str | None) -> None:
        missing = [_Place(a, device) for a in self._addresses if _Place(a, device) not in self._open]
        if device is None or not missing:
            return
        self._share(self._open.values(), is_shared=True)
        try:
            for place in missing:
                with suppress(FamilyError):
                    self._add(place)
        finally:
            self._share(self._open.values(), is_shared=False)

    def _add(self, place: _Place) -> None:
        is_shared = place.device is not None
        self._open[place] = Listener(place.address, self._port, place.device, self._on_accepted, is_shared=is_shared)

    @staticmethod
    def _share(listeners: Iterable[Listener], *, is_shared: bool) -> None:
        for listener in listeners:
            share(listener.socket, is_shared=is_shared)


def _index_of(device: str | None) -> int | None:
    """The kernel's number of a device; None for none, 0 for one that is not there."""
    if device is None:
        return None
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return 0
