"""What is yet to be said on one connection, apart from routes. No I/O."""

from reconciler.bgp.messages import KEEPALIVE


class Outbox:
    """Messages of the session itself. One KEEPALIVE in it is as good as many, if the peer does not read."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._has_keepalive = False

    def add(self, message: bytes) -> None:
        """Say that, too."""
        self._octets += message

    def add_keepalive(self) -> bool:
        """Say that we are here; False where that is yet to be said anyway."""
        if self._has_keepalive:
            return False
        self._has_keepalive = True
        self._octets += KEEPALIVE
        return True

    def take(self) -> bytes:
        """All of it, once."""
        octets = bytes(self._octets)
        self._octets.clear()
        self._has_keepalive = False
        return octets
