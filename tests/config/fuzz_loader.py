"""
A fuzz target over the loader: octets in, documents and problems out, and nothing else.

The test suite drives it with hypothesis; `python tests/config/fuzz_loader.py CORPUS…` drives it with atheris.
"""

import math
import sys
from time import process_time
from typing import Any

from reconciler.config.documents import open_containers, parse_documents
from reconciler.model.origin import Problem, Severity

_PATH = "fuzz.yaml"
# Of the processor, which others may have meanwhile.
_SECONDS = 5.0
_DEPTH = 100


def fuzz_one(data: bytes) -> None:
    """Raises AssertionError when the loader breaks a promise."""
    started = process_time()
    parsed = parse_documents(_PATH, data)
    opened = open_containers(parsed.documents)
    lax = parse_documents(_PATH, data, strict=False)
    assert process_time() - started < _SECONDS, "took too long"
    inside = [problem for document in (*parsed.documents, *opened.documents) for problem in document.problems]
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for problem in (*parsed.problems, *opened.problems, *inside, *lax.problems):
        _check_problem(problem, lines)
    for document in (*parsed.documents, *opened.documents):
        _check_value(document.value, 0)
        for pointer in ((), ("metadata", "name"), ("items", 0), ("data",)):
            for origin in (document.origin(*pointer), document.key_origin(*pointer)):
                assert 1 <= origin.line <= lines, f"{origin} is outside of the file"
                assert origin.column >= 1, f"{origin} is outside of the line"
    again = parse_documents(_PATH, data)
    assert again.problems == parsed.problems, "the same octets, other problems"


def _check_problem(problem: Problem, lines: int) -> None:
    for origin in (problem.origin, *(related.origin for related in problem.related)):
        assert origin.path == _PATH
        assert 1 <= origin.line <= lines, f"{problem} is outside of the file"
        assert origin.column >= 1, f"{problem} is outside of the line"
    assert problem.severity is Severity.ERROR
    assert problem.code.replace("-", "").isalnum()
    assert 0 < len(problem.message) < 500, f"{problem} has no sentence for a person"
    assert "\n" not in problem.message


def _check_value(value: Any, depth: int) -> None:
    assert depth <= _DEPTH
    if isinstance(value, dict):
        for key, inner in value.items():
            assert isinstance(key, str)
            _check_value(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner, depth + 1)
    else:
        assert value is None or isinstance(value, str | int | float)
        assert not isinstance(value, float) or math.isfinite(value)


if __name__ == "__main__":
    import atheris  # type: ignore[import-untyped]  # installed by whoever wants to fuzz

    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()
