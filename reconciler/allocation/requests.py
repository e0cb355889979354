"""Service → what it asks for: families, addresses, pool and terms of sharing; or why that cannot be read."""

from functools import cache

import msgspec

from reconciler.addresses.family import Address, AddressError, Family, family_of, parse_address
from reconciler.allocation.reasons import Reason
from reconciler.allocation.sharing import Sharing, sharing_of
from reconciler.model.observed import FamilyPolicy, Service

Families = tuple[Family, ...]  # ascending, each at most once

_DUAL: Families = (Family.IPV4, Family.IPV6)
_SINGLE: dict[Family, Families] = {family: (family,) for family in Family}
_ANY: tuple[Families, ...] = (*_SINGLE.values(), _DUAL)


class Fault(msgspec.Struct, frozen=True, gc=False):
    """
    What in the Service itself keeps it from being served.

    `event` is the reason word of the Event while nothing is held, `event_while_held` while an address is, and its text
    then begins with `prefix_while_held`; both are empty where MetalLB is silent. With `clears` a held address is lost,
    otherwise it stays.
    """

    reason: Reason
    message: str
    advice: str
    event: str = "AllocationFailed"
    event_while_held: str = "AllocationFailed"
    prefix_while_held: str = ""
    clears: bool = False


class Request(msgspec.Struct, frozen=True, gc=False):
    """
    What a Service asks for.

    `families` are those of its cluster IPs. `alternatives` are the sets of families it is content with, best first;
    none when the cluster IPs are unreadable. `addresses` keep the order in which they were requested; `pool` is empty
    when any will do; `sharing` is None for a Service that shares with nobody.
    """

    families: Families = ()
    alternatives: tuple[Families, ...] = ()
    addresses: tuple[Address, ...] = ()
    pool: str = ""
    sharing: Sharing | None = None
    fault: Fault | None = None

    def is_content_with(self, addresses: tuple[Address, ...]) -> bool:
        """Whether these addresses are of families it asks for; any that one Service can have while that is unknown."""
        if len(addresses) == 1:
            families = _SINGLE[addresses[0].family]
        else:
            families = tuple(sorted(address.family for address in addresses))
        return families in (self.alternatives or _ANY)

    @property
    def may_grow(self) -> bool:
        """Whether one address is enough for now and a second of the other family is welcome (PreferDualStack)."""
        return len(self.alternatives) > 1 and not self.addresses


class Asking(msgspec.Struct, frozen=True, gc=False):
    """A Service with its request, and its place among those that were sorted out with it, in order of their keys."""

    service: Service
    request: Request
    place: int


def request_of(service: Service) -> Request:
    """Read the request; what is wrong with it is in `fault`."""
    families = cluster_families(service)
    if isinstance(families, Fault):
        return Request(sharing=sharing_of(service), fault=families)
    # One family leaves no choice, whatever the policy; nearly all Services are of these two kinds.
    plain = _ONE_FAMILY.get(families) or _two_families(service.family_policy, service.prefers_ipv6)
    if not (service.requested_ips or service.load_balancer_ip or service.requested_pool or service.sharing_key):
        return plain
    wanted = plain.fault or requested_addresses(service)
    return Request(
        families=families,
        alternatives=plain.alternatives,
        addresses=() if isinstance(wanted, Fault) else wanted,
        pool=service.requested_pool,
        sharing=sharing_of(service),
        fault=wanted if isinstance(wanted, Fault) else None,
    )


_ONE_FAMILY = {families: Request(families, (families,)) for families in _SINGLE.values()}


@cache
def _two_families(policy: FamilyPolicy, prefers_ipv6: bool) -> Request:  # noqa: FBT001 - the key of a cache
    if policy is FamilyPolicy.PREFER_DUAL_STACK:
        first = Family.IPV6 if prefers_ipv6 else Family.IPV4
        return Request(_DUAL, (_DUAL, _SINGLE[first], _SINGLE[first.other]))
    # An API server never stores two cluster IPs of a SingleStack Service; MetalLB refuses what it cannot mean.
    fault = None if policy is FamilyPolicy.REQUIRE_DUAL_STACK else _single_stack_with_two
    return Request(_DUAL, (_DUAL,), fault=fault)


_single_stack_with_two = Fault(
    reason=Reason.FAMILY_MISMATCH,
    message="ipFamilyPolicy is SingleStack but the cluster IPs are of two families",
    advice="set ipFamilyPolicy to PreferDualStack or RequireDualStack",
)


def cluster_families(service: Service) -> Families | Fault:
    """The families of the cluster IPs; nothing else in a Service decides them."""
    texts = service.cluster_ips
    if not texts:
        return _NO_CLUSTER_IP
    if len(texts) == 1 and service.family_policy is FamilyPolicy.REQUIRE_DUAL_STACK:
        return _not_enough_cluster_ips(service)
    try:
        if len(texts) == 1:
            return _SINGLE[family_of(texts[0])]
        families = [family_of(text) for text in texts]
    except AddressError as exc:
        return _unreadable(service, str(exc))
    if len(families) > 2 or families[0] is families[1]:
        return _unreadable(service, "there may be one of each family")
    return _DUAL


_NO_CLUSTER_IP = Fault(
    reason=Reason.NO_CLUSTER_IP,
    message="the Service has no cluster IP yet",
    advice="a cluster IP decides the address family; the API server assigns one unless the Service is headless",
    event="",
    event_while_held="",
    clears=True,
)


def _not_enough_cluster_ips(service: Service) -> Fault:
    return Fault(
        reason=Reason.NOT_ENOUGH_CLUSTER_IPS,
        message=f"Service requires dual stack but not enough clusterips [{' '.join(service.cluster_ips)}]",
        advice="give the Service a cluster IP of each family, or set ipFamilyPolicy to PreferDualStack",
        event="not enough clusterips",
        event_while_held="not enough clusterips",
        clears=True,
    )


def _unreadable(service: Service, why: str) -> Fault:
    if service.cluster_ips == ("None",):
        advice = "a headless Service (clusterIP: None) cannot be load-balanced: remove clusterIP and create it anew"
    else:
        advice = "cluster IPs are one IPv4 address, one IPv6 address, or one of each"
    return Fault(
        reason=Reason.INVALID_CLUSTER_IPS,
        message=f"invalid address family of cluster IPs [{' '.join(service.cluster_ips)}]: {why}",
        advice=advice,
        event_while_held="noclusterIPsIPFamily",
        prefix_while_held=f"Failed to retrieve ClusterIPs IPFamily for [{' '.join(service.cluster_ips)}] "
        f"{service.cluster_ips[0]}: ",
    )


def requested_addresses(service: Service) -> tuple[Address, ...] | Fault:
    """The addresses that the Service names, in its order; empty when it names none."""
    annotation, field = service.requested_ips or "", service.load_balancer_ip
    if annotation and field:
        return _invalid(
            "service can not have both metallb.io/loadBalancerIPs and svc.Spec.LoadBalancerIP",
            "remove spec.loadBalancerIP",
        )
    if field:
        try:
            return (parse_address(field),)
        except AddressError:
            return _invalid(f'invalid spec.loadBalancerIP "{field}"', "write one IPv4 or IPv6 address")
    return _annotated_addresses(annotation) if annotation else ()


def _annotated_addresses(text: str) -> tuple[Address, ...] | Fault:
    prefix = f'invalid metallb.io/loadBalancerIPs: "{text}"'
    advice = "write one address, or one IPv4 and one IPv6 address with a comma between them"
    try:
        found = tuple(parse_address(part.strip()) for part in text.split(","))
    except AddressError as exc:
        return _invalid(prefix if "," not in text else f"{prefix}: {exc}", advice)
    if len({address.family for address in found}) < len(found):
        return _invalid(f"{prefix}: more than one address of a family", advice)
    return found


def _invalid(message: str, advice: str) -> Fault:
    return Fault(
        reason=Reason.INVALID_REQUEST,
        message=message,
        advice=advice,
        event_while_held="LoadBalancerFailed",
        prefix_while_held="invalid requested loadbalancer IPs: ",
    )
