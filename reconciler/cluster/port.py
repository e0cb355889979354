"""What a role asks of any cluster, and how a cluster says no."""

from collections.abc import AsyncIterator
from typing import Protocol

from reconciler.errors import ReconcilerError
from reconciler.model.observed import ObservedState
from reconciler.plan.actions import ServiceAction


class ClusterError(ReconcilerError):
    """The cluster could not be read or written; the message names the file or the object, and the field."""


class Conflict(ClusterError):  # noqa: N818 - the word of the API: 409 Conflict
    """The Service is no longer what the action was decided on: a reason to look again."""


class Cluster(Protocol):
    """The Kubernetes API, or something that looks like it."""

    async def observe(self) -> ObservedState:
        """
        Read everything a decision may depend on.

        Raises:
            ClusterError: Something could not be read; nothing may be concluded from what could.
        """
        ...

    def changes(self) -> AsyncIterator[str]:
        """Reasons to look again, for the log; never what changed."""
        ...

    async def apply(self, action: ServiceAction) -> None:
        """
        Write one action to the status of its Service, or record its Event.

        Where a plan names a Service twice, both actions carry the version that was observed; the second is accepted
        as long as nobody wrote after the first. A plan is abandoned at the first action that fails: later ones may
        give away an address that was to be freed.

        Raises:
            Conflict: The Service changed, or went away, since it was observed.
            ClusterError: It could not be written.
        """
        ...

    async def secret(self, name: str) -> bytes:
        """
        The value of the key `password` of a Secret in our own namespace; read when a peer is opened, never kept.

        Raises:
            ClusterError: There is no such Secret, or it has no password.
        """
        ...
