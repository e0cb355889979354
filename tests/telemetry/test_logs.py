"""How log entries look, whose are shown, and what never gets into them."""

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciler.telemetry.logs import configure, identify

Logged = Callable[..., str]

_CREDENTIAL = "eyJhbGciOi.eyJpc3MiOi-_.c2lnbmF0dXJl"


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Logged]:
    """Configure, do something, and return what is on standard error; the logging of the test run is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = ("aiohttp", "apscheduler", "asyncio", "kubernetes", "tzlocal", "urllib3", "watchfiles")
    levels = {name: logging.getLogger(name).level for name in names}

    def run(act: Callable[[], object], level: str = "info", form: str = "text") -> str:
        configure(level, form)
        act()
        out, err = capsys.readouterr()
        assert out == ""
        return err

    yield run
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)


def say(message: str = "hello", *, level: int = logging.INFO, logger: str = "reconciler.loop", **facts: Any) -> None:
    logging.getLogger(logger).log(level, message, extra=facts)


def test_a_line_of_text_has_its_time_level_message_and_facts(logged: Logged) -> None:
    line = logged(
        lambda: say(
            "assigned",
            service="shop/web",
            seconds=0.5,
            addresses=["192.0.2.1", "192.0.2.2"],
            reason="two words",
            none="",
        )
    )
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z reconciler: info: assigned "
        r'service=shop/web seconds=0\.5 addresses=192\.0\.2\.1,192\.0\.2\.2 reason="two words" none=""\n',
        line,
    )


def test_a_line_of_json_has_the_same(logged: Logged) -> None:
    entry = json.loads(logged(lambda: say("assigned", service="shop/web", seconds=0.5, path=object), form="json"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {
        "level": "info",
        "message": "assigned",
        "logger": "reconciler.loop",
        "service": "shop/web",
        "seconds": 0.5,
        "path": str(object),
    }


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_only_what_is_severe_enough_is_written(logged: Logged, level: str) -> None:
    def speak() -> None:
        for name in ("debug", "info", "warning", "error"):
            say(name, level=getattr(logging, name.upper()))

    written = [line.split()[-1] for line in logged(speak, level).splitlines()]
    order = ["debug", "info", "warning", "error"]
    assert written == order[order.index(level) :]


@pytest.mark.parametrize(
    "name", ["apscheduler.scheduler", "aiohttp.access", "kubernetes.client.rest", "watchfiles.main"]
)
def test_other_peoples_modules_keep_to_warnings(logged: Logged, name: str) -> None:
    def speak() -> None:
        say("a whole Secret", level=logging.DEBUG, logger=name)
        say("a job", level=logging.INFO, logger=name)
        say("trouble", level=logging.WARNING, logger=name)

    assert [line.split("reconciler: ")[1] for line in logged(speak, "debug").splitlines()] == ["warning: trouble"]


def test_other_peoples_warnings_are_left_out_where_only_errors_are_wanted(logged: Logged) -> None:
    assert logged(lambda: say("trouble", level=logging.WARNING, logger="apscheduler"), "error") == ""


def test_warnings_of_python_become_entries(logged: Logged) -> None:
    def warn() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(capture=True)
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            logging.captureWarnings(capture=False)

    assert "warning: " in (line := logged(warn))
    assert "DeprecationWarning: old" in line
    assert line.count("\n") == 1


def fail(why: str = "kaputt") -> None:
    try:
        int(why)
    except ValueError:
        logging.getLogger("reconciler").exception("a pass failed")


def test_a_traceback_follows_on_lines_of_its_own(logged: Logged) -> None:
    first, *trace = logged(fail).splitlines()
    assert first.endswith("reconciler: error: a pass failed")
    assert (trace[0], trace[-1]) == (
        "Traceback (most recent call last):",
        "ValueError: invalid literal for int() with base 10: 'kaputt'",
    )


def test_a_traceback_stays_in_its_line_of_json(logged: Logged) -> None:
    text = logged(fail, form="json")
    assert text.count("\n") == 1
    assert json.loads(text)["traceback"].endswith("ValueError: invalid literal for int() with base 10: 'kaputt'")


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_somebody_else_wrote_makes_a_second_line(logged: Logged, form: str) -> None:
    line = logged(lambda: say("x\x1b[31m\nfake: entry\u202e\udcff", service="a\nb\x00"), form=form)
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_token_is_left_out(logged: Logged, form: str) -> None:
    def leak() -> None:
        say(f"Authorization: Bearer {_CREDENTIAL}", header=f"bearer {_CREDENTIAL}")
        fail(f"Bearer {_CREDENTIAL}")

    text = logged(leak, form=form)
    assert "eyJ" not in text
    assert text.count("[left out]") >= 3


def test_configuring_twice_does_not_write_twice(logged: Logged) -> None:
    def speak() -> None:
        configure("info", "text")
        say()

    assert logged(speak).count("hello") == 1


REVISION = f"sha256:{'0123456789abcdef' * 4}"


def test_every_line_of_json_names_the_node_and_the_revision_of_that_moment(logged: Logged) -> None:
    revisions = iter([None, REVISION, "another"])

    def speak() -> None:
        identify(lambda: {"node": "worker-1", "revision": next(revisions)})
        say()
        say(service="shop/web")
        say(service="shop/web", node="worker-2", revision="decided on")

    first, second, third = (json.loads(line) for line in logged(speak, form="json").splitlines())
    assert (first["node"], "revision" in first) == ("worker-1", False)
    assert (second["node"], second["revision"]) == ("worker-1", REVISION)
    # What the line itself says was so when it was decided, which may be a moment ago.
    assert (third["node"], third["revision"]) == ("worker-2", "decided on")


@pytest.mark.parametrize("fact", ["service", "services", "address", "peer"])
def test_a_line_of_text_names_them_where_it_is_about_a_decision(logged: Logged, fact: str) -> None:
    def speak() -> None:
        identify(lambda: {"node": "worker-1", "revision": REVISION})
        say("the lease can be renewed again")
        logging.getLogger("reconciler.loop").info("announced", extra={fact: "x"})

    plain, decision = logged(speak).splitlines()
    assert plain.endswith("info: the lease can be renewed again")
    assert decision.endswith(f"info: announced {fact}=x node=worker-1 revision=0123456789ab")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_token_in_what_holds_for_the_process_is_left_out(logged: Logged, form: str) -> None:
    def speak() -> None:
        identify(lambda: {"node": f"Bearer {_CREDENTIAL}"})
        say(service="shop/web")

    assert "eyJ" not in logged(speak, form=form)
