"""
What a record says of addresses: who held what, in which order, and what of that was wrong. No I/O.

The record is all that was seen from outside: every version of every Service, every change of the Lease, and what the
files said, in the order of the versions that the API server gave them. Nothing of the program under test is used here,
neither its code nor its word.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from tests.loop.audit_record import Change, Demand, Files, Pool, Record, Version, play

# A pass may have looked at a Service this many seconds before its owner's edit, and write after it.
RACE_S = 5.0
# What a leader sent before it lost the lease, or died, may arrive this many seconds after another one took over.
LATE_S = 5.0


@dataclass(frozen=True, slots=True)
class Findings:
    """
    `wrong` is what must not be. `late` are the addresses that were given twice because of a leader that was none any
    more, and were taken back. The rest says how much there was to audit.
    """

    wrong: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    given: int = 0
    taken: int = 0
    shared: int = 0


# Rules


def may_share(one: Demand, other: Demand) -> bool:
    """Whether two Services may hold one address."""
    return bool(one.key) and one.key == other.key and not one.ports & other.ports


def is_lawful(held: tuple[str, ...], demand: Demand, pools: Iterable[Pool]) -> bool:
    """Whether a Service may hold just these addresses, apart from who else does: what it asks for, of one pool."""
    if not demand.is_ours or sorted(map(_family, held)) != sorted(demand.families):
        return False
    if demand.addresses and demand.addresses != frozenset(held):
        return False
    return any(pool.addresses.issuperset(held) and demand.pool in {"", pool.name} for pool in pools)


def may_be_given(held: tuple[str, ...], demand: Demand, pools: Iterable[Pool]) -> bool:
    """As above, for a Service that held nothing: a pool that is not automatic must be asked for, or the addresses."""
    open_to_it = [pool for pool in pools if pool.auto or demand.pool == pool.name or demand.addresses]
    return is_lawful(held, demand, open_to_it)


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


# The audit


def audit(record: Record, *, race: float = RACE_S, late: float = LATE_S) -> Findings:
    """Everything at once; see each of them."""
    duplicates = tuple(find_duplicates(record))
    judged = [(one, judge_duplicate(record, one, race=race, late=late)) for one in duplicates]
    wrong = [
        *(f"{one}: {verdict}" for one, verdict in judged if verdict not in {_OWNER, _LATE}),
        *find_wrong_survivors(one for one, verdict in judged if verdict == _LATE),
        *find_moves_without_cause(record, duplicates, race=race),
        *find_wrong_gifts(record),
        *find_wrong_endings(record),
    ]
    gains = sum(len(_gained(change)) for change in record.changes)
    losses = sum(len(_lost(change)) for change in record.changes if change.after)
    shared = sum(len(holders) > 1 for holders in _holders(record.standing()).values())
    return Findings(tuple(wrong), tuple(str(one) for one, found in judged if found == _LATE), gains, losses, shared)


# An address held twice


@dataclass(frozen=True, slots=True)
class Duplicate:
    """
    Two Services that may not share held one address from the change `begun` to the change `ended`, None for ever.

    `first` held it before `second` did; who it is where an owner's edit made it a duplicate means nothing.
    """

    address: str
    first: str
    second: str
    begun: Change
    ended: Change | None
    versions: tuple[Version, Version] = field(compare=False)

    def __str__(self) -> str:
        names = " and ".join(version.name for version in self.versions)
        until = f"{self.ended.revision}" if self.ended else "the end"
        return f"{self.address} is held by {names} from {self.begun.revision} to {until}"


_OWNER = "an owner's edit"
_LATE = "a late write"


def find_duplicates(record: Record) -> Iterator[Duplicate]:
    """Every pair, in the order in which they end; those that never do come last."""
    standing: dict[str, Version] = {}
    lasting: dict[tuple[str, str, str], tuple[Change, tuple[Version, Version]]] = {}
    for change in record.changes:
        play(change, standing)
        present = set(_pairs(standing, change.uid))
        for key in [key for key in lasting if change.uid in key[1:] and not present & {key, _swapped(key)}]:
            begun, versions = lasting.pop(key)
            yield Duplicate(*key, begun, change, versions)
        for key in sorted(present):
            if key not in lasting and _swapped(key) not in lasting:
                lasting[key] = (change, (standing[key[1]], standing[key[2]]))
    for key, (begun, versions) in lasting.items():
        yield Duplicate(*key, begun, None, versions)


def judge_duplicate(record: Record, found: Duplicate, *, race: float = RACE_S, late: float = LATE_S) -> str:
    """Whose doing it was: the owner's, that of a leader that was none any more, or what was wrong."""
    if found.ended is None:
        return "it was never repaired"
    begun = found.begun
    if found.address not in _gained(begun):
        return _OWNER
    if any(_shared_shortly_before(record, begun, holder, race) for holder in (found.first, found.second)):
        return _OWNER
    # Who took over may not know yet what its predecessor sent last; nobody else may write what it does not know.
    if any(begun.seconds - late <= reign.seconds and reign.revision < begun.revision for reign in record.reigns[1:]):
        return _LATE
    return "under one leader"


def find_wrong_survivors(duplicates: Iterable[Duplicate]) -> Iterator[str]:
    """Of two that were given one address, the older one keeps it, unless its owner took part in it."""
    for one in duplicates:
        ended = one.ended
        if ended is None or ended.before is None or ended.after is None or ended.before.demand != ended.after.demand:
            continue
        older = min((one.first, one.second), key=lambda uid: _precedence(uid, one))
        if ended.uid == older:
            yield f"{one}: the older one has lost it"


def _precedence(uid: str, one: Duplicate) -> tuple[int, str, str]:
    version = one.versions[0] if uid == one.first else one.versions[1]
    return -len(version.held), version.created, version.name


def _shared_shortly_before(record: Record, begun: Change, uid: str, race: float) -> bool:
    """Whether that Service was edited so shortly before the write that the writer did not know of it."""
    return uid != begun.uid and any(
        change.before and change.after and change.before.demand != change.after.demand
        for change in record.changes
        if change.uid == uid and change.revision < begun.revision and change.seconds >= begun.seconds - race
    )


def _pairs(standing: dict[str, Version], uid: str) -> Iterator[tuple[str, str, str]]:
    """The addresses of one Service that others hold as well who may not, the other one first."""
    version = standing.get(uid)
    if version is None:
        return
    for other, theirs in standing.items():
        if other != uid and not may_share(version.demand, theirs.demand):
            yield from ((address, other, uid) for address in version.held if address in theirs.held)


def _swapped(key: tuple[str, str, str]) -> tuple[str, str, str]:
    return key[0], key[2], key[1]


# An address that moves


def find_moves_without_cause(
    record: Record, duplicates: Iterable[Duplicate] = (), *, race: float = RACE_S
) -> Iterator[str]:
    """Addresses that were taken from a Service although it asked for them, the files had them, and nobody else did."""
    contested = defaultdict(list)
    for one in duplicates:
        for uid in (one.first, one.second):
            contested[uid, one.address].append(one)
    given_at: dict[tuple[str, str], int] = {}
    for change in record.changes:
        given_at.update(((change.uid, address), change.revision) for address in _gained(change))
        if change.before is None or change.after is None:
            continue
        for address in _lost(change):
            since = given_at.pop((change.uid, address), 0)
            # Of two addresses neither may stay when there is no other pair with the one that nobody else has.
            duplicates_of_it = [one for held in change.before.held for one in contested[change.uid, held]]
            was_contested = any(_is_near(one, change, race) for one in duplicates_of_it)
            if not was_contested and _stands(change, _in_force(record.files, since, change.revision)):
                versions = f"{change.before} -> {change.after.held}"
                yield f"{change.before.name} loses {address} at {change.revision} without a cause: {versions}"


def _stands(change: Change, files: Iterable[Files]) -> bool:
    """Whether a Service could have kept what it held, by its own demand and by all files that may have counted."""
    before, after = change.before, change.after
    assert before is not None
    assert after is not None
    # One that the owner's own edit took away is what the edit asked for.
    return all(
        is_lawful(before.held, demand, state.pools) for state in files for demand in (before.demand, after.demand)
    )


def _in_force(files: Iterable[Files], since: int, until: int) -> list[Files]:
    """Those that could take something away in that time; each counts until the next one that can."""
    taking = [state for state in files if not state.held and state.revision <= until]
    earlier = [state for state in taking if state.revision <= since]
    return earlier[-1:] + [state for state in taking if state.revision > since]


def _is_near(one: Duplicate, change: Change, race: float) -> bool:
    return one.begun.revision <= change.revision and (
        one.ended is None or one.ended.revision >= change.revision or one.ended.seconds >= change.seconds - race
    )


# What is given


def find_wrong_gifts(record: Record) -> Iterator[str]:
    """Addresses given to a Service that did not ask for them, or by no files that could be known by then."""
    for change in record.changes:
        after = change.after
        if after is None or not after.demand.is_ours or not _gained(change):
            continue
        known = [state for state in record.files if state.revision <= change.revision]
        # The last two, and what the last one that is held leaves in force.
        possible = known[-2:] + [state for state in known if not state.held][-1:]
        # A second address comes from the pool of the first, whoever else may have addresses of that.
        rule = is_lawful if change.before and set(change.before.held) & set(after.held) else may_be_given
        if not any(rule(after.held, after.demand, state.pools) for state in possible):
            yield f"{after.name} is given {', '.join(after.held)} at {change.revision}, against the files or its wish"


# How it ends


def find_wrong_endings(record: Record) -> Iterator[str]:
    """Whoever holds what no pool has, or nothing although it could be served; after everything has come to rest."""
    standing = record.standing()
    pools = record.files[-1].pools if record.files else ()
    owned = frozenset(address for pool in pools for address in pool.addresses)
    holders = _holders(standing)
    for uid, version in standing.items():
        if not version.demand.is_ours:
            continue
        if strange := [address for address in version.held if address not in owned]:
            yield f"{version.name} holds {', '.join(strange)}, which no pool has"
        content = version.held and is_lawful(version.held, version.demand, pools)
        if not content and (free := _could_have(uid, version, pools, standing, holders)):
            yield f"{version.name} holds {', '.join(version.held) or 'nothing'}, but {', '.join(free)} could be given"


def _could_have(
    uid: str, version: Version, pools: Iterable[Pool], standing: dict[str, Version], holders: dict[str, set[str]]
) -> tuple[str, ...] | None:
    demand = version.demand

    def is_free(address: str) -> bool:
        return all(may_share(demand, standing[other].demand) for other in holders.get(address, set()) - {uid})

    for pool in pools:
        free = [sorted(a for a in pool.addresses if _family(a) == family and is_free(a)) for family in demand.families]
        # All addresses of a family are alike, unless some are asked for by name.
        choices = [[a for a in one if a in demand.addresses] if demand.addresses else one[:1] for one in free]
        for found in product(*choices):
            if may_be_given(found, demand, (pool,)):
                return found
    return None


def _holders(standing: dict[str, Version]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for uid, version in standing.items():
        for address in version.held:
            found[address].add(uid)
    return found


def _gained(change: Change) -> tuple[str, ...]:
    before = change.before.held if change.before else ()
    return tuple(address for address in change.after.held if address not in before) if change.after else ()


def _lost(change: Change) -> tuple[str, ...]:
    after = change.after.held if change.after else ()
    return tuple(address for address in change.before.held if address not in after) if change.before else ()
