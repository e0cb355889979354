"""The last good files: what comes back after a restart, a crash at any point, and a hand on the disk."""

import hashlib
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.files import SourceFile, SourceSet, read_files
from reconciler.config.load import load_sources
from reconciler.loop import last_good
from reconciler.loop.last_good import LastGood
from reconciler.model.origin import Origin, Problem, Severity

NAME = "last-good-configuration"
WARNING = Problem(Origin("pools/a.yaml", 3, 5), "pool-small", "few addresses", Severity.WARNING)


def sources(text: bytes = b"kind: A\n", revision: str = "1" * 40) -> SourceSet:
    files = (SourceFile("pools/a.yaml", text), SourceFile("z.json", b"\xff\x00 not UTF-8"))
    return SourceSet(files, revision, (WARNING,), ("/etc/lb", "/etc/lb/pools"))


def without_directories(kept: SourceSet) -> SourceSet:
    return SourceSet(kept.files, kept.revision, kept.problems)


def test_it_comes_back_after_a_restart(tmp_path: Path) -> None:
    LastGood(tmp_path).keep(sources())
    after = LastGood(tmp_path)
    assert after.restore() == without_directories(sources())
    assert after.problem is None


def test_the_newest_replaces_the_one_before(tmp_path: Path) -> None:
    kept = LastGood(tmp_path)
    for revision in ("a", "b", "c"):
        kept.keep(sources(revision=revision))
        assert LastGood(tmp_path).restore() == without_directories(sources(revision=revision))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.binary()), unique_by=lambda pair: pair[0]
    ).map(lambda pairs: tuple(SourceFile(path, data) for path, data in pairs)),
    st.text(st.characters(codec="utf-8")),
)
def test_whatever_was_read_comes_back(files: tuple[SourceFile, ...], revision: str) -> None:
    assert last_good._decoded(last_good._encoded(SourceSet(files, revision))) == SourceSet(files, revision)


def test_before_anything_was_kept_there_is_nothing(tmp_path: Path) -> None:
    for directory in (None, tmp_path, tmp_path / "not" / "there"):
        kept = LastGood(directory)
        assert kept.restore() is None
        assert kept.problem is None
    assert not (tmp_path / "not").exists()


def test_without_a_directory_it_is_kept_in_memory() -> None:
    kept = LastGood(None)
    kept.keep(sources())
    assert kept.restore() == sources()
    assert kept.problem is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "state" / "lb"
    before = os.umask(0)
    try:
        LastGood(directory).keep(sources())
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / NAME).stat().st_mode) == 0o600


def test_what_a_crash_left_open_to_others_is_closed(tmp_path: Path) -> None:
    unfinished = tmp_path / f".{NAME}.unfinished"
    unfinished.write_bytes(b"half")
    unfinished.chmod(0o666)
    LastGood(tmp_path).keep(sources())
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert not unfinished.exists()


def test_problems_of_what_was_restored_show_the_paths_as_they_were(tmp_path: Path) -> None:
    config = tmp_path / "config"
    (config / "deep").mkdir(parents=True)
    (config / "deep" / "pool.yaml").write_text("apiVersion: metallb.io/v1beta1\nkind: Nonsense\n")
    read = read_files([str(config)])
    LastGood(tmp_path / "state").keep(read)
    shutil.rmtree(config)
    restored = LastGood(tmp_path / "state").restore()
    assert restored is not None
    problems = load_sources(restored).problems
    assert problems == load_sources(read).problems
    assert {problem.origin.path for problem in problems} == {"deep/pool.yaml"}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def of_another_format(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"format 1", b"format 2"))


def right_digest_of_nonsense(path: Path) -> None:
    body = b"\xc1"
    path.write_bytes(last_good._TITLE + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def replaced(by: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        by(path)

    return damage


def of_another_user(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 65534, -1)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(cut, "damaged", id="cut short"),
        pytest.param(flip_a_bit, "damaged", id="one bit"),
        pytest.param(lambda path: path.write_bytes(b""), "not a configuration kept by this version", id="empty"),
        pytest.param(lambda path: path.write_text("kind: A"), "not a configuration kept by", id="something else"),
        pytest.param(of_another_format, "not a configuration kept by this version", id="another format"),
        pytest.param(right_digest_of_nonsense, "cannot be understood", id="nonsense with the right digest"),
        pytest.param(replaced(Path.mkdir), "this is not a file", id="a directory"),
        pytest.param(replaced(os.mkfifo), "this is not a file", id="a pipe nobody writes to"),
        pytest.param(replaced(lambda path: path.symlink_to("/etc/passwd")), "symbolic links", id="a link"),
        pytest.param(lambda path: os.truncate(path, 1 << 40), "octets", id="a huge file"),
        pytest.param(of_another_user, "belongs to another user", id="somebody else's"),
    ],
)
def test_what_cannot_be_used_is_a_problem_and_no_crash(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], object], problem: str
) -> None:
    LastGood(tmp_path).keep(sources())
    damage(tmp_path / NAME)
    after = LastGood(tmp_path)
    assert after.restore() is None
    assert after.problem is not None
    assert after.problem.startswith(f"{tmp_path / NAME}: ")
    assert problem in after.problem
    assert after.problem.endswith("; it is not used")
    assert caplog.messages == [after.problem]


def test_what_cannot_be_used_is_replaced_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("nonsense")
    kept = LastGood(tmp_path)
    assert kept.restore() is None
    kept.keep(sources())
    assert kept.problem is None
    assert LastGood(tmp_path).restore() == without_directories(sources())


def test_a_directory_that_cannot_be_written_leaves_it_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    kept = LastGood(blocked / "state")
    for text in (b"one", b"two"):
        kept.keep(sources(text))
        assert kept.restore() == sources(text)
    assert kept.problem == f"{blocked}/state: not a directory; the last good configuration is kept in memory only"
    # Said once, and again only when it is something else.
    assert caplog.messages == [kept.problem]
    blocked.unlink()
    kept.keep(sources(b"two"))
    assert kept.problem is None
    assert LastGood(blocked / "state").restore() == without_directories(sources(b"two"))


def test_another_process_that_writes_at_this_moment_is_waited_for_by_nobody(tmp_path: Path) -> None:
    kept = LastGood(tmp_path)
    with last_good._locked(tmp_path):
        kept.keep(sources())
    assert kept.problem is not None
    assert "another process is writing there" in kept.problem
    kept.keep(sources())
    assert kept.problem is None


def test_the_same_again_is_not_written_again(tmp_path: Path) -> None:
    LastGood(tmp_path).keep(sources())
    written = (tmp_path / NAME).stat().st_ino
    after = LastGood(tmp_path)
    after.restore()
    after.keep(sources())
    assert (tmp_path / NAME).stat().st_ino == written


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    kept = LastGood(tmp_path)
    kept.keep(sources(b"small"))
    script = """
        import resource, signal, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from tests.loop.test_last_good import LastGood, sources
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        kept = LastGood(Path(sys.argv[1]))
        kept.keep(sources(b"x" * 100_000))
        print(kept.problem)
    """
    done = in_a_process(script, tmp_path).communicate(timeout=60)
    assert "file too large; the last good configuration is kept in memory only" in done[0]
    assert LastGood(tmp_path).restore() == without_directories(sources(b"small"))


def in_a_process(script: str, directory: Path) -> "subprocess.Popen[str]":
    tree = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", textwrap.dedent(script), str(directory), tree]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_kill_at_any_point_leaves_one_whole_configuration(tmp_path: Path) -> None:
    """Each file says how often its one letter occurs in it: half of one, or two mixed, would not."""
    script = """
        import itertools, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from tests.loop.test_last_good import LastGood, sources
        kept = LastGood(Path(sys.argv[1]))
        for number in itertools.count():
            kept.keep(sources(b"%d" % (number % 10) * (1 + 50_000 * (number % 7)), revision=str(number)))
            print(number, flush=True)
            assert kept.problem is None, kept.problem
    """
    last = -1
    for round_ in range(8):
        writer = in_a_process(script, tmp_path)
        assert writer.stdout is not None
        for _ in range(1 + round_ % 3):
            assert writer.stdout.readline()
        # Not synchronisation: the kill is to land anywhere.
        time.sleep(0.001 * round_)
        writer.send_signal(signal.SIGKILL)
        told = [int(line) for line in writer.communicate(timeout=60)[0].split()]
        found = LastGood(tmp_path)
        restored = found.restore()
        assert found.problem is None
        assert restored is not None
        last = int(restored.revision)
        assert not told or last in (told[-1], told[-1] + 1)
        text = restored.files[0].data
        assert text == b"%d" % (last % 10) * (1 + 50_000 * (last % 7))
    assert last >= 0
