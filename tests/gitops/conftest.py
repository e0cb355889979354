"""Corners of the shared API server, as for the loop, and the command line, as for the commands."""

from tests.cli.conftest import reconciler
from tests.loop.conftest import corner, new_corner

__all__ = ["corner", "new_corner", "reconciler"]
