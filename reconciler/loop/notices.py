"""
What became of the configuration, said once: to the log, and as Events on our own Pod and ConfigMap.

Everybody who looks at the cluster should find out that their last commit is not what runs.
"""

import logging

from reconciler.cluster.port import Herald
from reconciler.loop.configuration import Newest
from reconciler.model.origin import Severity
from reconciler.plan.guard import Verdict

_LOG = logging.getLogger(__name__)
# The API server refuses longer messages of Events (core/v1, Event validation).
_EVENT_MESSAGE_OCTETS = 1024
_LINES_LOGGED = 20


class Notices:
    """Says what is new, and only when it is."""

    def __init__(self, herald: Herald) -> None:
        self._herald = herald
        self._said: tuple[str, str] | None = None

    def forget(self) -> None:
        """Say what stands once more: somebody else may have been speaking meanwhile."""
        self._said = None

    async def refused(self, newest: Newest, in_force: str | None) -> None:
        """The files are not valid, and something else stays in force."""
        why = newest.why_refused
        if why is None or not self._is_new("ConfigurationRefused", f"{newest.revision} {why}"):
            return
        instead = f"{in_force} stays in force" if in_force else "nothing is in force yet"
        for problem in [p for p in newest.problems if p.severity is Severity.ERROR][:_LINES_LOGGED]:
            _LOG.error("%s: error[%s]: %s", problem.origin, problem.code, problem.message)
        message = f"revision {newest.revision or 'unknown'} is refused, {instead}: {why}"
        await self._say("Warning", "ConfigurationRefused", message)

    async def held(self, revision: str | None, verdict: Verdict) -> None:
        """The guard holds the plan of a revision back."""
        if self._is_new("PlanHeld", f"{revision} {verdict.digest}"):
            await self._say("Warning", "PlanHeld", f"revision {revision} is held: {verdict.reason}")

    async def applied(self, revision: str | None) -> None:
        """A revision is in force from now on."""
        if self._is_new("ConfigurationApplied", f"{revision}"):
            await self._say("Normal", "ConfigurationApplied", f"revision {revision} is in force")

    def _is_new(self, reason: str, fact: str) -> bool:
        before, self._said = self._said, (reason, fact)
        return before != self._said

    async def _say(self, type: str, reason: str, message: str) -> None:  # noqa: A002 - the word of the API
        _LOG.log(logging.WARNING if type == "Warning" else logging.INFO, "%s", message)
        await self._herald.announce(type, reason, _cut(message))


def _cut(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= _EVENT_MESSAGE_OCTETS:
        return message
    return encoded[: _EVENT_MESSAGE_OCTETS - 3].decode(errors="ignore") + "..."
