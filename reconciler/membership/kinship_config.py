"""How kinship is set: our settings → its. The figures behind them are in docs/membership.md. No I/O."""

from collections.abc import Mapping

import kinship

from reconciler.model.settings import MembershipSettings

# What tells our packets from those of any other program that uses the library.
_LABEL = "lb-reconciler"
# How long one exchange over TCP may take, in seconds: the next attempt is never far.
EXCHANGE = 0.5


def kinship_config(
    name: str,
    settings: MembershipSettings,
    *,
    bind: str,
    advertise: str | None,
    key: bytes,
    tags: Mapping[str, str],
) -> kinship.Config:
    """
    One node's part in the group.

    Raises:
        kinship.ConfigError: One of them cannot be used, or the key is not of 32 octets.
    """
    return kinship.Config.lan(
        name=name,
        bind=bind,
        advertise=advertise,
        cluster=_LABEL,
        keys=[key],
        meta=dict(tags),
        probe_interval=settings.probe_interval,
        probe_timeout=settings.probe_timeout,
        suspicion_mult=settings.suspicion_multiplier,
        # A suspicion lasts as long as our settings say, however many share it: the longer wait for a few witnesses is
        # what made a death known late, and took no false one away.
        suspicion_max_mult=1,
        # A member that misses answers takes twice its time, not nine times: one that is cut off must find out too.
        awareness_max=1,
        gossip_interval=min(0.1, settings.probe_interval),
        tcp_timeout=EXCHANGE,
        join_retries=1,
        resolve_timeout=1.0,
        # `Search` does what these would do, sooner.
        reconnect_interval=0.0,
        rejoin_interval=0.0,
    )
