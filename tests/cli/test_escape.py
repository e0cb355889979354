"""What other people wrote cannot act on the reader's terminal, page or parser."""

from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.cli.escape import command_message, command_property, markdown_code, markdown_text, visible, xml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("shop/web", "shop/web", id="plain text as it is"),
        pytest.param("Köln 東京", "Köln 東京", id="letters of any language as they are"),
        pytest.param("a\x1b[2Jb", "a\\x1b[2Jb", id="an escape sequence as text"),
        pytest.param("a\nb\tc", "a\\nb\\tc", id="line ends and tabs by name"),
        pytest.param("\u202eevil", "\\u202eevil", id="a bidirectional override as its number"),
        pytest.param("\udcff", "\\udcff", id="an octet that is no UTF-8 as its number"),
        pytest.param("\U000e0001", "\\U000e0001", id="a character beyond the first plane as its number"),
    ],
)
def test_visible(text: str, expected: str) -> None:
    assert visible(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a|b", "a\\|b", id="a pipe does not end a table cell"),
        pytest.param("<img src=x>", "\\<img src=x\\>", id="markup is text"),
        pytest.param("@team", "@&#8203;team", id="nobody is mentioned"),
        pytest.param("https://evil.example", "https:&#8203;//evil.example", id="nothing becomes a link"),
        pytest.param("`x`", "\\`x\\`", id="a code span does not open"),
    ],
)
def test_words_in_markdown(text: str, expected: str) -> None:
    assert markdown_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a|b", "`a\\|b`", id="a pipe stays inside the cell"),
        pytest.param("a`<b", "<code>a&#96;&lt;b</code>", id="a backtick needs another notation"),
    ],
)
def test_code_in_markdown(text: str, expected: str) -> None:
    assert markdown_code(text) == expected


def test_properties_of_a_workflow_command_escape_more_than_its_message() -> None:
    text = "50%: a,b\nc"
    assert (command_message(text), command_property(text)) == ("50%25: a,b%0Ac", "50%25%3A a%2Cb%0Ac")


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_fits_in_xml(text: str) -> None:
    element = fromstring(f'<a b="{xml(text)}">{xml(text)}</a>')  # noqa: S314 - our own output
    assert element.get("b") == element.text or (element.text or "") == ""


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(codec=None)))
def test_what_is_visible_prints_on_one_line(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)
