"""Whether configured peers may connect to us, and what keeps them from it."""

import logging
from collections.abc import Callable
from math import inf

from reconciler.bgp.transport import Transport, TransportError
from reconciler.model.settings import BGPListenSettings

_log = logging.getLogger(__name__)

# Seconds until a port that was taken is tried again.
_AGAIN = 5.0


class Listening:
    """
    Listens as the settings say. `problem` is why that is not possible, in words.

    Args:
        transport: Gives what listens.
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, transport: Callable[[], Transport], clock: Callable[[], float]) -> None:
        self.problem: str | None = None
        self._transport = transport
        self._clock = clock
        self._settings = BGPListenSettings()
        self._try_at = inf

    def follow(self, settings: BGPListenSettings) -> None:
        """Listen like that from now on, or not at all."""
        if settings == self._settings:
            return
        if self._settings.enabled:
            self._transport().stop_listening()
        self._settings, self.problem, self._try_at = settings, None, inf
        if settings.enabled:
            self._try()

    def look(self) -> None:
        """Try again what could not be had."""
        if self._clock() >= self._try_at:
            self._try()

    def why_not(self) -> str | None:
        """Why a peer that is waited for cannot connect; None where it can."""
        if not self._settings.enabled:
            return "it is to connect to us, but nothing is listened on: set spec.bgp.listen.enabled"
        return self.problem

    def _try(self) -> None:
        addresses = tuple(address.packed for address in self._settings.addresses)
        try:
            self._transport().listen(self._settings.port, addresses)
        except TransportError as exc:
            if str(exc) != self.problem:
                _log.error("peers cannot connect to us: %s", exc)
            self.problem, self._try_at = str(exc), self._clock() + _AGAIN
        else:
            self.problem, self._try_at = None, inf
            _log.info("peers may connect to us", extra={"port": self._settings.port})
