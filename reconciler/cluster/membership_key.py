"""The speakers' key as a Secret in our own namespace: the port `MembershipKeys`. What it holds is never shown."""

import logging
import secrets
from base64 import b64decode, b64encode

import msgspec

from reconciler.cluster.api_errors import ApiError, NotFound
from reconciler.cluster.connection import Connection
from reconciler.cluster.port import MEMBERSHIP_KEY_OCTETS, ClusterError, Conflict

_LOG = logging.getLogger(__name__)
_KEY = "key"
_LABELS = {"app.kubernetes.io/name": "lb-reconciler", "app.kubernetes.io/component": "membership"}
_FORBIDDEN = 403
# In seconds.
_TIMEOUT = 10.0


class _Data(msgspec.Struct, frozen=True):
    key: str | None = None


class _Secret(msgspec.Struct, frozen=True):
    data: _Data | None = None


class MembershipSecret:
    """One Secret by its name, of type Opaque, with the key under `key`."""

    def __init__(self, connection: Connection, *, namespace: str, name: str) -> None:
        self._connection = connection
        self._collection = f"/api/v1/namespaces/{namespace}/secrets"
        self._name = name
        self._shown = f'Secret "{namespace}/{name}"'
        self._namespace = namespace

    async def membership_key(self) -> bytes | None:
        """
        The key, None when there is no such Secret yet.

        Raises:
            ClusterError: It could not be read, or what it holds is no key.
        """
        try:
            raw = await self._connection.request("GET", f"{self._collection}/{self._name}", timeout=_TIMEOUT)
        except NotFound:
            return None
        except ApiError as exc:
            raise self._explained(exc, "get") from exc
        return self._key_in(raw)

    async def ensure_membership_key(self) -> bytes:
        """
        The key; where there is no such Secret, it is created with 32 random octets.

        Raises:
            ClusterError: It could not be read or created, or what it holds is no key.
        """
        for _ in range(2):
            found = await self.membership_key()
            if found is not None:
                return found
            made = secrets.token_bytes(MEMBERSHIP_KEY_OCTETS)
            try:
                await self._create(made)
            except Conflict:
                continue  # Somebody else was first, and his key is the one.
            _LOG.info("%s with the speakers' key is created", self._shown)
            return made
        raise ClusterError(f"{self._shown}: it exists, and then again it does not: who deletes it?")

    async def _create(self, key: bytes) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self._name, "labels": _LABELS},
            "type": "Opaque",
            "data": {_KEY: b64encode(key).decode()},
        }
        try:
            await self._connection.request("POST", self._collection, body=msgspec.json.encode(body), timeout=_TIMEOUT)
        except NotFound as exc:
            raise ClusterError(f'there is no namespace "{self._namespace}" for the {self._shown}') from exc
        except Conflict:
            raise
        except ApiError as exc:
            raise self._explained(exc, "create") from exc

    def _key_in(self, raw: bytes) -> bytes:
        # No message quotes what was read, nor does the chain of causes: msgspec's do not, and b64decode's might.
        try:
            found = _SECRET.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ClusterError(f"{self._shown}: {exc}") from None
        encoded = found.data.key if found.data else None
        if encoded is None:
            raise self._unusable(f'it has no key "{_KEY}"')
        try:
            key = b64decode(encoded, validate=True)
        except ValueError:
            raise self._unusable(f'its key "{_KEY}" is not base64') from None
        if len(key) != MEMBERSHIP_KEY_OCTETS:
            raise self._unusable(f'its key "{_KEY}" has {len(key)} octets instead of {MEMBERSHIP_KEY_OCTETS}')
        return key

    def _unusable(self, why: str) -> ClusterError:
        return ClusterError(
            f"{self._shown}: {why}: delete it, and the controller makes a new one as soon as it is started; "
            "speakers that run keep the former key until they are restarted"
        )

    def _explained(self, error: ApiError, verb: str) -> ClusterError:
        if error.status != _FORBIDDEN:
            return error
        return ClusterError(f"no right to {verb} the {self._shown}: {error}")


_SECRET = msgspec.json.Decoder(_Secret)
