"""
Gossip as it behaves, without its protocol: what every member believes of every other, late and after losses.

Facts come by message within milliseconds, or else by gossip within a second; the dead are known after 0.9 to 1.3 s,
and those that are back within a second, not at the same time on both sides. Who joins knows the others first.
"""

from collections.abc import Callable
from itertools import permutations
from random import Random
from typing import Protocol

from reconciler.membership.facts import Facts, Peer
from reconciler.membership.messages import Message, decode, encode
from reconciler.membership.roster import Attendance
from reconciler.model.observed import NodeName
from tests.simulation.network import Switch
from tests.simulation.timeline import Timeline

# When members agree on who is there, after the last of them came, went, was cut off or came back; in seconds.
DETECTION = 1.3
REUNION = 0.9
JOINED = 0.5
GOSSIP = 1.0


class Fellow(Protocol):
    """A member, as the group knows it."""

    facts: Facts
    epoch: int
    attendance: Attendance

    def members_changed(self) -> None:
        """`Group.peers` may differ."""
        ...

    def reunited(self) -> None:
        """Somebody was alive apart from us."""
        ...

    def heard(self, node: NodeName, message: Message) -> None:
        """A member says something."""
        ...


class Group:
    """Who is there, as each member believes. `loss` is the share of messages that get lost."""

    def __init__(self, timeline: Timeline, chance: Random, switch: Switch, loss: float) -> None:
        self.loss = loss
        self._timeline = timeline
        self._chance = chance
        self._switch = switch
        self._fellows: dict[NodeName, Fellow] = {}
        self._sequence = 0
        # What one believes of another: the number of the news, the epoch, and the facts.
        self._views: dict[tuple[NodeName, NodeName], tuple[int, int, Facts]] = {}
        # Changes whenever one may have to change its mind about the other.
        self._links: dict[tuple[NodeName, NodeName], tuple[bool, int]] = {}

    def peers(self, node: NodeName) -> list[Peer]:
        """The live members as one of them believes, itself left out."""
        return [
            Peer(node=other, address=other, epoch=epoch, facts=facts)
            for (one, other), (_, epoch, facts) in self._views.items()
            if one == node
        ]

    def join(self, node: NodeName, fellow: Fellow) -> None:
        """A new run of a member has found those that it can reach."""
        self._fellows[node] = fellow
        for pair in [pair for pair in self._links if node in pair]:
            self._links[pair] = (False, self._token(*pair) + 1)
        for other in [other for other in self._fellows if self._switch.are_connected(node, other)]:
            if other != node:
                for pair in ((node, other), (other, node)):
                    self._links[pair] = (True, self._token(*pair) + 1)
                self._learn(node, other)
                delay = self._chance.uniform(0.005, JOINED)
                self._timeline.after(delay, self._finding_out(other, node, self._token(other, node)))
        self.look()

    def leave(self, node: NodeName) -> None:
        """A member says that it goes."""
        gone = self._fellows.pop(node, None)
        if gone is None:
            return
        self._views = {pair: view for pair, view in self._views.items() if pair[0] != node}
        for other in self._fellows:
            if self._switch.are_connected(node, other):
                self._timeline.after(self._chance.uniform(0.001, 0.05), self._leaving(other, node, gone.epoch))
        self.look()

    def crash(self, node: NodeName) -> None:
        """A member is gone without a word."""
        self._fellows.pop(node, None)
        self._views = {pair: view for pair, view in self._views.items() if pair[0] != node}
        self.look()

    def look(self) -> None:
        """Who can reach whom may have changed: all of them will find out."""
        for one, other in permutations({*self._fellows, *(b for _, b in self._views)}, 2):
            if one not in self._fellows:
                continue
            is_up = other in self._fellows and self._switch.are_connected(one, other)
            was_up, token = self._links.get((one, other), (False, 0))
            if is_up != was_up:
                self._links[one, other] = (is_up, token + 1)
                delay = self._chance.uniform(0.05, REUNION) if is_up else self._chance.uniform(0.9, DETECTION)
                self._timeline.after(delay, self._finding_out(one, other, token + 1))

    def publish(self, node: NodeName) -> None:
        """A member has other facts from now on."""
        for other in self._fellows:
            if other != node:
                is_lost = self._chance.random() < self.loss
                delay = self._chance.uniform(0.2, GOSSIP) if is_lost else self._chance.uniform(0.001, 0.005)
                self._timeline.after(delay, self._news(other, node, self._next(), self._fellows[node]))

    def send(self, sender: NodeName, to: NodeName, message: Message) -> None:
        """Carry a datagram."""
        if (sender, to) in self._views and self._chance.random() >= self.loss:
            self._timeline.after(self._chance.uniform(0.001, 0.005), self._delivery(sender, to, encode(message)))

    def send_all(self, sender: NodeName, message: Message) -> None:
        """Carry a datagram to every other member."""
        for peer in self.peers(sender):
            self.send(sender, peer.node, message)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _token(self, one: NodeName, other: NodeName) -> int:
        return self._links.get((one, other), (False, 0))[1]

    def _delivery(self, sender: NodeName, to: NodeName, data: bytes) -> Callable[[], None]:
        def deliver() -> None:
            # Who is not known as a member yet, or any more, is not listened to.
            if to in self._fellows and (to, sender) in self._views and self._switch.are_connected(sender, to):
                self._fellows[to].heard(sender, decode(data))

        return deliver

    def _news(self, one: NodeName, other: NodeName, number: int, fellow: Fellow) -> Callable[[], None]:
        facts = fellow.facts

        def arrive() -> None:
            known = self._views.get((one, other))
            if known is None or one not in self._fellows or not self._switch.are_connected(one, other):
                return
            if known[1] == fellow.epoch and known[0] < number:
                self._views[one, other] = (number, fellow.epoch, facts)
                self._fellows[one].attendance.updated(other, facts)
                self._fellows[one].members_changed()

        return arrive

    def _finding_out(self, one: NodeName, other: NodeName, token: int) -> Callable[[], None]:
        def find_out() -> None:
            if self._token(one, other) != token or one not in self._fellows:
                return
            if self._links[one, other][0]:
                self._learn(one, other)
            elif self._views.pop((one, other), None) is not None:
                self._fellows[one].attendance.died(other)
                self._fellows[one].members_changed()

        return find_out

    def _learn(self, one: NodeName, other: NodeName) -> None:
        """One finds the other, or a new run of it, with its facts of this instant."""
        if other not in self._fellows or one not in self._fellows:
            return
        mine, found = self._fellows[one], self._fellows[other]
        known = self._views.get((one, other))
        self._views[one, other] = (self._next(), found.epoch, found.facts)
        if known is not None and known[1] == found.epoch:
            mine.attendance.updated(other, found.facts)
        else:
            if known is not None:
                mine.attendance.left(other, known[2], self._timeline.now)
            if mine.attendance.joined(other, found.facts, self._timeline.now):
                mine.reunited()
                self._timeline.after(0.002, self._telling_apart(one, other))
        mine.members_changed()

    def _telling_apart(self, one: NodeName, other: NodeName) -> Callable[[], None]:
        def tell() -> None:
            if other in self._fellows and self._switch.are_connected(one, other):
                fellow = self._fellows[other]
                if fellow.attendance.reunited(one, self._timeline.now):
                    fellow.reunited()

        return tell

    def _leaving(self, one: NodeName, other: NodeName, epoch: int) -> Callable[[], None]:
        def leave() -> None:
            known = self._views.get((one, other))
            if one in self._fellows and known is not None and known[1] == epoch:
                del self._views[one, other]
                self._links[one, other] = (False, self._token(one, other) + 1)
                self._fellows[one].attendance.left(other, known[2], self._timeline.now)
                self._fellows[one].members_changed()

        return leave
