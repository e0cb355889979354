"""
The routes of one family toward one peer: what he should hear, and what he has heard of it in this session. No I/O.

What a peer has heard is kept only where it differs from what he should hear: a table that is told costs one entry a
route, and each change the same, however many there are. A change that is undone before it was told leaves nothing.
Without a session all is yet to be told, so that a session begins with the first message at once.
"""

from collections.abc import Callable
from enum import Enum, auto
from itertools import chain

from reconciler.bgp.attributes import PathAttributes
from reconciler.bgp.families import Prefix
from reconciler.bgp.routes import RouteAttributes
from reconciler.bgp.updates import UpdateForm, take_prefixes

# None where not even one prefix fits into a message with them: for the same attributes throughout a session.
Write = Callable[[RouteAttributes], PathAttributes | None]

_UNWRITTEN = PathAttributes(None, b"")


class _Unlike(Enum):
    """What a peer may have heard of a prefix other than the octets of attributes."""

    NOTHING = auto()
    OUTDATED = auto()  # something that he must be told again, even if it is the same


# Octets, because attributes may differ in what this peer is not told.
_Heard = bytes | _Unlike


class _Group:
    """Routes with the same attributes: how many there are, those that are yet to be told, and how they are written."""

    __slots__ = ("attributes", "fits", "path", "pending", "room", "size")

    def __init__(self, attributes: RouteAttributes) -> None:
        self.attributes = attributes
        self.size = 0
        self.pending: dict[Prefix, None] = {}
        self.path = _UNWRITTEN
        self.room = 0
        self.fits = True

    def write(self, form: UpdateForm, write: Write) -> None:
        path = write(self.attributes)
        self.fits = path is not None
        self.path = path or _UNWRITTEN
        self.room = form.room(self.path)


class FamilyRoutes:
    """
    Every prefix is told at most once a turn, the ones that have waited longest in the first turn.

    Routes whose attributes do not fit into a message are not told (RFC 8654 section 4).
    """

    def __init__(self) -> None:
        self._wanted: dict[Prefix, _Group] = {}
        self._groups: dict[RouteAttributes, _Group] = {}
        self._form: UpdateForm | None = None
        self._write: Write = _unwritten
        # What the peer has heard of prefixes that are yet to be announced, and of those yet to be withdrawn.
        self._replaced: dict[Prefix, _Heard] = {}
        self._withdrawn: dict[Prefix, _Heard] = {}
        # How many are yet to be announced. They are in their groups, but for those of the group whose turn it is.
        self._pending = 0
        self._waiting: dict[_Group, None] = {}
        self._turn: list[_Group] = []
        self._serving: dict[Prefix, None] = {}
        self._served: _Group | None = None

    def announce(self, prefix: Prefix, attributes: RouteAttributes) -> None:
        """The peer should hear of that."""
        before = self._wanted.get(prefix)
        if before is not None and (before.attributes is attributes or before.attributes == attributes):
            return
        group = self._groups.get(attributes) or self._new_group(attributes)
        self._wanted[prefix] = group
        group.size += 1
        self._tell(prefix, group, self._retract(prefix, before))
        if before is not None:
            self._shrink(before)

    def withdraw(self, prefix: Prefix) -> None:
        """The peer should not hear of that any more."""
        before = self._wanted.pop(prefix, None)
        if before is None:
            return
        heard = self._retract(prefix, before)
        if heard is not _Unlike.NOTHING:
            self._withdrawn[prefix] = heard
        self._shrink(before)

    def begin(self, form: UpdateForm, write: Write) -> None:
        """The peer knows nothing and is told all; `write` gives the octets of attributes. There is no session yet."""
        self._form, self._write = form, write
        for group in self._groups.values():
            group.write(form, write)
            if not group.fits:
                self._waiting.pop(group, None)
                self._pending -= len(group.pending)
                group.pending = {}

    def end(self) -> None:
        """Nothing is told any more."""
        if self._form is None:
            return
        self._form, self._write = None, _unwritten
        self._replaced, self._withdrawn = {}, {}
        for group in self._groups.values():
            group.path, group.fits = _UNWRITTEN, True
        self._queue_all()

    def tell_again(self, write: Write | None = None) -> None:
        """Tell all once more, maybe with other octets."""
        if self._form is None:
            return
        if write is not None:
            self._write = write
            for group in self._groups.values():
                group.write(self._form, write)
        unheard = [prefix for prefix in self._yet_to_be_told() if prefix not in self._replaced]
        self._replaced = dict.fromkeys(self._wanted, _Unlike.OUTDATED)
        for prefix in unheard:
            del self._replaced[prefix]
        self._queue_all()

    def next_withdrawal(self) -> bytes:
        """A message, or nothing."""
        if self._form is None or not self._withdrawn:
            return b""
        prefixes = take_prefixes(self._withdrawn, self._form.withdrawal_room, self._form.longest)
        if not self._withdrawn:
            self._withdrawn = {}
        return self._form.withdrawal(b"".join(prefixes))

    def next_announcement(self) -> bytes:
        """A message, or nothing."""
        if self._form is None:
            return b""
        group = self._next_group()
        if group is None:
            return b""
        prefixes = take_prefixes(self._serving, group.room, self._form.longest)
        self._pending -= len(prefixes)
        if self._replaced:
            for prefix in prefixes:
                self._replaced.pop(prefix, None)
        return self._form.announcement(group.path, b"".join(prefixes))

    @property
    def is_all_told(self) -> bool:
        """Whether there is no message to be had."""
        return self._form is None or not (self._pending or self._withdrawn)

    @property
    def wanted(self) -> int:
        """Routes that the peer should hear of."""
        return len(self._wanted)

    @property
    def told(self) -> int:
        """Routes that the peer has heard of in this session."""
        if self._form is None:
            return 0
        unfit = sum(group.size for group in self._groups.values() if not group.fits)
        return len(self._wanted) - unfit - self._pending + len(self._replaced) + len(self._withdrawn)

    def _retract(self, prefix: Prefix, group: _Group | None) -> _Heard:
        """Forget what was to be told of a prefix that was wanted like that, and give what the peer has heard of it."""
        if group is None or not group.fits:
            return self._withdrawn.pop(prefix, _Unlike.NOTHING)
        if prefix in group.pending:
            del group.pending[prefix]
            if not group.pending:
                self._waiting.pop(group, None)
        elif prefix in self._serving:
            del self._serving[prefix]
        else:
            return group.path.others
        self._pending -= 1
        return self._replaced.pop(prefix, _Unlike.NOTHING)

    def _tell(self, prefix: Prefix, group: _Group, heard: _Heard) -> None:
        """The peer should hear of a prefix, of which nothing is to be told so far."""
        if not group.fits:
            if heard is not _Unlike.NOTHING:
                self._withdrawn[prefix] = heard
            return
        if heard is not _Unlike.NOTHING:
            if heard == group.path.others:
                return
            self._replaced[prefix] = heard
        if not group.pending:
            self._waiting[group] = None
        group.pending[prefix] = None
        self._pending += 1

    def _yet_to_be_told(self) -> set[Prefix]:
        """Prefixes that are wanted and of which the peer has not heard the latest; where they do not fit, he cannot."""
        waiting = (group.pending for group in (*self._waiting, *self._turn))
        unfit = () if self._all_fit() else (prefix for prefix, group in self._wanted.items() if not group.fits)
        return {*self._serving, *chain.from_iterable(waiting), *unfit}

    def _all_fit(self) -> bool:
        return all(group.fits for group in self._groups.values())

    def _queue_all(self) -> None:
        self._waiting, self._turn, self._serving = {}, [], {}
        for group in self._groups.values():
            group.pending = {}
        for prefix, group in self._wanted.items():
            if group.fits:
                group.pending[prefix] = None
        for group in self._groups.values():
            if group.pending:
                self._waiting[group] = None
        self._pending = sum(len(group.pending) for group in self._waiting)

    def _next_group(self) -> _Group | None:
        while not self._serving:
            if not self._turn:
                if not self._waiting:
                    # Tables that have been emptied still take the memory of all that was in them.
                    self._served, self._serving, self._replaced = None, {}, {}
                    return None
                self._turn = [*reversed(self._waiting)]
                self._waiting = {}
            self._served = group = self._turn.pop()
            self._serving, group.pending = group.pending, {}
        return self._served

    def _new_group(self, attributes: RouteAttributes) -> _Group:
        group = self._groups[attributes] = _Group(attributes)
        if self._form is not None:
            group.write(self._form, self._write)
        return group

    def _shrink(self, group: _Group) -> None:
        group.size -= 1
        if not group.size:
            del self._groups[group.attributes]


def _unwritten(_: RouteAttributes) -> None:
    return None
