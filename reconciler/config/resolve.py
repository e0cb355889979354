"""Names, aliases and selectors to the objects they mean; drafts to the desired state."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.config.drafts import BGPDraft, CommunityDraft, Drafts, PeerDraft
from reconciler.config.fields import Text
from reconciler.config.pool_index import PoolIndex
from reconciler.config.problems import Problems
from reconciler.config.wording import did_you_mean, quoted, shortened
from reconciler.model.advertisements import Community, CommunityError
from reconciler.model.desired import DesiredState
from reconciler.model.peers import BFDProfile
from reconciler.model.settings import Settings

_MOST_GUESSES = 20


def resolve(drafts: Drafts, problems: Problems, *, complete: bool) -> Drafts:
    """
    The drafts with pools, communities and BFD profiles in place of names and selectors.

    Args:
        drafts: As they were read.
        problems: Takes communities that are neither written out nor an alias.
        complete: Whether every document could be read; otherwise what is missing is no finding.
    """
    index = PoolIndex(draft.pool for draft in drafts.pools)
    communities = _Communities(drafts.communities, problems, complete=complete)
    profiles = {draft.profile.name: draft.profile for draft in reversed(drafts.bfd_profiles)}
    return replace(
        drafts,
        l2_advertisements=tuple(
            replace(draft, advertisement=replace(draft.advertisement, pools=index.choose(draft.choice)))
            for draft in drafts.l2_advertisements
        ),
        bgp_advertisements=tuple(
            replace(
                draft,
                advertisement=replace(
                    draft.advertisement, pools=index.choose(draft.choice), communities=communities.of(draft)
                ),
            )
            for draft in drafts.bgp_advertisements
        ),
        peers=tuple(_with_profile(draft, profiles) for draft in drafts.peers),
    )


def desired_state(drafts: Drafts, revision: str) -> DesiredState:
    """What resolved drafts without a finding say."""
    return DesiredState(
        revision=revision,
        pools=tuple(draft.pool for draft in drafts.pools),
        l2_advertisements=tuple(draft.advertisement for draft in drafts.l2_advertisements),
        bgp_advertisements=tuple(draft.advertisement for draft in drafts.bgp_advertisements),
        peers=tuple(draft.peer for draft in drafts.peers),
        settings=drafts.settings[0].settings if drafts.settings else Settings(),
    )


def _with_profile(draft: PeerDraft, profiles: Mapping[str, BFDProfile]) -> PeerDraft:
    if draft.bfd_profile is None:
        return draft
    return replace(draft, peer=replace(draft.peer, bfd=profiles.get(draft.bfd_profile.value)))


class _Communities:
    """Reads communities as advertisements write them; an alias wins over what looks like a community."""

    def __init__(self, drafts: Iterable[CommunityDraft], problems: Problems, *, complete: bool) -> None:
        self._aliases = {alias.name: alias.value for draft in reversed(tuple(drafts)) for alias in draft.aliases}
        self._findings = problems
        self._complete = complete
        self._unknown = 0

    def of(self, draft: BGPDraft) -> tuple[Community, ...]:
        """The communities of an advertisement, ascending."""
        return tuple(sorted(set(self._parse(draft))))

    def _parse(self, draft: BGPDraft) -> Iterator[Community]:
        for text in draft.communities:
            try:
                found = self._aliases[text.value] if text.value in self._aliases else Community.parse(text.value)
            except CommunityError as exc:
                self._report(draft, text, exc)
                continue
            if found is not None:  # None: the alias has a bad value, which has been reported
                yield found

    def _report(self, draft: BGPDraft, text: Text, error: CommunityError) -> None:
        if error.is_format and not self._complete:
            return
        form, hint = "value", ""
        if error.is_format:
            self._unknown += 1
            form, hint = "format", did_you_mean(text.value, self._aliases) if self._unknown <= _MOST_GUESSES else ""
        why = shortened(str(error).rpartition('": ')[2])
        message = (
            f'invalid community {quoted(text.value)} in BGP advertisement "{draft.manifest.name}": '
            f"invalid community {form} {quoted(text.value)}: {why}{hint}"
        )
        self._findings.error(text.origin, "invalid-community", message)
