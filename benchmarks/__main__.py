"""Run every benchmark, or those named on the command line, and print one table each."""

import importlib
import sys

from benchmarks.measure import print_table

BENCHMARKS = ("allocation", "placement", "validate", "diff")


def main() -> None:
    """Run the named benchmarks, all of them when none is named."""
    for name in sys.argv[1:] or BENCHMARKS:
        print_table(importlib.import_module(f"benchmarks.{name}").rows())
        print()


if __name__ == "__main__":
    main()
