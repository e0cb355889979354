"""Reports as JSON: one row a line, so that a million announcements need no more memory than one."""

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any, TextIO

import msgspec

from reconciler.cli.report import FORMAT_VERSION, DiffReport, ValidateReport

_ROWS_PER_WRITE = 500
_encoder = msgspec.json.Encoder()


def write_validate(report: ValidateReport, out: TextIO) -> None:
    """The document of `validate`."""
    out.write(f'{{"formatVersion":{FORMAT_VERSION},\n "config":{encode(report.config)}}}\n')


def write_diff(report: DiffReport, out: TextIO) -> None:
    """The document of `diff`; the guard and the counts come last, when everything has passed by."""
    out.write(f'{{"formatVersion":{FORMAT_VERSION},\n "config":{encode(report.config)},\n')
    out.write(f' "base":{encode(report.base)},\n')
    _write_rows("services", report.services, out)
    _write_rows("announcements", report.stream(), out)
    _write_rows("pools", report.pools, out)
    _write_rows("events", report.events, out)
    out.write(f' "guard":{encode(report.guard)},\n "summary":{encode(report.summary)}}}\n')


def _write_rows(key: str, rows: Iterable[Any], out: TextIO) -> None:
    out.write(f' "{key}":[')
    remaining = iter(rows)
    separator = "\n  "
    while lines := [encode(row) for row in islice(remaining, _ROWS_PER_WRITE)]:
        out.write(separator)
        out.write(",\n  ".join(lines))
        separator = ",\n  "
    out.write("],\n")


def encode(value: Any) -> str:
    """One value as compact JSON in which every key is present."""
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        # A file name need not be UTF-8: Python holds such octets as lone surrogates, and JSON can only escape them.
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))
