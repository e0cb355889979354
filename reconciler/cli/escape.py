"""
Text from files and clusters, made safe to print.

Names and messages quote what somebody else wrote, so they may hold terminal sequences, markup or workflow commands.
"""

from html import escape as html_escape

# A word that GitHub, GitLab and others would turn into a mention or a link is broken by a zero-width space.
_MARKDOWN_ACTIVE = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_[]<>|~&#"} | {"@": "@&#8203;", "\n": " "}
)


def visible(text: str) -> str:
    """The text on one line, every character that does not print (RFC 3629 aside) written as an escape."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if named:
        return named
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x1_0000 else f"\\U{code:08x}"


def markdown_text(text: str) -> str:
    """The text as plain words of GitHub Flavored Markdown, in a table cell or outside."""
    return visible(text).translate(_MARKDOWN_ACTIVE).replace("://", ":&#8203;//")


def markdown_code(text: str) -> str:
    """The text as a code span that may stand in a table cell."""
    plain = visible(text)
    # A pipe ends a table cell even inside a code span, unless it is escaped (GFM section 4.10).
    if "`" not in plain:
        return f"`{plain}`".replace("|", "\\|")
    return f"<code>{html_escape(plain)}</code>".replace("|", "&#124;").replace("`", "&#96;")


def xml(text: str) -> str:
    """The text as XML 1.0 character data or an attribute's value; what XML cannot hold is written as an escape."""
    kept = "".join(character if _is_xml(character) else _escape(character) for character in text)
    return html_escape(kept).replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")


def _is_xml(character: str) -> bool:
    # XML 1.0 section 2.2, less the C1 controls and the bidirectional overrides, which would mislead a reader.
    return character.isprintable() or character in "\n\r\t"


def command_message(text: str) -> str:
    """The text as the message of a GitHub workflow command."""
    return visible_lines(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command_property(text: str) -> str:
    """The text as a property (file, title) of a GitHub workflow command."""
    return command_message(text).replace(":", "%3A").replace(",", "%2C")


def visible_lines(text: str) -> str:
    """As `visible`, keeping line ends."""
    return "\n".join(visible(line) for line in text.split("\n"))
