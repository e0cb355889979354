"""
The controller on a real API server, beside bare clients of the same server in the same run.

One server and one set of Services, which grows, serve all of it; what is measured is taken in turn with its floor, so
that a busy minute of the machine meets both.
"""

import asyncio
from collections.abc import Iterator

from benchmarks import delivering, listing, serving, watching
from benchmarks.many_services import ManyServices, api_server, client_of
from benchmarks.measure import Beside

# Services, and how often each of both ways to serve them is measured.
_SIZES = ((1_000, 3), (4_000, 2), (10_000, 2))


def rows() -> Iterator[Beside]:
    """Serving at each size; then, with the most Services: reading them, one that changes, and a change of the files."""
    with api_server() as (control_plane, corner), asyncio.Runner() as runner:
        client = runner.run(client_of(control_plane))
        try:
            world = ManyServices(control_plane, corner, client)
            for size, times in _SIZES:
                runner.run(world.grow(size))
                yield runner.run(serving.measured(world, times))
                if size == _SIZES[0][0]:
                    yield from runner.run(delivering.measured(world, corner.config.parent / "few"))
            yield runner.run(listing.measured(world))
            yield from runner.run(watching.measured(world))
            yield from runner.run(delivering.measured(world, corner.config.parent / "many"))
        finally:
            runner.run(client.close())
