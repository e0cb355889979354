"""Opening a connection to a peer, and the reason in words where it does not open."""

import asyncio
import socket
from collections.abc import Callable

from reconciler.bgp.kernel_refusals import why_not_connected
from reconciler.bgp.parameters import SessionParameters
from reconciler.bgp.remote import Reach, Remote
from reconciler.bgp.sockets import TransportError, guard, socket_address, unconnected
from reconciler.errors import ReconcilerError

# Seconds. As long as MetalLB waits; a kernel would for two minutes, and then knows no more.
CONNECT_TIMEOUT = 10.0
# Of the ConnectRetry time, which is at least 0.75 of what is configured: the machine would give up without knowing why.
_SHARE = 0.7
# An interface or an address may appear.
_LOOK_INTERVAL = 1.0


class DialError(ReconcilerError):
    """The connection did not open; the message is the cause in words."""


def patience(parameters: SessionParameters) -> float:
    """How long a connection of a session may take to open, in seconds."""
    configured = parameters.connect_retry_time
    return CONNECT_TIMEOUT if configured is None else min(CONNECT_TIMEOUT, _SHARE * configured)


async def dial(
    remote: Remote,
    reach: Reach,
    timeout: float,
    where: Callable[[], bytes | None],
    tell: Callable[[str | None], None],
) -> socket.socket:
    """
    Open a connection.

    Args:
        remote: How to reach the peer.
        reach: How far packets may travel.
        timeout: Seconds, from where it can be tried.
        where: The address of the peer; None as long as it is not known.
        tell: Called with what keeps us from trying, which is looked at again each second; None where nothing does.

    Raises:
        DialError: It was tried, and failed.
    """
    made, address = await _unconnected(remote, reach, where, tell)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(made, socket_address(address, remote.port, remote.interface))
        guard(made)
    except TransportError as exc:
        made.close()
        raise DialError(str(exc)) from exc
    except OSError as exc:
        made.close()
        has_password, is_one_hop = remote.password is not None, reach.ttl == 1
        raise DialError(why_not_connected(exc, has_password=has_password, is_one_hop=is_one_hop)) from exc
    except BaseException:
        made.close()
        raise
    return made


async def _unconnected(
    remote: Remote, reach: Reach, where: Callable[[], bytes | None], tell: Callable[[str | None], None]
) -> tuple[socket.socket, bytes]:
    while True:
        try:
            address = where()
            if address is not None:
                socket_address(address, remote.port, remote.interface)
                made = unconnected(remote, address, reach)
                tell(None)
                return made, address
            tell(f"no router advertisement of the peer was heard on {remote.interface} yet")
        except TransportError as exc:
            tell(str(exc))
        await asyncio.sleep(_LOOK_INTERVAL)
