"""The tables of kinds and of reason codes are those that the schemas and the code give."""

from reconciler.allocation.reasons import Reason
from tests.docs.generated import explained, pages


def test_the_tables_are_up_to_date() -> None:
    for path, text in pages().items():
        assert path.read_text("utf-8") == text, f"{path.name}: run python -m tests.docs.generated"


def test_every_reason_is_explained_in_the_code() -> None:
    assert [code for code, meaning, fix in explained() if meaning and fix] == list(Reason)
