"""Facts that need more than one document: overlap, duplicate, dangling name, contradiction."""

from collections.abc import Iterator

from reconciler.config.check_advertisements import check_aggregation, check_local_prefs, check_use
from reconciler.config.check_local_prefs import local_pref_conflicts
from reconciler.config.check_names import (
    check_bfd_profiles,
    check_known_names,
    check_unique_aliases,
    check_unique_names,
)
from reconciler.config.check_peers import (
    check_bfd_echo,
    check_gtsm,
    check_peers_in_pools,
    check_sessions,
    equal_sessions,
    session_message,
)
from reconciler.config.check_pools import check_overlaps
from reconciler.config.drafts import Drafts
from reconciler.config.problems import Problems
from reconciler.config.shared_nodes import known_node_keys
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Secret
from reconciler.model.origin import Origin, Problem, Related, Severity

_PASSWORD_SECRET = "kubernetes.io/basic-auth"  # noqa: S105 - a type of Secret


def check(drafts: Drafts, problems: Problems, *, complete: bool) -> None:
    """
    Report everything that resolved drafts show together.

    Args:
        drafts: Resolved, each kind sorted by name.
        problems: Takes what is found.
        complete: Whether every document could be read; otherwise what is missing is no finding.
    """
    check_unique_names(drafts, problems)
    check_unique_aliases(drafts.communities, problems)
    check_overlaps(drafts.pools, problems)
    check_aggregation(drafts, problems)
    check_local_prefs(drafts, problems)
    check_sessions(drafts, problems)
    check_bfd_echo(drafts, problems)
    check_gtsm(drafts, problems)
    check_peers_in_pools(drafts, problems)
    if complete:
        check_bfd_profiles(drafts, problems)
        check_known_names(drafts, problems)
        check_use(drafts, problems)


def check_cluster(desired: DesiredState, observed: ObservedState) -> tuple[Problem, ...]:
    """Everything that shows only beside a cluster, sorted: Secrets and nodes."""
    return tuple(sorted((*check_secrets(desired, observed), *check_nodes(desired, observed))))


def check_secrets(desired: DesiredState, observed: ObservedState) -> tuple[Problem, ...]:
    """
    What is wrong with the Secrets that peers name, sorted.

    A snapshot without any Secret of that namespace proves nothing, so an unresolved name is a warning there.
    """
    return tuple(sorted(_secret_problems(desired, observed)))


def _secret_problems(desired: DesiredState, observed: ObservedState) -> Iterator[Problem]:
    for peer in desired.peers:
        name = peer.password_secret
        if name is None:
            continue
        where = f'peer config "{peer.name}"'
        if observed.secrets is None:
            message = (
                f"secret ref not resolved for {where}: no Secret of our own namespace (--namespace) is known, "
                f'so neither is "{name}"'
            )
            yield Problem(peer.origin, "unresolved-secret", message, Severity.WARNING)
        elif (secret := observed.secrets.get(name)) is None:
            message = (
                f'secret ref not found for {where}: there is no Secret "{name}" in our own namespace (--namespace)'
            )
            yield Problem(peer.origin, "secret-not-found", message)
        else:
            yield from _content_problems(secret, where, peer.origin)


def _content_problems(secret: Secret, where: str, origin: Origin) -> Iterator[Problem]:
    if secret.type != _PASSWORD_SECRET:
        message = (
            f'secret type mismatch on "{secret.name}" for {where}: it is of type {secret.type}, '
            f"must be {_PASSWORD_SECRET}"
        )
        yield Problem(origin, "secret-wrong-type", message)
    elif not secret.has_password:
        message = f'password not specified in the secret "{secret.name}" for {where}: it needs the key "password"'
        yield Problem(origin, "secret-without-password", message)


def check_nodes(desired: DesiredState, observed: ObservedState) -> tuple[Problem, ...]:
    """What peers and advertisements that select nodes by different labels share on the nodes there are, sorted."""
    keys = known_node_keys(observed.nodes)
    problems = [
        Problem(
            later.origin,
            "duplicate-session",
            session_message(earlier, later, "and their nodeSelectors share a node"),
            related=(Related(earlier.origin, f'peer "{earlier.name}"'),),
        )
        for earlier, later in equal_sessions(desired.peers, keys)
    ]
    problems += [
        Problem(
            conflict.later.origin,
            "local-pref-conflict",
            str(conflict),
            related=(Related(conflict.earlier.origin, f'BGPAdvertisement "{conflict.earlier.name}"'),),
        )
        for conflict in local_pref_conflicts(desired.bgp_advertisements, desired.pools, keys)
    ]
    return tuple(sorted(problems))
