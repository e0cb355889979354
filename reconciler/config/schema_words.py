"""What a schema turned down, in words for people, with the fragments that MetalLB's messages are known by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.config.fields import Pointer
from reconciler.config.wording import did_you_mean, listed, quoted

_MILLISECONDS = "must be in {low}-{high} range"
# By the name of the field. MetalLB's own words, which people search for and scripts match on.
_RANGES = {
    "myASN": "missing local ASN: myASN must be from {low} to {high}, found {value}",
    "aggregationLength": "invalid aggregation length {value} for IPv4: must be from {low} to {high}",
    "aggregationLengthV6": "invalid aggregation length {value} for IPv6: must be from {low} to {high}",
    "receiveInterval": "invalid receive interval value: invalid value {value}, " + _MILLISECONDS,
    "transmitInterval": "invalid transmit interval value: invalid value {value}, " + _MILLISECONDS,
    "detectMultiplier": "invalid detect multiplier value: invalid value {value}, " + _MILLISECONDS,
    "echoInterval": "invalid echo interval value: invalid value {value}, " + _MILLISECONDS,
    "minimumTtl": "invalid minimum ttl value: invalid value {value}, " + _MILLISECONDS,
}
_CHOICES = {
    "operator": ("invalid-selector", "{value} is not a valid label selector operator: write {allowed}"),
    "dynamicASN": ("not-allowed", "invalid dynamicASN {value}: write {allowed}"),
}
_MISSING = {"myASN": "missing local ASN", "addresses": "no addresses are given"}
_TYPE_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "object": "a mapping",
    "string": "a string",
}
_SECRETS = frozenset({"password"})  # never quoted: problems end up in logs
_DURATIONS = frozenset(
    {
        "holdTime",
        "keepaliveTime",
        "connectTime",
        "probeInterval",
        "probeTimeout",
        "joinTimeout",
        "revisionWait",
        "interval",
        "gratuitousInterval",
        "gratuitousDuration",
        "refreshInterval",
        "probeTime",
        "restartGrace",
        "wait",
        "waitWithdrawn",
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a schema was not met: a pointer from the top of the document, what stands there, and in what object."""

    pointer: Pointer
    value: object
    subject: str

    @property
    def field(self) -> str:
        """The name of the field, or of the list it is an entry of."""
        return next((part for part in reversed(self.pointer) if isinstance(part, str)), "")

    def __str__(self) -> str:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.pointer)
        return f"{path[1:]} of {self.subject}" if path else self.subject


@dataclass(frozen=True, slots=True)
class Wording:
    """A finding. `key` names the field under the place whose name is meant, None for the value at the place."""

    code: str
    message: str
    key: str | None = None


def reword(place: Place, keyword: str, wanted: Any, schema: Mapping[str, Any]) -> Iterator[Wording]:
    """
    The problems behind one unmet keyword of a schema.

    Nothing comes of those that a reader words better: names, durations and digests.
    """
    match keyword:
        case "additionalProperties":
            yield from _unknown_fields(place, schema)
        case "required":
            yield from _missing_fields(place, wanted)
        case "type":
            yield _wrong_type(place, wanted)
        case "enum" | "const":
            yield _not_allowed(place, [wanted] if keyword == "const" else wanted)
        case "minimum" | "maximum":
            yield _out_of_range(place, schema)
        case "pattern":
            return
        case _:
            raise ValueError(f"no words for {keyword}")


def _unknown_fields(place: Place, schema: Mapping[str, Any]) -> Iterator[Wording]:
    known = schema.get("properties", {})
    for name in place.value if isinstance(place.value, dict) else ():
        if name not in known:
            hint = did_you_mean(str(name), known) or f": known are {listed(sorted(known))}"
            yield Wording("unknown-field", f"unknown field {quoted(name)} in {place}{hint}", key=name)


def _missing_fields(place: Place, required: list[str]) -> Iterator[Wording]:
    for name in required:
        if (isinstance(place.value, dict) and name in place.value) or name in {"metadata", "name"}:
            continue
        why = f": {_MISSING[name]}" if name in _MISSING else ""
        yield Wording("missing-field", f"missing field {quoted(name)} in {place}{why}")


def _wrong_type(place: Place, wanted: str | list[str]) -> Wording:
    names = [name for name in ([wanted] if isinstance(wanted, str) else wanted) if name != "null"]
    expected = listed((_TYPE_NAMES[name] for name in names), last="or")
    if place.field in _SECRETS:
        return Wording("wrong-type", f"{place} must be {expected}: write it in quotes")
    found = _found(place.value)
    return Wording("wrong-type", f"{place} must be {expected}, found {found}{_type_hint(place, names)}")


def _found(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {quoted(value)[1:-1]}"
        case str():
            return f"the string {quoted(value)}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _type_hint(place: Place, names: list[str]) -> str:
    value, is_number = place.value, isinstance(place.value, int | float) and not isinstance(place.value, bool)
    if place.field in _DURATIONS and is_number:
        return f': a duration needs a unit, write "{value}s" for seconds'
    if names == ["string"] and (is_number or isinstance(value, bool)):
        return f': write it in quotes, "{str(value).lower()}"'
    if names == ["array"] and isinstance(value, str):
        return f": write [{quoted(value)}]"
    if isinstance(value, str) and (
        (names == ["boolean"] and value in {"true", "false"})
        or (names == ["integer"] and value.isascii() and value.isdecimal())
    ):
        return ": remove the quotes"
    return ""


def _not_allowed(place: Place, allowed: list[str]) -> Wording:
    code, form = _CHOICES.get(place.field, ("not-allowed", "{place} is {value}: write {allowed}"))
    words = listed(allowed, last="or")
    return Wording(code, form.format(place=place, value=quoted(place.value), allowed=words))


def _out_of_range(place: Place, schema: Mapping[str, Any]) -> Wording:
    form = _RANGES.get(place.field, "{place} is {value}: must be from {low} to {high}")
    value = quoted(place.value)[1:-1]
    message = form.format(place=place, value=value, low=schema["minimum"], high=schema["maximum"])
    return Wording("out-of-range", message if form.startswith("{place}") else f"{message} (in {place.subject})")
