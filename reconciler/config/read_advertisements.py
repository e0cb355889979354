"""L2Advertisement, BGPAdvertisement and Community out of documents."""

from collections.abc import Iterator

from reconciler.config.drafts import Alias, BGPDraft, CommunityDraft, L2Draft, Manifest, PoolChoice
from reconciler.config.fields import Field
from reconciler.config.problems import Problems
from reconciler.config.read_lists import check_distinct
from reconciler.config.read_selectors import read_selector, read_selectors
from reconciler.config.wording import quoted, shortened
from reconciler.model.advertisements import BGPAdvertisement, Community, CommunityError, L2Advertisement, Preference
from reconciler.model.selectors import LabelSelector

_HOST_ROUTE, _HOST_ROUTE_V6 = 32, 128


def read_l2_advertisement(manifest: Manifest, problems: Problems) -> L2Draft:
    """An L2Advertisement whose pools are still to be found."""
    spec = manifest.spec
    advertisement = L2Advertisement(
        name=manifest.name,
        pools=(),
        node_selectors=read_selectors(spec, "nodeSelectors", problems),
        interfaces=tuple(sorted({interface.value for interface in spec.texts("interfaces")})),
        service_selectors=read_selectors(spec, "serviceSelectors", problems),
        preferences=tuple(_read_preferences(spec, problems)),
        origin=manifest.origin,
    )
    return L2Draft(manifest, advertisement, _read_choice(spec, problems))


def read_bgp_advertisement(manifest: Manifest, problems: Problems) -> BGPDraft:
    """A BGPAdvertisement whose pools and communities are still to be found."""
    spec = manifest.spec
    peers, communities = spec.texts("peers"), spec.texts("communities")
    check_distinct(communities, "of community", problems)
    check_distinct(peers, "of peers", problems)
    length, length_v6 = spec.number("aggregationLength"), spec.number("aggregationLengthV6")
    advertisement = BGPAdvertisement(
        name=manifest.name,
        pools=(),
        node_selectors=read_selectors(spec, "nodeSelectors", problems),
        peers=tuple(sorted({peer.value for peer in peers})),
        service_selectors=read_selectors(spec, "serviceSelectors", problems),
        aggregation_length=_HOST_ROUTE if length is None else length,
        aggregation_length_v6=_HOST_ROUTE_V6 if length_v6 is None else length_v6,
        local_pref=spec.number("localPref") or 0,
        origin=manifest.origin,
    )
    _check_aggregation_of_selected(spec, advertisement, problems)
    return BGPDraft(manifest, advertisement, _read_choice(spec, problems), peers, communities)


def read_community(manifest: Manifest, problems: Problems) -> CommunityDraft:
    """The aliases of one Community object."""
    return CommunityDraft(manifest, tuple(_read_aliases(manifest.spec, problems)))


def _read_choice(spec: Field, problems: Problems) -> PoolChoice:
    names = spec.texts("ipAddressPools")
    check_distinct(names, "of ipAddressPools", problems)
    return PoolChoice(names, read_selectors(spec, "ipAddressPoolSelectors", problems))


def _read_preferences(spec: Field, problems: Problems) -> Iterator[Preference]:
    for field in spec.children("preferredNodeSelectors"):
        selector = read_selector(field.child("preference"), problems)
        ordered = LabelSelector(selector.match_labels, tuple(sorted(selector.requirements)))
        yield Preference(field.number("weight") or 0, ordered)


def _check_aggregation_of_selected(spec: Field, advertisement: BGPAdvertisement, problems: Problems) -> None:
    if not advertisement.service_selectors:
        return
    for name, length, host_route in (
        ("aggregationLength", advertisement.aggregation_length, _HOST_ROUTE),
        ("aggregationLengthV6", advertisement.aggregation_length_v6, _HOST_ROUTE_V6),
    ):
        if length != host_route:
            message = (
                f"serviceSelectors and {name} are mutually exclusive: a route rolled up to /{length} would carry "
                f"Services that are not selected; remove one of the two"
            )
            problems.error(spec.origin_of(name), "aggregation-with-selectors", message)


def _read_aliases(spec: Field, problems: Problems) -> Iterator[Alias]:
    for field in spec.children("communities"):
        name, value = field.text("name"), field.text("value")
        alias = name.value if name is not None else ""
        try:
            community = Community.parse(value.value if value is not None else "")
        except CommunityError as exc:
            # An alias of an alias reads as an unknown form: say what is wanted instead.
            why = 'neither "a:b" nor "large:a:b:c"' if exc.is_format else shortened(str(exc).rpartition('": ')[2])
            form = "format" if exc.is_format else "value"
            text = quoted(value.value if value is not None else "")
            message = f'parsing community "{alias}": invalid community {form} {text}: {why}'
            if not field.has("value") or value is not None:
                problems.error(field.origin_of("value"), "invalid-community", message)
            community = None
        yield Alias(alias, community, field.origin_of("name"))
