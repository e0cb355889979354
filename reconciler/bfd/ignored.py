"""Why a packet that arrived has no effect. A closed list, for the counts that the shell keeps."""

from enum import StrEnum


class Ignored(StrEnum):
    """The rule of RFC 5880 section 6.8.6 (or of the RFC named) by which a packet is discarded."""

    TRUNCATED = "truncated"  # shorter than the mandatory section, or than it says of itself
    VERSION = "version"
    LENGTH = "length"  # says that it is shorter than the mandatory section
    MULTIPLIER = "multiplier"  # a detection time of zero
    MULTIPOINT = "multipoint"
    DISCRIMINATOR = "discriminator"  # it names no sender, or no receiver in a state that knows one
    NO_SESSION = "no-session"
    TIME_TO_LIVE = "time-to-live"  # RFC 5881 section 5: it came from farther away than the session allows
    NOT_AUTHENTICATED = "not-authenticated"
    AUTHENTICATION_NOT_EXPECTED = "authentication-not-expected"
    AUTHENTICATION_SECTION = "authentication-section"  # of another type, another length or an unknown key
    SEQUENCE = "sequence"  # a replay, or too far ahead
    DIGEST = "digest"
    ADMINISTRATIVELY_DOWN = "administratively-down"  # we do not want the session at present
