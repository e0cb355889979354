"""
Our BFD in a process whose event loop has much to do.

`python -m benchmarks.bfd_speaker SERVICES` keeps a session with the receiver of `route_table`, and makes one pass after
the other over so many Services, each changed by a watch event; with none, the loop rests. It prints `up` when the
session is up; on SIGTERM how often it went down, how many packets were sent, and how many passes there were.
"""

import asyncio
import gc
import signal
import sys

from benchmarks.crowd_speaker import Crowd
from benchmarks.route_table import RECEIVER_ADDRESS
from reconciler.bfd.demultiplexing import Path
from reconciler.bfd.intervals import Parameters
from reconciler.bfd.packets import State
from reconciler.bfd.session import Event, StateChanged
from reconciler.bfd.transport import Endpoint

INTERVAL, MULTIPLIER = 0.05, 3
_PORT = 3784
# Seconds for everybody else in the loop after each pass.
_PAUSE = 0.001
# So often everything is placed anew, as a change of the files has it.
_WHOLE = 200


async def _run(count: int) -> None:
    stopped, up = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    gc.set_threshold(50_000, 20, 50)
    downs = 0

    def happened(event: Event) -> None:
        nonlocal downs
        if isinstance(event, StateChanged):
            downs += event.before == State.UP
            if event.after == State.UP:
                up.set()

    crowd = Crowd([1791, 1792])
    crowd.read(count)
    crowd.make_pass()
    gc.collect()
    gc.freeze()
    endpoint = Endpoint(_PORT)
    neighbor = endpoint.open(Path(RECEIVER_ADDRESS.packed), Parameters(INTERVAL, INTERVAL, MULTIPLIER), happened)
    await up.wait()
    print("up", flush=True)
    passes = 0
    while count and not stopped.is_set():
        passes += 1
        if passes % _WHOLE == 0:
            crowd.forget()
        crowd.services.apply(crowd.change(passes)[1])
        crowd.make_pass()
        await asyncio.sleep(_PAUSE)
    await stopped.wait()
    print(downs, neighbor.counts().sent, passes, flush=True)
    endpoint.close()
    await crowd.bgp.close()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1])))
