import io
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.config import tree
from reconciler.config.files import FilesError, SourceSet, read_files


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path, encoding="utf-8")


def paths_of(found: SourceSet) -> list[str]:
    return [file.path for file in found.files]


def problems_of(found: SourceSet) -> list[tuple[str, str]]:
    return [(str(problem.origin), problem.code) for problem in found.problems]


def test_a_directory_is_read_recursively_in_order(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml", "a/z.yml", "a/b/c.json", "a.yaml", "README.md", "x.YAML", ".hidden.yaml", ".git/x.yaml")
    found = read_files([str(tmp_path)])
    assert paths_of(found) == ["a.yaml", "a/b/c.json", "a/z.yml", "b.yaml"]
    assert [file.data.decode() for file in found.files] == paths_of(found)
    assert found.problems == ()
    assert found.directories == (str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a/b"))


def test_a_directory_that_is_named_like_a_file_is_a_directory(tmp_path: Path) -> None:
    write(tmp_path, "pools.yaml/a.yaml")
    assert paths_of(read_files([str(tmp_path)])) == ["pools.yaml/a.yaml"]


def test_an_empty_directory_is_an_empty_set(tmp_path: Path) -> None:
    assert read_files([str(tmp_path)]).files == ()


@pytest.mark.parametrize("name", ["a.yaml", "no-suffix", ".hidden"])
def test_a_file_asked_for_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    found = read_files([str(tmp_path / name)])
    assert paths_of(found) == [name]
    assert found.directories == (str(tmp_path),)


def test_standard_input_is_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: b\n")))
    found = read_files(["-"])
    assert [(file.path, file.data) for file in found.files] == [("<stdin>", b"a: b\n")]
    assert found.revision.startswith("sha256:")
    assert found.directories == ()


def test_a_stream_that_the_shell_opened_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"a: b\n")
    os.close(writer)
    try:
        found = read_files([f"/dev/fd/{reader}"])
    finally:
        os.close(reader)
    assert [(file.path, file.data) for file in found.files] == [("<stdin>", b"a: b\n")]


def test_a_relative_path_is_as_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "c/a.yaml")
    monkeypatch.chdir(tmp_path / "c")
    for path in (".", "./", "../c"):
        found = read_files([path])
        assert (paths_of(found), found.directories) == (["a.yaml"], (str(tmp_path / "c"),))


def test_several_paths_are_one_set(tmp_path: Path) -> None:
    write(tmp_path, "a/x.yaml", "a/same.yaml", "b/same.yaml", "c.yaml")
    places = [str(tmp_path / name) for name in ("b", "a", "c.yaml", "a")]
    assert paths_of(read_files(places)) == sorted(
        ["c.yaml", "x.yaml", str(tmp_path / "a/same.yaml"), str(tmp_path / "b/same.yaml")]
    )


def test_a_file_that_two_paths_lead_to_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "a/x.yaml")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "a/y.yaml").symlink_to("x.yaml")
    assert paths_of(read_files([str(tmp_path)])) == ["a/x.yaml"]
    assert paths_of(read_files([str(tmp_path / "a"), str(tmp_path), str(tmp_path / "a/x.yaml")])) == ["x.yaml"]


def test_links_to_files_and_directories_elsewhere_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/d/x.yaml", "elsewhere/y.yaml", "c/z.yaml")
    (tmp_path / "c/d").symlink_to(tmp_path / "elsewhere/d")
    (tmp_path / "c/y.yaml").symlink_to("../elsewhere/y.yaml")
    assert paths_of(read_files([str(tmp_path / "c")])) == ["d/x.yaml", "y.yaml", "z.yaml"]


def test_what_cannot_be_read_is_a_problem_and_hides_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "ok.yaml", "d/x.txt")
    (tmp_path / "broken.yaml").symlink_to("nowhere")
    (tmp_path / "directory").symlink_to("gone")
    (tmp_path / "d/loop").symlink_to("..")
    (tmp_path / "self.yaml").symlink_to("self.yaml")
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.yaml")
    os.mkfifo(tmp_path / "pipe-of-no-interest")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.json"))
        found = read_files([str(tmp_path)])
    assert paths_of(found) == ["ok.yaml"]
    assert problems_of(found) == [
        ("broken.yaml:1:1", "files-broken-link"),
        ("d/loop:1:1", "files-link-loop"),
        ("device.yaml:1:1", "files-not-regular"),
        ("directory:1:1", "files-broken-link"),
        ("pipe.yaml:1:1", "files-not-regular"),
        ("self.yaml:1:1", "files-unreadable"),
        ("socket.json:1:1", "files-not-regular"),
    ]


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of our own, where root gives up its rights for the time of the test."""
    root, user = Path(tempfile.mkdtemp()), os.geteuid()
    nobody = 65534 if user == 0 else user
    os.chown(root, nobody, -1)
    os.seteuid(nobody)
    try:
        yield root
    finally:
        os.seteuid(user)
        shutil.rmtree(root)


def test_permissions_are_a_problem_below_a_path_and_an_error_at_it(unprivileged: Path) -> None:
    write(unprivileged, "a.yaml", "d/b.yaml", "ok.yaml")
    (unprivileged / "a.yaml").chmod(0)
    (unprivileged / "d").chmod(0)
    found = read_files([str(unprivileged)])
    assert paths_of(found) == ["ok.yaml"]
    assert problems_of(found) == [("a.yaml:1:1", "files-unreadable"), ("d:1:1", "files-unreadable")]
    for name in ("a.yaml", "d"):
        with pytest.raises(FilesError, match=f"{name}: permission denied"):
            read_files([str(unprivileged / name)])
    (unprivileged / "d").chmod(0o700)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("missing", "missing: no such file or directory", id="a path that does not exist"),
        pytest.param("missing/a.yaml", "missing/a.yaml: no such file or directory", id="a directory that does not"),
        pytest.param("file.yaml/x", "file.yaml/x: not a directory", id="a path through a file"),
        pytest.param("pipe", "pipe: is a named pipe, neither a file nor a directory", id="a pipe on disk"),
        pytest.param("loop", "loop: too many levels of symbolic links", id="a link to itself"),
        pytest.param("a\0b", "embedded null byte", id="a path that cannot be"),
        pytest.param("/dev/null", "/dev/null: is a device, neither a file nor a directory", id="a device"),
        pytest.param("/dev/fd/999", "/dev/fd/999: bad file descriptor", id="a stream that nobody opened"),
    ],
)
def test_a_path_that_cannot_be_read_at_all_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "file.yaml")
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    with pytest.raises(FilesError) as raised:
        read_files([path])
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_path_at_all_is_an_error() -> None:
    with pytest.raises(FilesError, match="no path"):
        read_files([])


def test_a_name_that_is_not_utf_8_is_shown_with_its_octets(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.yaml")
    (tmp_path / name).write_bytes(b"a: b\n")
    assert paths_of(read_files([str(tmp_path)])) == ["caf\\xe9.yaml"]
    assert paths_of(read_files([str(tmp_path / name)])) == ["caf\\xe9.yaml"]


@pytest.mark.parametrize(
    ("limit", "value", "expected"),
    [
        pytest.param("MAXIMUM_FILE_OCTETS", 5, [("b/large.yaml:1:1", "files-too-large")], id="a large file"),
        pytest.param("MAXIMUM_OCTETS", 15, [("b/large.yaml:1:1", "files-too-large")], id="many octets together"),
        pytest.param("MAXIMUM_FILES", 2, [("b/large.yaml:1:1", "files-too-many")], id="many files"),
        pytest.param("MAXIMUM_DEPTH", 1, [("b/c:1:1", "files-too-deep")], id="deep directories"),
    ],
)
def test_a_limit_is_a_problem_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, expected: list[tuple[str, str]]
) -> None:
    for path in ("a.yaml", "b/b.yaml", "b/large.yaml", "b/c/.keep"):
        write(tmp_path, path)
        (tmp_path / path).write_text("large: yes\n" if "large" in path else "a: 1\n")
    monkeypatch.setattr(tree, limit, value)
    found = read_files([str(tmp_path)])
    assert problems_of(found) == expected
    assert str(value) in found.problems[0].message


def test_too_many_names_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.txt", "b.txt", "c.txt")
    monkeypatch.setattr(tree, "MAXIMUM_ENTRIES", 2)
    with pytest.raises(FilesError, match="more than 2 names"):
        read_files([str(tmp_path)])
