"""
What is said of an object, as core/v1 Events. No I/O, no clock.

The classic form with `count` and `lastTimestamp`: `kubectl describe`, `kubectl events` and `kubectl get events` all
show it, and one who repeats himself needs no more than a patch. `kubectl describe` finds Events by the uid of the
object, so one without it is shown by the other two only.
"""

import msgspec

# Kubernetes API, core/v1 Event: messages longer than this are refused in the newer form of the same object.
_MESSAGE_OCTETS = 1024
# RFC 1123 subdomain, the longest name of any object.
_NAME_LENGTH = 253


class Subject(msgspec.Struct, frozen=True, gc=False):
    """What an Event is about, the `involvedObject`; `uid` is empty where it is not known."""

    kind: str
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Statement(msgspec.Struct, frozen=True, gc=False):
    """What is said about a subject; `type` is Normal or Warning. Equal ones are one Event that is counted up."""

    subject: Subject
    type: str
    reason: str
    message: str


class Speaker(msgspec.Struct, frozen=True, gc=False):
    """Who says it: the component, which instance of it, and the node where that matters."""

    component: str
    instance: str
    host: str = ""


def event_name(statement: Statement, serial: int) -> str:
    """A name that no other Event has, as long as nobody uses a serial twice: that of the subject, and the serial."""
    suffix = f".{serial:x}"
    return statement.subject.name[: _NAME_LENGTH - len(suffix)].rstrip(".-") + suffix


def new_event(statement: Statement, speaker: Speaker, *, name: str, count: int, first: str, last: str) -> bytes:
    """The body that creates an Event; the times are RFC 3339 text."""
    subject = statement.subject
    about = {"apiVersion": "v1", "kind": subject.kind, "namespace": subject.namespace, "name": subject.name}
    source = {"component": speaker.component}
    if speaker.host:
        source["host"] = speaker.host
    return msgspec.json.encode(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": subject.namespace},
            "involvedObject": {**about, "uid": subject.uid} if subject.uid else about,
            "type": statement.type,
            "reason": statement.reason,
            "message": shortened(statement.message),
            "count": count,
            "firstTimestamp": first,
            "lastTimestamp": last,
            "source": source,
            "reportingComponent": speaker.component,
            "reportingInstance": speaker.instance,
        }
    )


def repeated_event(*, count: int, last: str) -> bytes:
    """The merge patch that counts an Event up: how often it was said in all, and when last."""
    return msgspec.json.encode({"count": count, "lastTimestamp": last})


def shortened(message: str) -> str:
    """A message that fits into an Event; what is cut off is told by three dots."""
    octets = message.encode()
    if len(octets) <= _MESSAGE_OCTETS:
        return message
    return octets[: _MESSAGE_OCTETS - 3].decode(errors="ignore") + "..."
