"""What an expression of Prometheus asks for: names of metrics, and what their labels are compared with."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<duration>\[[^\]]*\])
    | (?P<number>\b\d[\w.]*)
    | (?P<name>[a-zA-Z_:][\w:]*)
    | (?P<sign>=~|!~|!=|==|<=|>=|[^\s\w])
    """,
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_OPERATORS = {"and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True)
class Selector:
    """A metric that is asked for, and its matchers: label, sign, text."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Asked:
    """Everything that one expression asks for; `grouped_by` has the labels that results keep or lose."""

    selectors: tuple[Selector, ...]
    grouped_by: frozenset[str]

    @property
    def metrics(self) -> set[str]:
        return {selector.metric for selector in self.selectors}


def asked_by(expression: str) -> Asked:
    """Read an expression that promtool has accepted: what is no function, operator or label is a metric."""
    tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(expression)]
    selectors: list[Selector] = []
    grouped: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, word = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if kind != "name" or word in _OPERATORS:
            continue
        if word in _GROUPING:
            if following == "(":
                inside, at = _until(tokens, at + 1, ")")
                grouped.update(name for kind, name in inside if kind == "name")
        elif following == "{":
            inside, at = _until(tokens, at + 1, "}")
            selectors.append(Selector(word, _matchers(inside)))
        elif following != "(" and not _is_aggregation(tokens, at):
            selectors.append(Selector(word))
    return Asked(tuple(selectors), frozenset(grouped))


def _is_aggregation(tokens: list[tuple[str, str]], at: int) -> bool:
    """As in `sum by (pool) (…)`: the name before `by` or `without` is no metric."""
    return at < len(tokens) and tokens[at][1] in {"by", "without"}


def _until(tokens: list[tuple[str, str]], at: int, end: str) -> tuple[list[tuple[str, str]], int]:
    closing = next(index for index in range(at, len(tokens)) if tokens[index][1] == end)
    return tokens[at:closing], closing + 1


def _matchers(inside: list[tuple[str, str]]) -> tuple[tuple[str, str, str], ...]:
    words = [word for _, word in inside if word != ","]
    return tuple((words[at], words[at + 1], words[at + 2].strip('"')) for at in range(0, len(words), 3))
