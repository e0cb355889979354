"""Every noun that crosses a room boundary, as frozen values. No decisions, no I/O."""
