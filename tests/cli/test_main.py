"""The command line itself: what it accepts, how it fails, and how quickly it helps."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler import __version__
from reconciler.cli.main import cli, run
from tests.cli.conftest import EXAMPLES

NETWORK = ("aiohttp", "apscheduler", "kubernetes", "prometheus_client", "reconciler.cluster.connection")
HEAVY = ("msgspec", "jsonschema", "ruamel", "watchfiles", "asyncio", "reconciler.model", "reconciler.config", *NETWORK)


def started(*arguments: str, timeout: float = 30, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("RECONCILER_")}
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**clean, **environment},
        check=False,
    )


def imported_by(arguments: list[str]) -> set[str]:
    """The modules that a command line leaves imported; it has to end well."""
    script = (
        "import sys\nfrom reconciler.cli.main import run\n"
        f"if run({arguments!r}) > 1: sys.exit(1)\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=30)
    return set(done.stderr.split())


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_help_imports_nothing_heavy(command: str) -> None:
    assert imported_by([*command.split(), "--help"]).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "arguments", [["diff", "--config", "teams"], ["explain", "shop/web", "--config", "teams"], ["status"]]
)
def test_work_on_files_imports_nothing_of_the_network(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    assert imported_by([*arguments, "--cluster", "dir:demo-cluster"]).isdisjoint(NETWORK)


def test_version() -> None:
    done = started("--version")
    assert (done.returncode, done.stdout) == (0, f"reconciler {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["frobnicate"], "No such command 'frobnicate'", id="an unknown command"),
        pytest.param(["diff", "--bogus"], "No such option '--bogus'", id="an unknown option"),
        pytest.param(["validate"], "a PATH or --config is needed", id="nothing to validate"),
        pytest.param(["diff", "--cluster", "dir:x"], "--config PATH is needed", id="nothing to compare"),
        pytest.param(["diff", "--config", "c", "--cluster", "ftp:x"], '"ftp:x" is neither', id="an unknown cluster"),
        pytest.param(
            ["diff", "--config", "c", "--cluster", "dir:"], '"dir:" is neither', id="a directory without a name"
        ),
        pytest.param(["diff", "--config", "-", "--base", "-"], "can be read once", id="standard input twice"),
        pytest.param(["validate", "--output", "yaml", "c"], "'yaml' is not one of", id="an unknown format"),
        pytest.param(
            ["explain", "web", "--config", "c"], '"web" is not NAMESPACE/NAME', id="a Service without namespace"
        ),
        pytest.param(
            ["validate", "--node", "n", "c"], "No such option '--node'", id="an option the command has no use for"
        ),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert expected in captured.err


def test_without_a_command_help_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Commands:" in captured.err


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place from which no live cluster can be found."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KUBECONFIG", "RECONCILER_CLUSTER"):
        monkeypatch.delenv(variable, raising=False)
    return str(EXAMPLES / "teams")


def test_without_a_cluster_one_line_says_how_to_name_one(nowhere: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "--config", nowhere]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "no cluster is named" in captured.err
    assert "--cluster dir:PATH" in captured.err


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        pytest.param([], 1, id="one line and a hint"),
        pytest.param(["--log-level", "debug"], None, id="a traceback when asked for"),
    ],
)
def test_an_error_nobody_foresaw(
    options: list[str], lines: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise RuntimeError("kaputt")

    monkeypatch.setattr("reconciler.cli.validate.run", fail)
    assert run(["validate", *options, "config"]) == 2
    error = capsys.readouterr().err
    assert "internal error: RuntimeError: kaputt" in error
    assert ("Traceback" in error) is (lines is None)
    assert lines in (None, error.count("\n"))
    assert ("--log-level debug" in error) is (lines == 1)


def test_diagnostics_as_json(nowhere: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "--config", nowhere, "--log-format", "json"]) == 2
    assert capsys.readouterr().err.startswith('{"level": "error", "message": "no cluster is named')


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    documents = [
        f"apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: p{n}}}\nspec: {{nonsense: 1}}\n"
        for n in range(2000)
    ]
    (tmp_path / "pools.yaml").write_text("---\n".join(documents))
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        command = [sys.executable, "-m", "reconciler", "validate", str(tmp_path)]
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_full_disk_is_one_line_and_exit_2() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "reconciler", "validate", str(EXAMPLES / "teams")]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (2, b"reconciler: cannot write the result: No space left on device\n")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(["validate", "nope"], 2, id="a file that is not there"),
        pytest.param(["validate", "nope", "--log-level", "debug"], 2, id="with its traceback"),
        pytest.param(["frobnicate"], 2, id="an unknown command"),
        pytest.param([], 2, id="no command"),
        pytest.param(
            [
                "explain",
                "no/such",
                "--config",
                str(EXAMPLES / "teams"),
                "--cluster",
                f"dir:{EXAMPLES / 'demo-cluster'}",
            ],
            2,
            id="an unknown Service",
        ),
        pytest.param(["validate", str(EXAMPLES / "teams")], 0, id="success stays success"),
    ],
)
def test_a_full_standard_error_does_not_change_the_exit_status(arguments: list[str], status: int) -> None:
    command = [sys.executable, "-m", "reconciler", *arguments]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=full, check=False, timeout=60)
        both = subprocess.run(command, stdout=full, stderr=full, check=False, timeout=60)
    assert (done.returncode, both.returncode) == (status, 2)


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        pytest.param({}, True, id="a terminal is coloured"),
        pytest.param({"NO_COLOR": "1"}, False, id="unless its owner declines"),
        pytest.param({"NO_COLOR": ""}, True, id="which an empty variable does not say"),
        pytest.param({"TERM": "dumb"}, False, id="or it cannot show colour"),
    ],
)
def test_color_on_a_terminal(environment: dict[str, str], colored: bool) -> None:
    ours, theirs = os.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")}
    command = [sys.executable, "-m", "reconciler", "validate", str(EXAMPLES / "teams")]
    subprocess.run(command, stdout=theirs, check=True, timeout=60, env={**clean, "TERM": "xterm", **environment})
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        assert (b"\x1b[32mvalid" in terminal.read1()) is colored


def test_a_pipe_is_not_coloured() -> None:
    done = started("validate", str(EXAMPLES / "teams"))
    assert done.stdout.startswith("valid: ")


def test_standard_input_is_read() -> None:
    command = [sys.executable, "-m", "reconciler", "validate", "-"]
    text = (EXAMPLES / "teams/pools.yaml").read_text()
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "<stdin>:" in done.stdout
    assert "\nvalid: 4 documents" in done.stdout


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("reconciler.cli.validate.run", interrupt)
    assert run(["validate", "config"]) == 130


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1"])
def test_names_print_whatever_the_locale(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "東京.yaml").write_text("apiVersion: metallb.io/v1beta1\nkind: Nonsense\nmetadata: {name: x}\n")
    done = started("validate", str(tmp_path), PYTHONIOENCODING=encoding)
    assert done.returncode == 1
    assert "東京.yaml:" in done.stdout
