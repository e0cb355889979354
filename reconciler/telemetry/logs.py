"""
Logs on standard error: one line an entry, as text for people or as JSON for collectors.

Modules take `logging.getLogger(__name__)`; facts beside the message go into `extra` and become keys of the line.

What holds for the whole process at a moment (its node, the revision in force) is in every line of JSON, and in those
lines of text that are about a Service, an address or a peer: the answer to why one of them changed begins there.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.model.desired import short_revision

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")

# They tell of their inner life at info, and `kubernetes` quotes whole answers, Secrets among them, at debug.
_QUIET = ("aiohttp", "apscheduler", "asyncio", "kubernetes", "tzlocal", "urllib3", "watchfiles")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message", "_process"}
# A line with one of these facts is about something that the process decides on.
_SUBJECTS = frozenset({"service", "services", "address", "peer"})
# RFC 6750 section 2.1: what authorizes a request, should an error quote one.
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]+")
_NEEDS_QUOTES = re.compile(r'[\s"=]|\A\Z')


def configure(level: str, format: str) -> None:  # noqa: A002 - the word of the command line
    """
    Lead all logs of the process to standard error, whoever writes them, and warnings of Python as well.

    Args:
        level: The least severe entries that are written, one of `LEVELS`; other people's modules keep to warnings.
        format: One of `FORMATS`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


def identify(facts: Callable[[], Mapping[str, str | None]]) -> None:
    """Have lines say these as well from now on, as they are when a line is written; what is None is left out."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, TextFormatter | JsonFormatter):
            handler.addFilter(_ProcessFacts(facts))


class _ProcessFacts(logging.Filter):
    """Keeps beside each record what held when it was made. It lets all of them pass."""

    def __init__(self, facts: Callable[[], Mapping[str, str | None]]) -> None:
        super().__init__()
        self._facts = facts

    def filter(self, record: logging.LogRecord) -> bool:
        vars(record)["_process"] = self._facts()
        return True


class TextFormatter(logging.Formatter):
    """`2026-01-01T00:00:00.000Z reconciler: warning: message key=value`; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One entry; everything in it that does not print is escaped."""
        own = dict(_facts(record))
        held = _held(record) if not _SUBJECTS.isdisjoint(own) else {}
        facts = "".join(f" {key}={_text(_shortened(key, value))}" for key, value in (own | (held | own)).items())
        line = f"{_time(record)} reconciler: {_level(record)}: {_one_line(_message(record))}{_one_line(facts)}"
        trace = _traceback(self, record)
        return f"{line}\n{trace}" if trace else line


class JsonFormatter(logging.Formatter):
    """One object a line: `time`, `level`, `message`, `logger`, then the facts, and `traceback` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One entry."""
        entry = {
            "time": _time(record),
            "level": _level(record),
            "message": _message(record),
            "logger": record.name,
            **_held(record),
            **dict(_facts(record)),
        }
        if trace := _traceback(self, record):
            entry["traceback"] = trace
        return json.dumps(entry, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(record: logging.LogRecord) -> str:
    return record.levelname.lower()


def _message(record: logging.LogRecord) -> str:
    return _without_tokens(record.getMessage())


def _facts(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    for key, value in vars(record).items():
        if key not in _STANDARD:
            yield key, _without_tokens(value) if isinstance(value, str) else value


def _held(record: logging.LogRecord) -> dict[str, Any]:
    """What held for the process."""
    held = vars(record).get("_process", {})
    return {key: _without_tokens(value) for key, value in held.items() if value is not None}


def _shortened(key: str, value: Any) -> Any:
    # People compare it with others of an afternoon; programs join on all of it.
    return short_revision(value) if key == "revision" and isinstance(value, str) else value


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return _without_tokens(formatter.formatException(record.exc_info)) if record.exc_info else ""


def _without_tokens(text: str) -> str:
    # Hardly any text holds one, and to look for the word alone takes a tenth of the time.
    return _BEARER.sub(r"\1[left out]", text) if "bearer" in text.lower() else text


def _text(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return json.dumps(text) if _NEEDS_QUOTES.search(text) else text


def _one_line(text: str) -> str:
    # Names and messages quote what somebody else wrote: neither terminal sequences nor a second line get out.
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
