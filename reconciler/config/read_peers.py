"""BGPPeer and BFDProfile out of documents."""

from reconciler.addresses.family import Address, AddressError, Family, parse_address
from reconciler.config.drafts import BFDProfileDraft, Manifest, PeerDraft
from reconciler.config.fields import Field, Text
from reconciler.config.peer_ends import why_no_device, why_no_password, why_no_peer
from reconciler.config.problems import Problems
from reconciler.config.read_selectors import read_selectors
from reconciler.config.read_timers import read_timers
from reconciler.config.wording import quoted
from reconciler.model.origin import Related
from reconciler.model.peers import BFDProfile, BGPPeer, DynamicASN

_DYNAMIC_ASNS = {choice.value: choice for choice in DynamicASN}
_BGP_PORT = 179  # RFC 4271 section 8.2.1


def read_bfd_profile(manifest: Manifest, problems: Problems) -> BFDProfileDraft:
    """A BFD profile; its ranges are the schema's business."""
    spec = manifest.spec
    if spec.flag("echoMode"):
        message = (
            f'echoMode of BFD profile "{manifest.name}" is not used: sessions run without echo packets, and control '
            "packets at the intervals of the profile notice a dead peer; remove it"
        )
        problems.warning(spec.origin_of("echoMode"), "bfd-echo-unused", message)
    profile = BFDProfile(
        name=manifest.name,
        receive_interval_ms=spec.number("receiveInterval"),
        transmit_interval_ms=spec.number("transmitInterval"),
        detect_multiplier=spec.number("detectMultiplier"),
        echo_interval_ms=spec.number("echoInterval"),
        echo_mode=spec.flag("echoMode"),
        passive_mode=spec.flag("passiveMode"),
        minimum_ttl=spec.number("minimumTtl"),
        origin=manifest.origin,
    )
    return BFDProfileDraft(manifest, profile)


def read_peer(manifest: Manifest, problems: Problems) -> PeerDraft:
    """A peer of either version, without its BFD profile."""
    spec = manifest.spec
    _check_remote_as(manifest, problems)
    _check_remote_end(manifest, problems)
    _check_password(manifest, problems)
    timers = read_timers(manifest, problems)
    peer = BGPPeer(
        name=manifest.name,
        my_asn=spec.number("myASN") or 0,
        peer_asn=spec.number("peerASN") or None,
        dynamic_asn=_dynamic_asn(spec),
        local_asn=spec.number("localASN"),
        peer_address=read_address(spec.text("peerAddress"), "BGPPeer address", problems),
        interface=_value(spec.text("interface")),
        peer_port=spec.number("peerPort") or _BGP_PORT,
        source_address=read_address(spec.text("sourceAddress"), "source IP", problems),
        router_id=_read_router_id(spec.text("routerID"), problems),
        hold_time=timers.hold_time,
        keepalive_time=timers.keepalive_time,
        connect_time=timers.connect_time,
        password=_value(spec.text("password")),
        password_secret=_value(spec.child("passwordSecret").text("name")),
        enable_graceful_restart=spec.flag("enableGracefulRestart"),
        ebgp_multi_hop=spec.flag("ebgpMultiHop"),
        vrf=_value(spec.text("vrf")),
        disable_mp=spec.flag("disableMP"),
        dual_stack_address_family=spec.flag("dualStackAddressFamily"),
        node_selectors=read_selectors(spec, "nodeSelectors", problems),
        origin=manifest.origin,
    )
    _check_families(peer, spec, problems)
    _check_ends(peer, spec, problems)
    _check_disable_mp(peer, spec, problems)
    return PeerDraft(manifest, peer, spec.text("bfdProfile"))


def _value(text: Text | None) -> str | None:
    return None if text is None else text.value


def _dynamic_asn(spec: Field) -> DynamicASN | None:
    text = spec.text("dynamicASN")
    return _DYNAMIC_ASNS.get(text.value) if text is not None else None


def _check_remote_as(manifest: Manifest, problems: Problems) -> None:
    spec = manifest.spec
    my_asn, peer_asn = spec.number("myASN"), spec.number("peerASN")
    unreadable = spec.has("peerASN") and peer_asn is None
    if not peer_asn and not spec.has("dynamicASN") and not unreadable and _may_omit_peer_asn(manifest):
        message = f'missing peer ASN and dynamicASN in peer "{manifest.name}": one of the two is needed'
        problems.error(spec.origin_of("peerASN"), "missing-peer-asn", message)
    if peer_asn and spec.has("dynamicASN"):
        message = f'both peer ASN and dynamicASN specified in peer "{manifest.name}": remove one'
        problems.error(spec.origin_of("dynamicASN"), "conflicting-peer-asn", message)
    if peer_asn and peer_asn == my_asn and spec.flag("ebgpMultiHop"):
        message = (
            f'invalid ebgp-multihop parameter set for an ibgp peer: myASN and peerASN of peer "{manifest.name}" '
            f"are both {peer_asn}; remove ebgpMultiHop"
        )
        problems.error(spec.origin_of("ebgpMultiHop"), "multihop-ibgp", message)


def _may_omit_peer_asn(manifest: Manifest) -> bool:
    # In v1beta1 the schema requires the field and has reported its absence.
    return manifest.version != "v1beta1" or manifest.spec.has("peerASN")


def _check_remote_end(manifest: Manifest, problems: Problems) -> None:
    spec = manifest.spec
    has_address, has_interface = (_is_given(spec, name) for name in ("peerAddress", "interface"))
    if has_address and has_interface:
        message = f'peer has both Address and Interface specified: remove one from peer "{manifest.name}"'
        problems.error(spec.origin_of("interface"), "conflicting-peer-address", message)
    if not has_address and not has_interface and (manifest.version != "v1beta1" or spec.has("peerAddress")):
        message = f'peer has no Address or Interface specified: peer "{manifest.name}" needs one'
        problems.error(spec.origin_of("peerAddress", "interface"), "missing-peer-address", message)


def _is_given(spec: Field, name: str) -> bool:
    """Whether something stands there, an unreadable value included; an empty string is nothing."""
    return spec.has(name) and not spec.is_empty_text(name)


def _check_password(manifest: Manifest, problems: Problems) -> None:
    spec = manifest.spec
    password, secret = spec.text("password"), spec.child("passwordSecret").text("name")
    if password is not None and secret is not None:
        name = f'"{manifest.namespace}"/"{manifest.name}"' if manifest.namespace else f'"{manifest.name}"'
        message = f"can not have both password and secret ref set in peer config {name}: keep passwordSecret"
        note = Related(secret.origin, "the Secret is named here")
        problems.error(password.origin, "conflicting-password", message, note)


def _check_families(peer: BGPPeer, spec: Field, problems: Problems) -> None:
    remote, local = peer.peer_address, peer.source_address
    if remote is not None and local is not None and remote.family is not local.family:
        message = f"sourceAddress {local} is {local.family} but peerAddress {remote} is {remote.family}: never connects"
        problems.warning(spec.origin_of("sourceAddress"), "source-address-family", message)


def _check_ends(peer: BGPPeer, spec: Field, problems: Problems) -> None:
    """Warn of what no session could ever have. MetalLB takes it, and each node says so much later."""
    remote, local = peer.peer_address, peer.source_address
    why = None if remote is None else why_no_peer(remote)
    if why is None and remote is not None and remote == local:
        why = "is its sourceAddress too, and a session needs two ends"
    if why is not None:
        message = f'peerAddress {remote} of peer "{peer.name}" {why}: never connects'
        problems.warning(spec.origin_of("peerAddress"), "unusable-peer-address", message)
    for field, name in (("interface", peer.interface), ("vrf", peer.vrf)):
        if name is not None and (why := why_no_device(name)) is not None:
            message = f'{field} {quoted(name)} of peer "{peer.name}" {why}: never connects'
            problems.warning(spec.origin_of(field), "unusable-device-name", message)
    if peer.password is not None and (why := why_no_password(peer.password)) is not None:
        problems.warning(
            spec.origin_of("password"), "password-too-long", f'password of peer "{peer.name}" {why}: never connects'
        )


def _check_disable_mp(peer: BGPPeer, spec: Field, problems: Problems) -> None:
    if not peer.disable_mp:
        return
    is_ipv4 = peer.peer_address is not None and peer.peer_address.family is Family.IPV4
    if is_ipv4 and not peer.dual_stack_address_family:
        why = "offers no multiprotocol capability, which only a router that does not know it needs; remove it otherwise"
    else:
        why = "has no effect, because IPv6 routes need the multiprotocol capability (RFC 4760); remove it"
    problems.warning(spec.origin_of("disableMP"), "deprecated-field", f'disableMP of peer "{peer.name}" {why}')


def read_address(text: Text | None, what: str, problems: Problems) -> Address | None:
    """The address, None where there is none or it is no address, which is reported as an invalid `what`."""
    if text is None:
        return None
    try:
        return parse_address(text.value)
    except AddressError:
        message = (
            f"invalid {what} {quoted(text.value)}: write an IPv4 or IPv6 address, without prefix length, port or zone"
        )
        problems.error(text.origin, "invalid-address", message)
        return None


def _read_router_id(text: Text | None, problems: Problems) -> Address | None:
    if text is None:
        return None
    try:
        address = parse_address(text.value)
    except AddressError:
        address = None
    # RFC 6286 section 2.1: four octets, not zero. An IPv6 address would not fit into the OPEN message.
    if address is None or address.family is not Family.IPV4 or ":" in text.value or not address.value:
        message = f"invalid router ID {quoted(text.value)}: write an IPv4 address other than 0.0.0.0"
        problems.error(text.origin, "invalid-router-id", message)
        return None
    return address
