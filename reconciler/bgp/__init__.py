"""A BGP speaker that only originates routes (RFC 4271): it tells peers what we announce, and keeps none of theirs."""
