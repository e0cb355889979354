"""Corners of the shared API server for controllers under test."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane
from tests.controlplane.rights import Right
from tests.loop.corner import Corner

NewCorner: TypeAlias = Callable[[], Corner]


@pytest.fixture(scope="session")
def new_corner(
    control_plane: ControlPlane, api: Api, rbac: frozenset[Right], tmp_path_factory: pytest.TempPathFactory
) -> NewCorner:
    """Makes a corner each time it is called, for tests that share one."""
    assert rbac
    return lambda: Corner(control_plane, api, tmp_path_factory.mktemp("corner"))


@pytest.fixture
def corner(new_corner: NewCorner) -> Corner:
    """A corner of this test."""
    return new_corner()
