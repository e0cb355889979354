"""What the API server may answer instead of what was asked for, and how that reads in one line. No I/O."""

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.port import ClusterError, Conflict

_LONGEST_MESSAGE = 500


class Unreachable(ClusterError):  # noqa: N818 - a state, not a fault
    """No answer, or not a whole one. Whether a write was carried out is not known."""


class ApiError(ClusterError):
    """
    The API server said no.

    `status` is the HTTP status, `reason` the machine-readable word of the Status object, empty when there is none.
    `retry_after` are the seconds after which the server wants to be asked again, None when it did not say.
    """

    def __init__(self, message: str, *, status: int, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFound(ApiError):  # noqa: N818 - the word of the API: 404 NotFound
    """There is no such object, or no such kind."""


class Expired(ApiError):  # noqa: N818 - the word of the API: 410 Expired
    """The resource version or the continue token is too old: list again."""


class ApiConflict(ApiError, Conflict):  # noqa: N818 - the word of the API: 409 Conflict
    """The object is not what the write was decided on (reason Conflict), or exists already (AlreadyExists)."""


_ERRORS: dict[int, type[ApiError]] = {404: NotFound, 409: ApiConflict, 410: Expired}


def api_error(asked: str, status: int, body: bytes, *, retry_after: float | None = None) -> ApiError:
    """
    The error that an answer stands for.

    Args:
        asked: Method, path and server, as they may be shown to anybody.
        status: The HTTP status, or the code inside an ERROR event.
        body: A Status object, or whatever something between us and the server has written.
        retry_after: What the header of that name says, in seconds.
    """
    answer = _status_in(body)
    if answer is None:
        answer = wire.Status(message=body[: 2 * _LONGEST_MESSAGE].decode(errors="replace"))
    if retry_after is None and answer.details and answer.details.retry_after_seconds:
        retry_after = float(answer.details.retry_after_seconds)
    what = f"{status} {answer.reason or ''}".rstrip()
    message = ": ".join(filter(None, (asked, what, one_line(answer.message or ""))))
    return _ERRORS.get(status, ApiError)(message, status=status, reason=answer.reason or "", retry_after=retry_after)


def event_error(asked: str, raw: msgspec.Raw) -> ApiError:
    """The error that an ERROR event of a watch stands for; its HTTP status was 200."""
    answer = _status_in(bytes(raw))
    return api_error(asked, answer.code if answer and answer.code else 500, bytes(raw))


def one_line(text: str) -> str:
    """Somebody else's text as part of a message of ours."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE - 3]}..."


def _status_in(body: bytes) -> wire.Status | None:
    try:
        return _STATUS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_STATUS = msgspec.json.Decoder(wire.Status)
