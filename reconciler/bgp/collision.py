"""Which of two connections with one peer stays (RFC 4271 section 6.8, RFC 6286 section 2.3). No I/O."""


def keeps_its_own(local_router_id: bytes, remote_router_id: bytes, local_asn: int, remote_asn: int) -> bool:
    """
    Whether the connection stays that we opened, and not the one that the peer did.

    The side with the higher BGP identifier, an unsigned number, keeps its own; where the identifiers are the same, the
    side with the higher AS number. Both sides come to the same verdict.
    """
    ours, theirs = int.from_bytes(local_router_id), int.from_bytes(remote_router_id)
    return (ours, local_asn) > (theirs, remote_asn)
