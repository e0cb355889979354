"""Whom `reconciler preflight` asks: the network for addresses, and other speakers for a connection. At most seconds."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

from reconciler.addresses.family import Address, unpacked
from reconciler.announcers.voice import carries
from reconciler.cli.preflight_facts import Answer
from reconciler.l2 import arp, ndp
from reconciler.l2.port import Claim, LinkState, Port
from reconciler.l2.transport import Frames, MissingCapabilityError
from reconciler.membership.seeds import endpoint, host_of

# RFC 5227 section 1.1 has three probes and waits two seconds after the last one: for hosts that sleep. A question lost
# on a busy link is what one more is for. Seconds.
_PROBES, _BETWEEN, _LISTEN = 2, 0.3, 0.7
_CONNECT = 1.5


async def ask_for(
    addresses: Sequence[Address], links: Iterable[LinkState]
) -> tuple[tuple[Answer, ...], tuple[tuple[str, str], ...]]:
    """Who says that one of these addresses is his, and on which links nobody could be asked, with the reason."""
    found: dict[tuple[bytes, bytes, str], Answer] = {}

    def on_claim(claim: Claim) -> None:
        answer = Answer(unpacked(claim.address), claim.mac.hex(":"), claim.link)
        found[claim.address, claim.mac, claim.link] = answer

    frames, unprobed = Frames(), []
    try:
        ports: list[Port] = []
        for link in links:
            try:
                ports.append(frames.open(link, on_claim))
            except (OSError, MissingCapabilityError) as exc:
                unprobed.append((link.name, str(exc)))
        for port in ports:
            for address in addresses:
                port.watch(address.packed)
        for _ in range(_PROBES):
            for port in ports:
                _probe(port, addresses)
            await asyncio.sleep(_BETWEEN)
        await asyncio.sleep(_LISTEN)
    finally:
        frames.close()
    return tuple(found[key] for key in sorted(found)), tuple(unprobed)


def _probe(port: Port, addresses: Iterable[Address]) -> None:
    for address in addresses:
        if carries(port.state, address.packed, None):
            build = arp.probe if len(address.packed) == 4 else ndp.probe
            port.send(build(port.state.mac, address.packed))


async def unreachable(seeds: Iterable[str], port: int) -> tuple[tuple[str, str], ...]:
    """The seeds that take no connection by TCP, with the reason; `port` is for those that name none."""
    places = [endpoint(seed, port) for seed in seeds]
    reasons = await asyncio.gather(*map(_why_unreachable, places))
    return tuple((place, reason) for place, reason in zip(places, reasons, strict=True) if reason is not None)


async def _why_unreachable(place: str) -> str | None:
    try:
        async with asyncio.timeout(_CONNECT):
            _, writer = await asyncio.open_connection(host_of(place), int(place.rpartition(":")[2]))
    except TimeoutError:
        return f"no answer within {_CONNECT} s"
    except OSError as exc:
        # asyncio words it by the call that failed.
        return os.strerror(exc.errno) if exc.errno and exc.errno > 0 else str(exc)
    except (ValueError, OverflowError) as exc:
        return str(exc)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return None
