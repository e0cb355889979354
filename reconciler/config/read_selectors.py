"""Label selectors out of documents, with the syntax that the Kubernetes API asks of labels."""

import re
from collections.abc import Iterable

from reconciler.config.fields import Field, Text
from reconciler.config.problems import Problems
from reconciler.config.wording import quoted
from reconciler.model.origin import Origin
from reconciler.model.selectors import LabelSelector, Operator, Requirement, labels_of

# Kubernetes API, apimachinery: IsQualifiedName, IsDNS1123Subdomain and IsValidLabelValue.
_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_OPERATORS = {operator.value: operator for operator in Operator}
_EVERYTHING = LabelSelector()
_LONGEST_NAME, _LONGEST_SUBDOMAIN = 63, 253


def is_subdomain(text: str) -> bool:
    """Whether an object may have that name (RFC 1123, at most 253 characters)."""
    return len(text) <= _LONGEST_SUBDOMAIN and _SUBDOMAIN.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Whether a label may have that key: an optional DNS prefix and `/`, then a name of at most 63 characters."""
    prefix, slash, name = text.rpartition("/")
    return (is_subdomain(prefix) if slash else True) and _is_label_name(name)


def is_label_value(text: str) -> bool:
    """Whether a label may have that value; the empty one is legal."""
    return not text or _is_label_name(text)


def _is_label_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def read_selectors(owner: Field, name: str, problems: Problems) -> tuple[LabelSelector, ...]:
    """A list of selectors, sorted; two that say the same are reported."""
    seen: set[LabelSelector] = set()
    for field in owner.children(name):
        selector = read_selector(field, problems)
        # One that says something else than labels reads as empty; the schema has reported it.
        if selector in seen and (selector != _EVERYTHING or not field.value):
            problems.error(field.origin, "duplicate-entry", f"duplicate definition of {name}: the same selector twice")
        seen.add(selector)
    return tuple(sorted(LabelSelector(s.match_labels, tuple(sorted(s.requirements))) for s in seen))


def read_selector(field: Field, problems: Problems) -> LabelSelector:
    """One selector; its requirements keep their written order, which tells equal selectors from others."""
    for key, value in (pairs := field.pairs("matchLabels")):
        _check_key(key, value.key_origin, problems)
        _check_value(value, problems)
    requirements: list[Requirement] = []
    for expression in field.children("matchExpressions"):
        requirement = _read_requirement(expression, problems)
        if requirement is None:
            continue
        if requirement in requirements:
            message = f"duplicate definition of match expressions on label {quoted(requirement.key)}"
            problems.error(expression.origin, "duplicate-entry", message)
        requirements.append(requirement)
    return LabelSelector(labels_of((key, value.value) for key, value in pairs), tuple(requirements))


def _read_requirement(field: Field, problems: Problems) -> Requirement | None:
    key, operator, values = field.text("key"), field.text("operator"), field.texts("values")
    if key is not None:
        _check_key(key.value, key.origin, problems)
    elif field.has("key"):
        problems.error(field.origin_of("key"), "invalid-selector", '"" is not a valid label key: it is empty')
    for value in values:
        _check_value(value, problems)
    _check_distinct(values, problems)
    known = None if operator is None else _OPERATORS.get(operator.value)
    if key is None or operator is None or known is None:
        return None
    takes_values = known in {Operator.IN, Operator.NOT_IN}
    if takes_values and not field.value_count("values"):
        problems.error(operator.origin, "invalid-selector", f"operator {known} needs at least one value")
    if not takes_values and field.value_count("values"):
        problems.error(
            field.origin_of("values"), "invalid-selector", f"operator {known} takes no values: remove them, or use In"
        )
    return Requirement(key.value, known, tuple(sorted(value.value for value in values)))


def _check_distinct(values: Iterable[Text], problems: Problems) -> None:
    seen: set[str] = set()
    for value in values:
        if value.value in seen:
            message = f"duplicate definition of match expression value in label selector {quoted(value.value)}"
            problems.error(value.origin, "duplicate-entry", message)
        seen.add(value.value)


def _check_key(key: str, origin: Origin, problems: Problems) -> None:
    if not is_label_key(key):
        message = (
            f"{quoted(key)} is not a valid label key: up to 63 letters, digits, '-', '_' and '.', "
            "after an optional DNS name and '/'"
        )
        problems.error(origin, "invalid-selector", message)


def _check_value(value: Text, problems: Problems) -> None:
    if not is_label_value(value.value):
        message = f"{quoted(value.value)} is not a valid label value: up to 63 letters, digits, '-', '_' and '.'"
        problems.error(value.origin, "invalid-selector", message)
