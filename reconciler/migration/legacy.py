"""
The text of MetalLB's configuration before it had kinds of its own (up to 0.12): one ConfigMap, key `config`.

One object for each peer, pool, profile; what a pool says of its announcement becomes an advertisement of that pool.
"""

from collections.abc import Iterator
from dataclasses import replace

from reconciler.migration.durations import cut
from reconciler.migration.fields import (
    Known,
    as_is,
    converted,
    distinct,
    distinct_texts,
    label_texts,
    list_of,
    text,
    texts,
)
from reconciler.migration.findings import Findings
from reconciler.migration.manifests import Manifest, new_manifest
from reconciler.migration.names import Names, is_legal, legal
from reconciler.migration.nodes import SILENT, Entry, Item, Mapping, Node, Remark, Scalar, Sequence, text_node
from reconciler.migration.pools import Dialect, convert_pool
from reconciler.migration.repairs import repaired

_POOLS, _PEERS, _COMMUNITIES, _PROFILES = "address-pools", "peers", "bgp-communities", "bfd-profiles"
SECTIONS = frozenset({_POOLS, _PEERS, _COMMUNITIES, _PROFILES})
_HOLD_TIME = "90s"  # what MetalLB up to 0.12 took where none was given

_DIALECT = Dialect(
    pool={
        "name": None,
        "protocol": None,
        "bgp-advertisements": None,
        "addresses": Known("addresses", texts),
        "auto-assign": Known("autoAssign", as_is),
        "avoid-buggy-ips": Known("avoidBuggyIPs", as_is),
    },
    advertisement={
        "aggregation-length": Known("aggregationLength", as_is),
        "aggregation-length-v6": Known("aggregationLengthV6", as_is),
        "localpref": Known("localPref", as_is),
        "communities": Known("communities", distinct_texts),
    },
    advertisements="bgp-advertisements",
)
_PROFILE = {
    "name": None,
    "receive-interval": Known("receiveInterval", as_is),
    "transmit-interval": Known("transmitInterval", as_is),
    "detect-multiplier": Known("detectMultiplier", as_is),
    "echo-interval": Known("echoInterval", as_is),
    "echo-mode": Known("echoMode", as_is),
    "passive-mode": Known("passiveMode", as_is),
    "minimum-ttl": Known("minimumTtl", as_is),
}
_EXPRESSION = {
    "key": Known("key", text),
    "operator": Known("operator", text),
    "values": Known("values", distinct_texts),
}


def _whole_seconds(node: Node, what: str, findings: Findings) -> Node:
    """A duration without its fraction, as MetalLB's own converter wrote it."""
    found = text(node, what, findings)
    if isinstance(found, Scalar) and isinstance(found.value, str) and (short := cut(found.value)) != found.value:
        message = f"{what} is {found.value}: MetalLB takes {short} for it, and so it is written"
        findings.warning(found.origin, "changed-value", message)
        return replace(found, value=short)
    return found


_PEER = {
    "my-asn": Known("myASN", as_is),
    "peer-asn": Known("peerASN", as_is),
    "peer-address": Known("peerAddress", text),
    "source-address": Known("sourceAddress", text),
    "peer-port": Known("peerPort", as_is),
    "hold-time": Known("holdTime", _whole_seconds),
    "keepalive-time": Known("keepaliveTime", _whole_seconds),
    "router-id": Known("routerID", text),
    "node-selectors": Known(
        "nodeSelectors",
        list_of(
            {
                "match-labels": Known("matchLabels", label_texts),
                "match-expressions": Known("matchExpressions", list_of(_EXPRESSION)),
            }
        ),
    ),
    "password": Known("password", text),
    "bfd-profile": Known("bfdProfile", text),
    "ebgp-multihop": Known("ebgpMultiHop", as_is),
}


def is_legacy(root: Mapping) -> bool:
    """Whether a document is such a text: it has one of its sections, and no kind."""
    return not root.text("kind") and any(entry.key in SECTIONS for entry in root.entries)


def convert_legacy(root: Mapping, names: Names, findings: Findings) -> Iterator[Manifest]:
    """Every object that the text stands for; what it has no object for is said."""
    for entry in root.entries:
        if entry.key == "peer-autodiscovery":
            message = (
                "peer-autodiscovery is not carried over: it takes peers from labels and annotations of nodes. Write a "
                "BGPPeer for each router, with nodeSelectors"
            )
            findings.error(entry.origin, "not-carried-over", message)
        elif entry.key not in SECTIONS and not _is_template(entry):
            findings.warning(entry.origin, "unknown-field", f'"{entry.key}" is left out: MetalLB does not know it')
    yield from _pools(root, names, findings)
    profiles = _given_names(root, _PROFILES, "BFDProfile", names, findings)
    yield from _profiles(root, profiles, findings)
    yield from _peers(root, dict(profiles.values()), names, findings)
    yield from _communities(root, names, findings)


def _is_template(entry: Entry) -> bool:
    """A key that only holds what the others repeat by alias is customarily named like this."""
    return entry.key.startswith(("x-", "."))


def _objects(root: Mapping, section: str, findings: Findings) -> Iterator[tuple[int, Mapping, Remark]]:
    """The mappings of a section, each with its position and the comments over it."""
    entry = root.entry(section)
    if entry is None:
        return
    if not isinstance(entry.node, Sequence):
        findings.error(entry.node.origin, "unreadable", f"{section} is no list: left out")
        return
    over = SILENT.below(entry.remark)
    for position, item in enumerate(entry.node.items):
        if isinstance(item.node, Mapping):
            yield position, item.node, item.remark.below(over)
            over = SILENT
        else:
            findings.error(item.node.origin, "unreadable", f"entry {position + 1} of {section} is no mapping: left out")


def _given_names(
    root: Mapping, section: str, kind: str, names: Names, findings: Findings
) -> dict[int, tuple[str, str]]:
    """For each object of a section, by position, the name that it has and the one that it gets."""
    mappings = [(position, mapping) for position, mapping, _ in _objects(root, section, Findings())]
    for _, mapping in mappings:
        if is_legal(_name(mapping)):
            names.reserve(kind, _name(mapping))
    found: dict[int, tuple[str, str]] = {}
    for position, mapping in mappings:
        name = _name(mapping)
        if is_legal(name):
            found[position] = name, name
            continue
        earlier = next((new for old, new in found.values() if old == name and name), None)
        new = earlier or names.make(kind, name or section.removesuffix("s"))
        found[position] = name, new
        _warn_renamed(mapping, kind, name, new, findings)
    return found


def _name(mapping: Mapping) -> str:
    node = mapping.get("name")
    return node.text if isinstance(node, Scalar) else ""


def _warn_renamed(mapping: Mapping, kind: str, old: str, new: str, findings: Findings) -> None:
    entry = mapping.entry("name")
    origin = mapping.origin if entry is None else entry.node.origin
    asked = "; Services that ask for it (annotation address-pool) have to ask for the new name"
    reason = f'"{old}" is no legal name of an object' if old else f"this {kind} has no name"
    message = f'{reason}: it is called "{new}" now{asked if kind == "IPAddressPool" and old else ""}'
    findings.warning(origin, "changed-name", message)


def _pools(root: Mapping, names: Names, findings: Findings) -> Iterator[Manifest]:
    given = _given_names(root, _POOLS, "IPAddressPool", names, findings)
    for position, mapping, remark in _objects(root, _POOLS, findings):
        name = given[position][1]
        yield from convert_pool(name, mapping, remark, dialect=_DIALECT, names=names, findings=findings)


def _profiles(root: Mapping, given: dict[int, tuple[str, str]], findings: Findings) -> Iterator[Manifest]:
    for position, mapping, remark in _objects(root, _PROFILES, findings):
        name = given[position][1]
        spec = converted(mapping, _PROFILE, f'BFD profile "{name}"', findings)
        spec = repaired("BFDProfile", name, spec, findings)
        entry = mapping.entry("name")
        over = SILENT.below(remark).above + (SILENT.below(entry.remark).above if entry is not None else ())
        yield new_manifest("BFDProfile", name, spec, mapping.origin, above=over)


def _peers(root: Mapping, profiles: dict[str, str], names: Names, findings: Findings) -> Iterator[Manifest]:
    for position, mapping, remark in _objects(root, _PEERS, findings):
        address = mapping.get("peer-address")
        wanted = legal(address.text.replace(".", "-")) if isinstance(address, Scalar) else ""
        name = names.make("BGPPeer", f"peer-{wanted or position + 1}")
        spec = converted(mapping, _PEER, f'peer "{name}"', findings)
        if spec.get("holdTime") is None:
            node = text_node(_HOLD_TIME, mapping.origin)
            spec = replace(spec, entries=(*spec.entries, Entry("holdTime", node, origin=mapping.origin)))
        entries = (
            replace(entry, node=replace(entry.node, value=profiles.get(entry.node.text, entry.node.value)))
            if entry.key == "bfdProfile" and isinstance(entry.node, Scalar)
            else entry
            for entry in spec.entries
        )
        spec = repaired("BGPPeer", name, replace(spec, entries=tuple(entries)), findings)
        yield new_manifest("BGPPeer", name, spec, mapping.origin, above=SILENT.below(remark).above)


def _communities(root: Mapping, names: Names, findings: Findings) -> Iterator[Manifest]:
    entry = root.entry(_COMMUNITIES)
    if entry is None:
        return
    if not isinstance(entry.node, Mapping):
        findings.error(entry.node.origin, "unreadable", f"{_COMMUNITIES} is no mapping: left out")
        return
    if not entry.node.entries:
        return
    items = tuple(_alias(found, findings) for found in entry.node.entries)
    listed = distinct(Sequence(items, entry.node.origin), _COMMUNITIES, findings)
    spec = Mapping((Entry("communities", listed, origin=entry.origin),), entry.origin)
    name = names.make("Community", "communities")
    yield new_manifest("Community", name, spec, entry.origin, above=SILENT.below(entry.remark).above)


def _alias(entry: Entry, findings: Findings) -> Item:
    value = text(entry.node, _COMMUNITIES, findings)
    name = Entry("name", text_node(entry.key, entry.origin), origin=entry.origin)
    beside = Remark((), entry.remark.beside)
    alias = Mapping((name, Entry("value", value, beside, entry.node.origin)), entry.origin)
    return Item(alias, Remark(entry.remark.above))
