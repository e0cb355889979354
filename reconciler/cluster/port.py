"""What a role asks of any cluster, and how a cluster says no."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from reconciler.errors import ReconcilerError
from reconciler.membership.lease import LeaseRecord, StoredLease
from reconciler.model.observed import Endpoint, ObservedState, ServiceKey
from reconciler.plan.actions import ServiceAction

# What kinship encrypts with (XChaCha20-Poly1305).
MEMBERSHIP_KEY_OCTETS = 32


class ClusterError(ReconcilerError):
    """The cluster could not be read or written; the message names the file or the object, and the field."""


class Conflict(ClusterError):  # noqa: N818 - the word of the API: 409 Conflict
    """The Service is no longer what the action was decided on: a reason to look again."""


class NotSynced(ClusterError):  # noqa: N818 - a state, not a fault
    """Nothing was read completely yet; the message says what is missing."""


class NotLeading(ClusterError):  # noqa: N818 - a state, not a fault
    """Another process may be writing by now, so nothing was sent."""


class Cluster(Protocol):
    """The Kubernetes API, or something that looks like it."""

    async def observe(self) -> ObservedState:
        """
        Read everything a decision may depend on.

        Services that did not change since the last look are the same objects, and so is everything else that stands.

        Raises:
            NotSynced: There is nothing to conclude from yet.
            ClusterError: Something could not be read; nothing may be concluded from what could.
        """
        ...

    async def endpoints(self) -> Mapping[ServiceKey, tuple[Endpoint, ...]]:
        """
        The endpoints of all Services, read at this moment: for a role that does not follow them all the time.

        Raises:
            ClusterError: They could not be read.
        """
        ...

    async def catch_up(self) -> None:
        """
        See to it that the next look shows what is so now: another process may have written a moment ago.

        Raises:
            ClusterError: Something could not be read.
        """
        ...

    def changes(self) -> AsyncIterator[str]:
        """Reasons to look again, for the log; never what changed."""
        ...

    async def apply(self, action: ServiceAction) -> None:
        """
        Write one action to the status of its Service, or record its Event.

        Where a plan names a Service twice, both actions carry the version that was observed; the second is accepted
        as long as nobody wrote after the first. What was written is seen by the next look. An Event may be written
        later than this returns. For a role that writes Services it is left out where the same was said since the last
        write of its Service's addresses or condition.

        Raises:
            Conflict: The Service changed, or went away, since it was observed.
            NotLeading: We may not write any more.
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


class StatusBoard(Protocol):
    """Where a role says how it is, for everybody to read: one document for each name."""

    async def published(self, name: str) -> bytes | None:
        """
        The document as it stands, None when there is none.

        Raises:
            ClusterError: It could not be read.
        """
        ...

    async def publish(self, name: str, document: bytes) -> None:
        """
        Replace the document; nothing is written when it says the same already.

        Raises:
            NotLeading: We may not write any more.
            ClusterError: It could not be written.
        """
        ...


class Herald(Protocol):
    """Events about the program itself: on its Pod, and on the ConfigMap that it is configured by."""

    async def announce(self, type: str, reason: str, message: str) -> None:  # noqa: A002 - the word of the API
        """Record an Event on both, as far as they are known; `type` is Normal or Warning. Failures are logged only."""
        ...


class Leases(Protocol):
    """The one record by which replicas choose their leader."""

    async def read(self) -> StoredLease | None:
        """
        The record as it stands, None when there is none.

        Raises:
            ClusterError: It could not be read.
        """
        ...

    async def write(self, record: LeaseRecord, replaces: StoredLease | None) -> StoredLease:
        """
        Create the record, or replace exactly the one that was read.

        Raises:
            Conflict: Somebody else wrote meanwhile.
            ClusterError: It could not be written.
        """
        ...

    def changes(self) -> AsyncIterator[None]:
        """Tells each time the record may have changed; never ends, and may miss a change."""
        ...


class MembershipKeys(Protocol):
    """The key that encrypts what speakers say to each other: made once, and the same for all of them."""

    async def membership_key(self) -> bytes | None:
        """
        The key, None when nobody has made it yet.

        Raises:
            ClusterError: It could not be read, or what is there is no key.
        """
        ...

    async def ensure_membership_key(self) -> bytes:
        """
        The key, which is made where there is none; one that is there is never replaced.

        Raises:
            ClusterError: It could not be read or written, or what is there is no key.
        """
        ...


class SpeakerPods(Protocol):
    """Where other speakers may be reached, to find the group."""

    async def addresses(self) -> Sequence[str]:
        """
        The addresses of their Pods without our own, sorted; that of a Pod is its node's. Some may not answer.

        Raises:
            ClusterError: They could not be listed.
        """
        ...
