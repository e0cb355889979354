"""One packet socket of a link: frames off it, through the responder, and the answers back on it."""

import contextlib
import errno
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable

from reconciler.l2.batch import SIZE, Batch
from reconciler.l2.claim_box import ClaimBox
from reconciler.l2.ignored import Ignored
from reconciler.l2.responder import Responder
from reconciler.l2.ring import Ring, frames_lost

_log = logging.getLogger(__name__)

# A socket that does nothing but fail would keep the thread busy, so it is left alone after as many times in a row.
MOST_FAILURES = 16


class Channel:
    """
    Answers what arrives on one socket.

    `serve` is for the answering thread; the others are for the event loop, and `close` only once nobody serves.

    Args:
        give_back: Handed the socket in the end.
    """

    def __init__(
        self,
        made: socket.socket,
        link: str,
        responder: Responder,
        claims: ClaimBox,
        give_back: Callable[[socket.socket], None],
    ) -> None:
        self._socket = made
        self._give_back = give_back
        self._ring = Ring(made)
        self._link = link
        self._responder = responder
        self._claims = claims
        self._told: set[int | None] = set()
        self._is_broken = False
        self._lost = 0
        self.descriptor = made.fileno()
        self.failures_in_a_row = 0
        self.requests = 0
        self.answers = 0
        self.unasked = 0
        self.refused = 0
        self.ignored: Counter[Ignored] = Counter()

    def serve(self, batch: Batch) -> None:
        """Answer what waits on the socket, one batch of it."""
        frames = self._ring.take(SIZE)
        if not frames:
            self._ask_why()
            return
        answers = []
        receive = self._responder.receive
        for frame in frames:
            try:
                answer = receive(frame)
            except Exception:  # noqa: BLE001 - whatever it is, the frames after it are not to go without an answer
                answer = self._broken_by(frame)
            if isinstance(answer, bytes):
                answers.append(answer)
            else:
                self.ignored[answer] += 1
        if answers:
            self._answer(batch, answers)
        if self._responder.claims:
            self._claims.put(self._responder.take_claims())
        self.failures_in_a_row = 0

    def lost(self) -> int:
        """The frames that found no room, because too many waited to be answered."""
        # The kernel begins anew with each question; a link that is being closed meanwhile says no more.
        with contextlib.suppress(OSError):
            self._lost += frames_lost(self._socket)
        return self._lost

    def send(self, frame: bytes) -> None:
        """Send one frame that nobody asked for."""
        try:
            self._socket.send(frame)
        except OSError as exc:
            self.refused += 1
            self._tell(exc)
        else:
            self.unasked += 1

    def close(self) -> None:
        """Give the socket back."""
        self._ring.close()
        self._give_back(self._socket)

    def _broken_by(self, frame: bytes) -> Ignored:
        if not self._is_broken:
            self._is_broken = True
            # Told once: whoever has found such a frame may send it as often as he likes.
            _log.exception("a frame could not be handled", extra={"link": self._link, "frame": frame.hex()})
        return Ignored.BROKEN

    def _ask_why(self) -> None:
        """There is nothing: the kernel has something against the socket, or is not done with a frame yet."""
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.failures_in_a_row += 1
            self.refused += 1
            self._tell(OSError(number, os.strerror(number)))

    def _answer(self, batch: Batch, answers: list[bytes]) -> None:
        sent = 0
        try:
            if len(answers) == 1:
                # It is out sooner by the plain call.
                self._socket.send(answers[0])
                sent = 1
            else:
                sent = batch.send(self.descriptor, answers)
        except BlockingIOError:
            pass
        except OSError as exc:
            self._tell(exc)
        self.requests += len(answers)
        self.answers += sent
        self.refused += len(answers) - sent

    def _tell(self, error: OSError) -> None:
        if error.errno not in self._told:
            self._told.add(error.errno)
            name = errno.errorcode.get(error.errno or 0, "?")
            _log.warning("the kernel refuses frames on a link", extra={"link": self._link, "error": name})
