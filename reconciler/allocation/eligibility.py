"""The pools that may serve a Service, best first."""

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.model.pools import IPAddressPool
from reconciler.model.selectors import Labels, LabelSelector

_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Applicant:
    """What a pool may ask about a Service: its namespace, the labels of that, and its own."""

    namespace: str
    namespace_labels: Labels
    labels: Labels


def is_compatible(pool: IPAddressPool, applicant: Applicant) -> bool:
    """Whether the pool may serve the applicant at all: automatically, by its name or by an address."""
    scope = pool.scope
    return scope is None or scope.admits(applicant.namespace, applicant.namespace_labels, applicant.labels)


def pinned_pools(pools: Iterable[IPAddressPool], applicant: Applicant) -> tuple[IPAddressPool, ...]:
    """
    The pools reserved for some Services, this one among them: by priority, 0 last, then by name.

    Those that serve only who names them (`autoAssign: false`) are there as well.
    """
    return tuple(sorted((pool for pool in pools if pool.scope and is_compatible(pool, applicant)), key=_precedence))


def open_pools(pools: Iterable[IPAddressPool]) -> tuple[IPAddressPool, ...]:
    """The pools that serve everybody, by name. They come after all pinned ones."""
    return tuple(sorted((pool for pool in pools if pool.auto_assign and not pool.scope), key=lambda pool: pool.name))


def _precedence(pool: IPAddressPool) -> tuple[bool, int, str]:
    priority = pool.scope.priority if pool.scope else 0
    return priority == 0, priority, pool.name


def whom_it_serves(pool: IPAddressPool, applicant: Applicant) -> str:
    """The part of the pool's scope that keeps the applicant out, as half a sentence: `serves namespaces a, b only`."""
    scope = pool.scope
    if scope is None:
        return "serves every Service"
    if not scope.admits_namespace(applicant.namespace, applicant.namespace_labels):
        return f"serves {_namespaces(scope.namespaces, scope.namespace_selectors)} only"
    return f"serves Services with {_either(scope.service_selectors)} only"


def _namespaces(names: tuple[str, ...], selectors: tuple[LabelSelector, ...]) -> str:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    listed = f"namespace{'s' if len(names) > 1 else ''} {', '.join(names[:_NAMED_AT_MOST])}{more}" if names else ""
    selected = f"namespaces with {_either(selectors)}" if selectors else ""
    return " and ".join(part for part in (listed, selected) if part)


def _either(selectors: tuple[LabelSelector, ...]) -> str:
    return " or ".join(map(_selector_text, selectors))


def _selector_text(selector: LabelSelector) -> str:
    parts = [f"{key}={value}" for key, value in selector.match_labels]
    parts += [
        f"{r.key} {r.operator}" + (f" ({', '.join(r.values)})" if r.values else "") for r in selector.requirements
    ]
    return f"labels {', '.join(parts)}" if parts else "any labels"
