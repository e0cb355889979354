"""Files to the configuration in force: what is valid waits for its verdict, what is not replaces nothing."""

from pathlib import Path

import pytest

from reconciler.loop.configuration import Configuration
from reconciler.loop.last_good import LastGood

POOL = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{addresses: [{addresses}]}}
"""


class Files:
    """A directory of configuration, and another one for the last good files."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "config"
        self.state = root / "state"
        self.directory.mkdir()
        self.pool("p", "192.0.2.0/24")

    def pool(self, name: str, addresses: str) -> None:
        self.directory.joinpath(f"{name}.yaml").write_text(POOL.format(name=name, addresses=addresses))

    def configuration(self) -> Configuration:
        return Configuration([str(self.directory)], LastGood(self.state))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


async def in_force(files: Files) -> Configuration:
    found = files.configuration()
    await found.look()
    await found.put_in_force()
    return found


async def test_what_is_valid_is_a_candidate_until_it_is_put_in_force(files: Files) -> None:
    found = files.configuration()
    assert found.newest.why_refused == "nothing was read yet"
    assert await found.look()
    assert found.in_force is None
    assert found.candidate is found.newest.desired is not None
    await found.put_in_force()
    assert found.in_force is found.newest.desired
    assert found.candidate is None


async def test_the_same_files_are_nothing_new(files: Files) -> None:
    found = await in_force(files)
    before = found.newest
    assert not await found.look()
    assert found.newest is before


async def test_a_bad_revision_replaces_nothing_and_says_where(files: Files) -> None:
    found = await in_force(files)
    good = found.in_force
    files.pool("q", "192.0.2.7/33")
    assert await found.look()
    assert found.candidate is None
    assert found.in_force is good
    assert found.newest.why_refused is not None
    assert found.newest.why_refused.startswith("q.yaml:4:20: ")
    files.directory.joinpath("q.yaml").unlink()
    await found.look()
    assert found.newest.why_refused is None
    assert found.candidate is None


async def test_more_errors_than_one_are_counted(files: Files) -> None:
    files.pool("q", "192.0.2.7/33")
    files.pool("r", "192.0.2.7/34")
    found = files.configuration()
    await found.look()
    assert found.newest.why_refused is not None
    assert found.newest.why_refused.endswith("(and 1 more)")


async def test_files_that_cannot_be_read_are_said_once_and_watched_on(files: Files, tmp_path: Path) -> None:
    found = await in_force(files)
    directories = found.directories
    files.directory.rename(tmp_path / "elsewhere")
    assert await found.look()
    assert not await found.look()
    assert found.newest.why_refused is not None
    assert str(files.directory) in found.newest.why_refused
    assert found.in_force is not None
    assert found.directories == directories
    tmp_path.joinpath("elsewhere").rename(files.directory)
    assert await found.look()
    assert found.newest.why_refused is None


async def test_what_was_in_force_is_again_after_a_restart_under_a_bad_revision(files: Files) -> None:
    before = await in_force(files)
    files.pool("p", "nonsense")
    after = files.configuration()
    assert await after.restore() == before.in_force
    await after.look()
    assert after.in_force == before.in_force
    assert after.candidate is None


async def test_a_restart_without_state_has_nothing_in_force(files: Files) -> None:
    assert await files.configuration().restore() is None


@pytest.mark.parametrize("looks_later", [0, 1])
async def test_what_others_put_in_force_is_recognised_at_one_of_the_last_two_looks(
    files: Files, looks_later: int
) -> None:
    found = files.configuration()
    await found.look()
    passed = found.newest.desired
    assert passed is not None
    for number in range(looks_later):
        files.pool(f"q{number}", "198.51.100.0/24")
        await found.look()
    await found.recognise(passed.revision)
    assert found.in_force == passed
    assert (found.candidate is None) is (looks_later == 0)
    assert await files.configuration().restore() == passed


@pytest.mark.parametrize("revision", [None, "sha256:unknown"])
async def test_an_unknown_revision_in_force_changes_nothing(files: Files, revision: str | None) -> None:
    found = files.configuration()
    await found.look()
    await found.recognise(revision)
    assert found.in_force is None


async def test_a_configuration_that_is_wrong_beside_the_cluster_is_refused(files: Files) -> None:
    found = await in_force(files)
    files.pool("q", "198.51.100.0/24")
    await found.look()
    loaded = found.newest.loaded
    assert loaded is not None
    assert loaded.problems
    found.refuse(tuple(loaded.problems[:1]))
    assert found.candidate is None
    assert found.newest.desired is None
    assert loaded.problems[0] in found.newest.problems
