"""What a route of ours carries apart from what its session gives it. No I/O."""

import msgspec


class RouteAttributes(msgspec.Struct, frozen=True, gc=False):
    """
    `local_pref` None is unset: 100 toward iBGP peers, absent toward others. `communities` (RFC 1997) are 32 bits each,
    `large_communities` (RFC 8092) three numbers; both ascending, without doubles.
    """

    local_pref: int | None = None
    communities: tuple[int, ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()


# RFC 8326: who hears of such a route should prefer another one, because this one is about to go.
GRACEFUL_SHUTDOWN = 0xFFFF0000
