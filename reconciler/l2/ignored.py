"""Why a received frame gets no answer. Every frame that is dropped has one of these reasons."""

from enum import StrEnum

from reconciler.errors import ReconcilerError


class Ignored(StrEnum):
    """The first reason that was found; the value is its name in metrics."""

    TRUNCATED = "truncated"
    OTHER_TYPE = "other-type"  # neither ARP nor IPv6
    VLAN_TAGGED = "vlan-tagged"
    ETHERNET_DESTINATION = "ethernet-destination"  # neither broadcast, nor ours, nor a group of ours
    ETHERNET_SOURCE = "ethernet-source"  # a group's, or none
    OWN_FRAME = "own-frame"  # one of our own links sent it
    NOT_OUR_ADDRESS = "not-our-address"
    BROKEN = "broken"  # it met a defect of ours, which is logged
    CLAIM = "claim"  # it says that our address is another host's: a matter of defence, not of an answer

    NOT_IPV4_OVER_ETHERNET = "not-ipv4-over-ethernet"  # the types and lengths of the ARP header
    NOT_A_REQUEST = "not-a-request"
    SENDER_MAC = "sender-mac"  # no host can have the address that the answer would go to

    NOT_NEIGHBOR_DISCOVERY = "not-neighbor-discovery"
    HOP_LIMIT = "hop-limit"  # not 255: it may have been forwarded by a router
    CHECKSUM = "checksum"
    CODE = "code"
    LENGTH = "length"  # the lengths of IPv6 and ICMPv6 disagree with each other or with the type
    OPTION_LENGTH = "option-length"  # an option of length 0, or one that runs past the message
    TARGET_MULTICAST = "target-multicast"
    SOURCE_MULTICAST = "source-multicast"
    DAD_DESTINATION = "dad-destination"  # from ::, but not to a solicited-node group
    DAD_SOURCE_OPTION = "dad-source-option"  # from ::, with a source link-layer address
    NO_SOURCE_OPTION = "no-source-option"  # to a group, without a source link-layer address
    SOLICITED_MULTICAST = "solicited-multicast"  # an advertisement to a group that says it was solicited
    NOT_A_SOLICITATION = "not-a-solicitation"


class FrameError(ReconcilerError):
    """A frame that is not what a codec reads. `reason` names the rule it breaks."""

    def __init__(self, reason: Ignored) -> None:
        super().__init__(f"the frame is not valid: {reason}")
        self.reason = reason
