"""IPAddressPool out of a document."""

from collections.abc import Iterable, Iterator

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import AddressError
from reconciler.config.drafts import Manifest, PoolDraft
from reconciler.config.fields import Text
from reconciler.config.problems import Problems
from reconciler.config.read_lists import check_distinct
from reconciler.config.read_selectors import read_selectors
from reconciler.config.wording import quoted, shortened
from reconciler.model.pools import IPAddressPool, PoolEntry, ServiceScope


def read_pool(manifest: Manifest, problems: Problems) -> PoolDraft:
    """A pool of the entries that could be read; the others are reported. Its name is as written, even if illegal."""
    spec, name = manifest.spec, manifest.name or _name_as_written(manifest)
    if spec.is_empty_list("addresses"):
        message = f'pool has no prefixes defined: "addresses" of pool "{name}" is empty'
        problems.error(spec.origin_of("addresses"), "no-addresses", message)
    pool = IPAddressPool(
        name=name,
        entries=tuple(_read_entries(name, spec.texts("addresses"), problems)),
        auto_assign=spec.flag("autoAssign", default=True),
        avoid_buggy_ips=spec.flag("avoidBuggyIPs"),
        scope=_read_scope(manifest, problems),
        labels=manifest.labels,
        origin=manifest.origin,
    )
    return PoolDraft(manifest, pool)


def _name_as_written(manifest: Manifest) -> str:
    """What other findings call a pool whose name is reported as illegal; no configuration with one is used."""
    name = manifest.metadata.text("name")
    return shortened(name.value) if name is not None else ""


def _read_entries(pool: str, entries: Iterable[Text], problems: Problems) -> Iterator[PoolEntry]:
    for entry in entries:
        try:
            addresses = AddressRange.parse(entry.value)
        except AddressError as exc:
            why = shortened(exc) if entry.value else "it is empty"
            message = f'invalid CIDR {quoted(entry.value)} in pool "{pool}": {why}'
            problems.error(entry.origin, "invalid-cidr", message)
            continue
        yield PoolEntry(entry.value, addresses, entry.origin)


def _read_scope(manifest: Manifest, problems: Problems) -> ServiceScope | None:
    if not manifest.spec.has("serviceAllocation"):
        return None
    field = manifest.spec.child("serviceAllocation")
    check_distinct(field.texts("namespaces"), "in namespaces field", problems)
    return ServiceScope(
        priority=field.number("priority") or 0,
        namespaces=tuple(sorted({namespace.value for namespace in field.texts("namespaces")})),
        namespace_selectors=read_selectors(field, "namespaceSelectors", problems),
        service_selectors=read_selectors(field, "serviceSelectors", problems),
        origin=field.origin,
    )
