"""Label selectors and what they match (Kubernetes API, meta/v1 LabelSelector)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# Sorted by key; hashable, so that what was decided for one set of labels can be reused for an equal one.
Labels = tuple[tuple[str, str], ...]


class Operator(StrEnum):
    """What a requirement asks of a label."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """One match expression. `values` are sorted; empty for Exists and DoesNotExist."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether the labels meet the requirement; NotIn is also met by labels that lack the key."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


@dataclass(frozen=True, slots=True, order=True)
class LabelSelector:
    """`match_labels` and `requirements`, all ANDed; an empty selector matches everything."""

    match_labels: Labels = ()
    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether every part of the selector is met."""
        found = dict(labels)
        return all(found.get(key) == value for key, value in self.match_labels) and all(
            requirement.matches(found) for requirement in self.requirements
        )


def labels_of(pairs: Iterable[tuple[str, str]]) -> Labels:
    """Labels in the order that makes equal sets equal values."""
    return tuple(sorted(pairs))


def matches_any(selectors: Iterable[LabelSelector], labels: Labels) -> bool:
    """Whether one of the selectors matches; False when there are none."""
    return any(selector.matches(labels) for selector in selectors)


def matches_any_or_none_given(selectors: tuple[LabelSelector, ...], labels: Labels) -> bool:
    """The reading of every optional list of selectors in MetalLB's kinds: absent means all."""
    return not selectors or matches_any(selectors, labels)
