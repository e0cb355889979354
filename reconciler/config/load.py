"""Files to desired state: the whole path as one function."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from reconciler.config.checks import check
from reconciler.config.documents import Document, open_containers, parse_documents
from reconciler.config.drafts import (
    BFDProfileDraft,
    BGPDraft,
    CommunityDraft,
    Draft,
    Drafts,
    L2Draft,
    PeerDraft,
    PoolDraft,
    SettingsDraft,
)
from reconciler.config.files import SourceSet, read_files
from reconciler.config.kinds import is_ours, kind_of
from reconciler.config.manifests import read_manifest
from reconciler.config.problems import Problems
from reconciler.config.resolve import desired_state, resolve
from reconciler.config.schema import check_schema
from reconciler.model.desired import DesiredState
from reconciler.model.origin import Origin, Problem

_Item = TypeVar("_Item")


class Follow(Protocol):
    """Gives the items back one by one, and so learns how far we have come; `weigh` says how much work one is."""

    def __call__(self, items: Sequence[_Item], words: str, weigh: Callable[[_Item], int] = ...) -> Iterable[_Item]:
        """`words` say what is done with them."""
        ...


def unfollowed(items: Sequence[_Item], words: str, weigh: Callable[[_Item], int] = len) -> Iterable[_Item]:  # type: ignore[assignment]  # noqa: ARG001 - never called
    """Nobody wants to know."""
    return items


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    One revision of the configuration.

    `desired` is None exactly when a problem is an error. `problems` are sorted; `documents` counts those of our kinds,
    `foreign` the others. `directories` are to be watched for a change.
    """

    desired: DesiredState | None
    problems: tuple[Problem, ...]
    revision: str
    documents: int = 0
    foreign: int = 0
    directories: tuple[str, ...] = ()


def load(paths: Sequence[str], *, follow: Follow = unfollowed) -> Loaded:
    """
    Read, check and resolve everything below the paths. `follow` is told how far that has come.

    Raises:
        FilesError: A path cannot be read at all.
    """
    return load_sources(read_files(paths), follow=follow)


def load_sources(sources: SourceSet, *, follow: Follow = unfollowed) -> Loaded:
    """The same from files that have been read; what they are named and in which order is of no matter."""
    problems = Problems()
    problems.add(sources.problems)
    ours, foreign = _documents(sources, problems, follow)
    complete = not problems.has_error
    read = [_read(document, problems) for document in follow(ours, "checking documents")]
    drafts = _sorted_by_kind(draft for draft in read if draft is not None)
    complete = complete and all(draft is not None and draft.manifest.name for draft in read)
    resolved = resolve(drafts, problems, complete=complete)
    check(resolved, problems, complete=complete)
    if not ours and not problems.has_error:
        _report_nothing(sources, foreign, problems)
    return Loaded(
        desired=None if problems.has_error else desired_state(resolved, sources.revision),
        problems=problems.sorted(),
        revision=sources.revision,
        documents=len(ours),
        foreign=foreign,
        directories=sources.directories,
    )


def _documents(sources: SourceSet, problems: Problems, follow: Follow) -> tuple[list[Document], int]:
    """Our documents, and how many others there are."""
    ours, foreign = [], 0
    for source in follow(sources.files, "reading files", lambda source: len(source.data)):
        parsed = parse_documents(source.path, source.data)
        opened = open_containers(parsed.documents)
        problems.add((*parsed.problems, *opened.problems))
        found = [document for document in opened.documents if is_ours(document)]
        ours += found
        foreign += len(opened.documents) - len(found) + opened.foreign
    return ours, foreign


def _read(document: Document, problems: Problems) -> Draft | None:
    """A document of ours as a draft; None when its kind is unknown."""
    problems.add(document.problems)
    kind = kind_of(document, problems)
    if kind is None:
        return None
    check_schema(document, kind.schema, problems)
    return kind.read(read_manifest(document, kind, problems), problems)


def _sorted_by_kind(drafts: Iterable[Draft]) -> Drafts:
    ordered = sorted(drafts, key=_by_name)
    return Drafts(
        pools=tuple(d for d in ordered if isinstance(d, PoolDraft)),
        l2_advertisements=tuple(d for d in ordered if isinstance(d, L2Draft)),
        bgp_advertisements=tuple(d for d in ordered if isinstance(d, BGPDraft)),
        communities=tuple(d for d in ordered if isinstance(d, CommunityDraft)),
        bfd_profiles=tuple(d for d in ordered if isinstance(d, BFDProfileDraft)),
        peers=tuple(d for d in ordered if isinstance(d, PeerDraft)),
        settings=tuple(d for d in ordered if isinstance(d, SettingsDraft)),
    )


def _by_name(draft: Draft) -> tuple[str, Origin]:
    return draft.manifest.name, draft.manifest.origin


def _report_nothing(sources: SourceSet, foreign: int, problems: Problems) -> None:
    # Never "release everything": an empty mount, a wrong path and a failed checkout look just like this.
    origin = Origin(sources.files[0].path if sources.files else ".", 1, 1)
    others = f" among {foreign} that were found" if foreign else ""
    message = (
        f"no configuration: there is no document of metallb.io or lb-reconciler.io{others}; "
        "to run without pools, keep one document, such as an empty ReconcilerSettings"
    )
    problems.error(origin, "no-configuration", message)
