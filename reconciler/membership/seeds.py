"""Whom to ask for the group: text of an address → host and port, and those that are worth asking. No I/O."""

from collections.abc import Collection, Iterable
from ipaddress import IPv6Address, ip_address


def endpoint(text: str, port: int) -> str:
    """
    An address with its port, as kinship writes it: "192.0.2.1:7947", "[2001:db8::1]:7947" or "speaker-1:7947".

    `port` is for a text that names none.
    """
    host, given = _split(text.strip())
    try:
        address = ip_address(host)
    except ValueError:
        return f"{host}:{given or port}"
    host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    return f"{host}:{given or port}"


def host_of(text: str) -> str:
    """The host of an address and port, without the brackets of IPv6."""
    return _split(text)[0]


def is_name(text: str) -> bool:
    """Whether the host of an address and port is a name, of which nobody knows here whom it stands for."""
    try:
        ip_address(host_of(text))
    except ValueError:
        return True
    return False


def worth_asking(candidates: Iterable[str], *, present: Collection[str]) -> list[str]:
    """Those that are no member yet, each once, in numeric or alphabetic order of their text."""
    return sorted(set(candidates) - set(present))


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, ""
