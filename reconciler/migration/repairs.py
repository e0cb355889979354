"""Values that MetalLB lets pass and that are refused here: written as what they did there, with a warning."""

from collections.abc import Callable
from dataclasses import replace

from reconciler.migration.durations import cut, seconds_of
from reconciler.migration.findings import Findings
from reconciler.migration.nodes import Entry, Item, Mapping, Node, Scalar, Sequence, text_node
from reconciler.model.origin import Origin


def repaired(kind: str, name: str, spec: Mapping, findings: Findings) -> Mapping:
    """The spec of an object as our validation takes it, if that is possible without changing what it does."""
    repair = _REPAIRS.get(kind)
    return repair(name, spec, findings) if repair is not None else spec


def _pool(name: str, spec: Mapping, findings: Findings) -> Mapping:
    node = spec.get("addresses")
    if not isinstance(node, Sequence):
        return spec
    kept: list[Item] = []
    for item in node.items:
        text = item.node.value if isinstance(item.node, Scalar) else None
        if isinstance(text, str) and _is_mixed(text):
            message = f'"{text}" of pool "{name}" is left out: its ends are of two families, so it held no address'
            findings.warning(item.node.origin, "no-effect", message)
        else:
            kept.append(item)
    return with_value(spec, "addresses", Sequence(tuple(kept), node.origin))


def _is_mixed(text: str) -> bool:
    first, dash, last = text.partition("-")
    return bool(dash) and "." in first and ":" not in first and ":" in last and "." not in last


def _bfd_profile(name: str, spec: Mapping, findings: Findings) -> Mapping:
    echo = spec.get("echoMode")
    if isinstance(echo, Scalar) and echo.value is True:
        message = (
            f'echoMode of BFD profile "{name}" is left out: there are no echo packets here, and control packets at the '
            "intervals of the profile notice a dead peer"
        )
        findings.warning(echo.origin, "no-effect", message)
    return without(spec, "echoInterval", "echoMode")


def _peer(name: str, spec: Mapping, findings: Findings) -> Mapping:
    port = spec.get("peerPort")
    if isinstance(port, Scalar) and port.value == 0:
        spec = without(spec, "peerPort")
    spec = without(spec, *(key for key in _EMPTY_MEANS_ABSENT if _is_empty(spec.get(key))))
    spec = _hold_time(name, spec, findings)
    spec = _router_id(name, spec, findings)
    disable_mp = spec.get("disableMP")
    if isinstance(disable_mp, Scalar) and disable_mp.value is True:
        message = (
            f'disableMP of peer "{name}" is left out: it has no effect in MetalLB any more, and here it would take the '
            "multiprotocol capability away"
        )
        findings.warning(disable_mp.origin, "no-effect", message)
    spec = without(spec, "disableMP")
    secret = spec.mapping("passwordSecret")
    if secret.get("namespace") is not None:
        spec = with_value(spec, "passwordSecret", without(secret, "namespace"))
    return spec


_EMPTY_MEANS_ABSENT = (
    "bfdProfile",
    "connectTime",
    "dynamicASN",
    "holdTime",
    "interface",
    "keepaliveTime",
    "password",
    "passwordSecret",
    "peerAddress",
    "routerID",
    "sourceAddress",
    "vrf",
)


def _is_empty(node: Node | None) -> bool:
    match node:
        case Scalar(value=""):
            return True
        case Mapping(entries=entries):
            return all(_is_empty(entry.node) for entry in entries)
        case _:
            return False


def _hold_time(name: str, spec: Mapping, findings: Findings) -> Mapping:
    text = spec.text("holdTime")
    short = cut(text)
    if text and short != text:
        message = f'holdTime of peer "{name}" is {text}: MetalLB takes {short} for it, and so it is written'
        findings.warning(_origin(spec, "holdTime"), "changed-value", message)
        spec = with_value(spec, "holdTime", text_node(short, _origin(spec, "holdTime")))
    if text and seconds_of(short) == 0:
        message = (
            f'holdTime of peer "{name}" is {text}: the session never notices a dead peer. MetalLB makes a 0s of every '
            "time that a BGPPeer v1beta1 leaves out; remove it if nobody meant it"
        )
        findings.warning(_origin(spec, "holdTime"), "no-hold-time", message)
    return spec


def _router_id(name: str, spec: Mapping, findings: Findings) -> Mapping:
    text = spec.text("routerID")
    if ":" not in text and text != "0.0.0.0":  # noqa: S104 - the router id that means none
        return spec
    message = (
        f'routerID of peer "{name}" is left out: {text} does not fit into the four octets of a router id; the address '
        "of the node is used"
    )
    findings.warning(_origin(spec, "routerID"), "no-effect", message)
    return without(spec, "routerID")


def _origin(spec: Mapping, key: str) -> Origin:
    entry = spec.entry(key)
    return entry.node.origin if entry is not None else spec.origin


def without(mapping: Mapping, *keys: str) -> Mapping:
    """The mapping without those keys; their comments go to the next key, or stay behind with the last one."""
    kept: list[Entry] = []
    orphans: tuple[str, ...] = ()
    for entry in mapping.entries:
        if entry.key in keys:
            orphans += entry.remark.above
        else:
            remark = replace(entry.remark, above=(*orphans, *entry.remark.above))
            kept.append(replace(entry, remark=remark))
            orphans = ()
    return replace(mapping, entries=tuple(kept))


def with_value(mapping: Mapping, key: str, node: Node) -> Mapping:
    """The mapping with another value at a key that it has."""
    entries = (replace(entry, node=node) if entry.key == key else entry for entry in mapping.entries)
    return replace(mapping, entries=tuple(entries))


_REPAIRS: dict[str, Callable[[str, Mapping, Findings], Mapping]] = {
    "BFDProfile": _bfd_profile,
    "BGPPeer": _peer,
    "IPAddressPool": _pool,
}
