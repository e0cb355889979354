"""`spec.bgp` of ReconcilerSettings: listening, taking leave, and what MetalLB's BGPPeer has no field for."""

from collections.abc import Iterator

from reconciler.addresses.family import Address
from reconciler.config.drafts import Manifest
from reconciler.config.fields import Field, Text
from reconciler.config.problems import Problems
from reconciler.config.read_durations import Section, Span
from reconciler.config.read_lists import check_distinct
from reconciler.config.read_peers import read_address
from reconciler.config.wording import quoted
from reconciler.model.origin import Related
from reconciler.model.settings import (
    BGPDrainSettings,
    BGPListenSettings,
    BGPPeerSettings,
    BGPSettings,
    MembershipSettings,
)

# A farewell has to end before Kubernetes loses patience, terminationGracePeriodSeconds.
_FAREWELL = Span("0s", "1m")


def read_bgp(manifest: Manifest, problems: Problems) -> BGPSettings:
    """`spec.bgp`."""
    return BGPSettings(
        listen=_read_listen(manifest, problems),
        drain=_read_drain(manifest, problems),
        peers=_read_peers(manifest, problems),
    )


def peer_names(manifest: Manifest) -> Iterator[Text]:
    """The BGPPeers that settings are written for."""
    found = (entry.text("name") for entry in _entries(manifest))
    return (text for text in found if text is not None)


def check_listening(manifest: Manifest, bgp: BGPSettings, membership: MembershipSettings, problems: Problems) -> None:
    """Report peers that are waited for while nobody listens, and a port that membership has."""
    section = Section(manifest, "bgp.listen")
    if not bgp.listen.enabled:
        for entry in _entries(manifest):
            if entry.flag("passive"):
                _report_unreachable(section, entry, problems)
    elif bgp.listen.port == membership.port:
        where = section.field.origin_of("port", "enabled")
        other = Section(manifest, "membership").field
        related = (Related(other.origin_of("port"), "the port of membership"),) if other.has("port") else ()
        message = f"{section.path('port')} is {bgp.listen.port}, and so is that of membership: write another one"
        problems.error(where, "conflicting-settings", message, *related)


def _report_unreachable(section: Section, entry: Field, problems: Problems) -> None:
    name = entry.text("name")
    peer = f"peer {quoted(name.value)}" if name else "this peer"
    message = (
        f"{peer} is passive while {section.path('enabled')} is false: it waits for a connection that nobody could "
        "ever open; set it, or remove passive"
    )
    related = (Related(section.field.origin_of("enabled"), "listening is off"),) if section.field.has("enabled") else ()
    problems.error(entry.origin_of("passive"), "conflicting-settings", message, *related)


def _entries(manifest: Manifest) -> Iterator[Field]:
    return Section(manifest, "bgp").field.children("peers")


def _read_listen(manifest: Manifest, problems: Problems) -> BGPListenSettings:
    section, default = Section(manifest, "bgp.listen"), BGPListenSettings()
    return BGPListenSettings(
        enabled=section.field.flag("enabled", default=default.enabled),
        port=section.number("port", default.port),
        addresses=_read_addresses(section.field, problems),
    )


def _read_addresses(field: Field, problems: Problems) -> tuple[Address, ...]:
    texts = field.texts("addresses")
    check_distinct(texts, "in bgp.listen.addresses", problems)
    found = {read_address(text, "listen address", problems) for text in texts}
    return tuple(sorted(address for address in found if address is not None))


def _read_drain(manifest: Manifest, problems: Problems) -> BGPDrainSettings:
    section, default = Section(manifest, "bgp.drain"), BGPDrainSettings()
    return BGPDrainSettings(
        graceful_shutdown=section.field.flag("gracefulShutdown", default=default.graceful_shutdown),
        wait=section.seconds("wait", default.wait, _FAREWELL, problems),
        wait_withdrawn=section.seconds("waitWithdrawn", default.wait_withdrawn, _FAREWELL, problems),
    )


def _read_peers(manifest: Manifest, problems: Problems) -> tuple[BGPPeerSettings, ...]:
    check_distinct(peer_names(manifest), "in bgp.peers", problems)
    found: dict[str, BGPPeerSettings] = {}
    for entry in _entries(manifest):
        name = entry.text("name")
        if name is not None:
            found.setdefault(name.value, _read_peer(name, entry))
        elif entry.is_empty_text("name") or not entry.has("name"):
            # The schema leaves names to readers.
            message = 'missing field "name" in an entry of bgp.peers: write that of a BGPPeer'
            problems.error(entry.origin_of("name"), "missing-field", message)
    return tuple(found[name] for name in sorted(found))


def _read_peer(name: Text, entry: Field) -> BGPPeerSettings:
    return BGPPeerSettings(
        name=name.value,
        gtsm_hops=entry.number("gtsmHops"),
        maximum_prefixes=entry.number("maximumPrefixes"),
        passive=entry.flag("passive"),
        origin=name.origin,
    )
