"""Names of Services, from the names of the rows of a table."""

import pytest


def service_name(request: pytest.FixtureRequest) -> str:
    """A name for the Service of a row, from the name of the row."""
    return name_of(request.node.callspec.id)


def name_of(row: str) -> str:
    """A name that the API allows."""
    return "".join(letter if letter.isalnum() else "-" for letter in row.lower())[:50].strip("-")
