"""Run every benchmark, or those named on the command line, and print one table each."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.answers import print_answers
from benchmarks.measure import print_beside, print_table

BENCHMARKS: dict[str, Callable[[Any], None]] = {
    "allocation": print_table,
    "placement": print_table,
    "validate": print_table,
    "diff": print_table,
    "controller": print_beside,
    "services": print_beside,
    "answers": print_answers,
    "failover": print_beside,
    "ecmp": print_beside,
    "routes": print_beside,
    "bgp_start": print_beside,
    "bgp_changes": print_beside,
    "bgp_crowd": print_beside,
    "bfd": print_beside,
}


def main() -> None:
    """Run the named benchmarks, all of them when none is named."""
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name](importlib.import_module(f"benchmarks.{name}").rows())
        print(flush=True)


if __name__ == "__main__":
    main()
