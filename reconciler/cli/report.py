"""
What a command found, as rows that every output format prints.

The rows are the contract of the JSON output: a field here is a key there, in this order. Nothing here decides.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import msgspec

from reconciler.model.origin import Origin, Problem, Severity
from reconciler.plan.announcements import Change

FORMAT_VERSION = 1


class Exit(IntEnum):
    """Exit status of the commands; interfaces that scripts rely on."""

    NOTHING = 0
    FOUND = 1
    FAILED = 2
    HELD = 3


class Action(StrEnum):
    """What happens to a Service."""

    ASSIGN = "assign"
    KEEP = "keep"
    CHANGE = "change"
    CLEAR = "clear"
    REFUSE = "refuse"
    IGNORE = "ignore"


class ServiceRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    One Service. `before` and `after` are addresses in the order of the status; `pool` belongs to `after`.

    `reason` is a stable code; `cause` is the line behind the decision; `advice` what to change where a request could
    not be met.
    """

    service: str
    action: Action
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    pool: str | None = None
    reason: str | None = None
    message: str | None = None
    cause: Origin | None = None
    advice: str | None = None


class AnnouncementRow(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename={"local_pref": "localPref"}):
    """
    One announcement of one address of one Service by one node.

    `interfaces` belongs to Layer 2 (empty: all of them); `prefix`, `peer`, `local_pref` and `communities` to BGP.
    """

    change: Change
    protocol: str
    node: str
    service: str
    address: str
    interfaces: tuple[str, ...] = ()
    prefix: str | None = None
    peer: str | None = None
    local_pref: int | None = None
    communities: tuple[str, ...] = ()
    cause: Origin | None = None


class PoolRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "assigned_ipv4": "assignedIPv4",
        "available_ipv4": "availableIPv4",
        "assigned_ipv6": "assignedIPv6",
        "available_ipv6": "availableIPv6",
    },
):
    """How full a pool is afterwards; an address that several Services share counts once."""

    pool: str
    assigned_ipv4: int
    available_ipv4: int
    assigned_ipv6: int
    available_ipv6: int


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """An Event the controller would record on a Service; `type` is Normal or Warning."""

    service: str
    type: str
    reason: str
    message: str


class GuardRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    Whether the plan is held back.

    `digest` names a plan that needs approval; `approved` that the configuration carries it; `affected` are the
    Services behind the verdict; `settings` is where a ReconcilerSettings stands already.
    """

    held: bool = False
    reason: str | None = None
    digest: str | None = None
    approved: bool = False
    affected: tuple[str, ...] = ()
    settings: Origin | None = None


class Summary(msgspec.Struct, frozen=True, gc=False):
    """How many Services by action, and how many announcements would start and stop."""

    assign: int = 0
    keep: int = 0
    change: int = 0
    clear: int = 0
    refuse: int = 0
    ignore: int = 0
    announce: int = 0
    withdraw: int = 0

    @property
    def changes(self) -> int:
        """How many things would be different afterwards."""
        return self.assign + self.change + self.clear + self.announce + self.withdraw


class RelatedRow(msgspec.Struct, frozen=True, gc=False):
    """The other place of a problem."""

    path: str
    line: int
    column: int
    note: str


class ProblemRow(msgspec.Struct, frozen=True, gc=False):
    """One problem of a configuration."""

    path: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    related: tuple[RelatedRow, ...] = ()

    @classmethod
    def of(cls, problem: Problem) -> "ProblemRow":
        """The row of a problem."""
        return cls(
            problem.origin.path,
            problem.origin.line,
            problem.origin.column,
            problem.severity,
            problem.code,
            problem.message,
            tuple(RelatedRow(r.origin.path, r.origin.line, r.origin.column, r.note) for r in problem.related),
        )


class ConfigRow(msgspec.Struct, frozen=True, gc=False):
    """What was read: `valid` is whether it could be used, whatever warnings there are. Problems are sorted."""

    revision: str
    valid: bool
    problems: tuple[ProblemRow, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many problems of that severity there are."""
        return sum(problem.severity is severity for problem in self.problems)


@dataclass(frozen=True, slots=True)
class ValidateReport:
    """The finding of `validate`. `documents` are of our kinds, `foreign` were skipped; `strict` fails warnings too."""

    config: ConfigRow
    documents: int = 0
    foreign: int = 0
    strict: bool = False

    def fails(self, problem: ProblemRow) -> bool:
        """Whether the problem makes the command fail."""
        return self.strict or problem.severity is Severity.ERROR

    def exit_status(self) -> Exit:
        """1 when a problem fails the command."""
        failed = not self.config.valid or any(self.fails(problem) for problem in self.config.problems)
        return Exit.FOUND if failed else Exit.NOTHING


@dataclass(slots=True)
class DiffReport:
    """
    The finding of `diff`.

    Announcements can be millions, so they pass by once, in order of node, then address, and are counted on the way;
    `guard` and `summary` let the rest pass unseen first. Services, pools and events are sorted by key.
    """

    config: ConfigRow
    base: ConfigRow | None = None
    services: tuple[ServiceRow, ...] = ()
    announcements: Iterable[AnnouncementRow] = ()
    pools: tuple[PoolRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    judge: Callable[[], GuardRow] = GuardRow
    _stream: Iterator[AnnouncementRow] | None = field(default=None, init=False)
    _announce: int = field(default=0, init=False)
    _withdraw: int = field(default=0, init=False)
    _guard: GuardRow | None = field(default=None, init=False)

    @property
    def valid(self) -> bool:
        """Whether every configuration could be used."""
        return self.config.valid and (self.base is None or self.base.valid)

    def stream(self) -> Iterator[AnnouncementRow]:
        """The announcements not yet seen, each once."""
        if self._stream is None:
            self._stream = self._counted()
        return self._stream

    def _counted(self) -> Iterator[AnnouncementRow]:
        for row in self.announcements:
            if row.change is Change.ADD:
                self._announce += 1
            elif row.change is Change.REMOVE:
                self._withdraw += 1
            yield row

    @property
    def guard(self) -> GuardRow:
        """The verdict, which may depend on every announcement."""
        if self._guard is None:
            self._pass_the_rest()
            self._guard = self.judge()
        return self._guard

    @property
    def summary(self) -> Summary:
        """The counts."""
        self._pass_the_rest()
        by_action = Counter(row.action.value for row in self.services)
        return Summary(**by_action, announce=self._announce, withdraw=self._withdraw)

    def _pass_the_rest(self) -> None:
        for _ in self.stream():
            pass

    def exit_status(self) -> Exit:
        """2 for a bad configuration, 3 for a plan that is held, 1 when anything would change."""
        if not self.valid:
            return Exit.FAILED
        if self.guard.held:
            return Exit.HELD
        return Exit.FOUND if self.summary.changes else Exit.NOTHING
