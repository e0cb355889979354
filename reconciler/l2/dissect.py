"""
One readable line about a frame that somebody else sent, for reports of conflicts.

scapy reads it, and is imported with the first frame: that takes a fifth of a second, so a running speaker asks in a
thread of its own, and one that meets no conflict never pays for it.
"""

_LONGEST_LINE = 240
# ARP and NDP say all they have to say in fewer; the rest of a hostile frame is only work.
_LOOKED_AT = 256


def describe(frame: bytes) -> str:
    """One line about a frame from anywhere: any octets make one, of printable characters and bounded length."""
    from reconciler.l2.frame_lines import read_line  # noqa: PLC0415 - heavy

    try:
        line = read_line(frame[:_LOOKED_AT])
    except Exception as exc:  # noqa: BLE001 - a dissector of hostile octets fails in ways of its own
        line = f"{len(frame)} octets that cannot be read ({type(exc).__name__})"
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
