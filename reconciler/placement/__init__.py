"""Which node speaks for which address, how, and to whom: pure functions, the same on every node."""
