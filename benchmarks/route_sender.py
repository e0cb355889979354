"""
Our BGP, with a table that is wanted before there is a session.

`python -m benchmarks.route_sender COUNT CHANGES` tells it, and then so many single changes; it prints when each of them
began, in seconds on the monotonic clock, and at last the processor time, in seconds, from the session until all was
told.
"""

import asyncio
import signal
import sys
import time

from benchmarks.route_table import (
    PAUSE,
    RECEIVER_ADDRESS,
    RECEIVER_ASN,
    SENDER_ASN,
    SETTLING,
    fill,
    nth_change,
    prefixes,
)
from reconciler.bgp.events import Established, Event
from reconciler.bgp.families import Family
from reconciler.bgp.notification import Cease
from reconciler.bgp.parameters import SessionParameters
from reconciler.bgp.transport import Remote, Transport

_PATIENCE = 60.0


async def _run(count: int, changes: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    established: asyncio.Future[float] = loop.create_future()

    def heard(event: Event) -> None:
        if isinstance(event, Established) and not established.done():
            established.set_result(time.process_time())

    table = prefixes(count)
    transport = Transport("sender")
    parameters = SessionParameters(local_asn=SENDER_ASN, remote_asn=RECEIVER_ASN, families=frozenset({Family.IPV4}))
    neighbor = transport.open(parameters, Remote(address=RECEIVER_ADDRESS.packed), heard)
    fill(neighbor.rib, table)
    began = await established
    await neighbor.drained(_PATIENCE)
    used = time.process_time() - began
    for number in range(changes):
        await asyncio.sleep(PAUSE if number else SETTLING)
        print(time.monotonic())
        nth_change(neighbor.rib, table, number)
        neighbor.tell()
    print(used, flush=True)
    await stopped.wait()
    await neighbor.close(Cease.ADMINISTRATIVE_SHUTDOWN)
    transport.close()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2])))
