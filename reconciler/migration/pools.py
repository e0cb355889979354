"""Pools that say themselves how they are announced, as the legacy text and the kind AddressPool have them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reconciler.migration.fields import Keys, converted
from reconciler.migration.findings import Findings
from reconciler.migration.manifests import Manifest, new_manifest
from reconciler.migration.names import Names
from reconciler.migration.nodes import SILENT, Entry, Item, Mapping, Remark, Scalar, texts
from reconciler.migration.repairs import repaired
from reconciler.model.origin import Origin


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a source calls the fields of a pool and of its advertisements, and what they are called here."""

    pool: Keys
    advertisement: Keys
    advertisements: str


def convert_pool(
    name: str, pool: Mapping, remark: Remark, *, dialect: Dialect, names: Names, findings: Findings
) -> Iterator[Manifest]:
    """The pool under that name, which is legal, and the advertisements that it implies."""
    protocol = pool.text("protocol")
    listed = _advertisements(pool, dialect)
    spec = converted(pool, dialect.pool, f'pool "{name}"', findings)
    spec = repaired("IPAddressPool", name, spec, findings)
    yield new_manifest("IPAddressPool", name, spec, pool.origin, above=_over(pool, remark))
    if protocol == "layer2":
        yield _layer2(name, pool.origin, names)
    elif protocol != "bgp":
        _refuse_protocol(name, pool, protocol, findings)
    if listed and protocol == "layer2":
        message = f'pool "{name}" has protocol layer2 and BGP advertisements: it is announced both ways here'
        findings.warning(pool.origin, "both-protocols", message)
    for item in listed or ((Item(Mapping((), pool.origin)),) if protocol == "bgp" else ()):
        yield _bgp(name, item, dialect, names, findings)


def _advertisements(pool: Mapping, dialect: Dialect) -> tuple[Item, ...]:
    """Those that are listed, the comments over the list above the first of them."""
    entry, items = pool.entry(dialect.advertisements), pool.items(dialect.advertisements)
    if entry is None or not items:
        return items
    return (replace(items[0], remark=items[0].remark.below(entry.remark)), *items[1:])


def _over(pool: Mapping, remark: Remark) -> tuple[str, ...]:
    """What is said of the pool as a whole, beside its name for example."""
    entries = (pool.entry(key) for key in ("name", "protocol"))
    remarks = (remark, *(entry.remark for entry in entries if entry is not None))
    return tuple(line for found in remarks for line in SILENT.below(found).above)


def _refuse_protocol(name: str, pool: Mapping, protocol: str, findings: Findings) -> None:
    entry = pool.entry("protocol")
    origin = pool.origin if entry is None else entry.node.origin
    what = f'protocol "{protocol}"' if protocol else "no protocol"
    message = (
        f'pool "{name}" has {what}, so nothing says how to announce it: write an L2Advertisement or a '
        "BGPAdvertisement for it (protocol is layer2 or bgp)"
    )
    findings.error(origin, "unknown-protocol", message)


def _layer2(pool: str, origin: Origin, names: Names) -> Manifest:
    name = names.make("L2Advertisement", pool)
    return new_manifest("L2Advertisement", name, _selecting(pool, origin), origin)


def _bgp(pool: str, item: Item, dialect: Dialect, names: Names, findings: Findings) -> Manifest:
    name = names.make("BGPAdvertisement", pool)
    node = item.node if isinstance(item.node, Mapping) else Mapping((), item.node.origin)
    if node is not item.node and not (isinstance(item.node, Scalar) and item.node.value is None):
        findings.error(item.node.origin, "unreadable", f'an advertisement of pool "{pool}" is no mapping: left out')
    fields = converted(node, dialect.advertisement, f'an advertisement of pool "{pool}"', findings)
    spec = replace(fields, entries=(*_selecting(pool, node.origin).entries, *fields.entries))
    return new_manifest("BGPAdvertisement", name, spec, node.origin, above=SILENT.below(item.remark).above)


def _selecting(pool: str, origin: Origin) -> Mapping:
    return Mapping((Entry("ipAddressPools", texts((pool,), origin), origin=origin),), origin)
