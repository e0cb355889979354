"""What the speakers of these tests are configured with: two routers, one pool, and what a test wants otherwise."""

import json
from collections.abc import Mapping, Sequence

# The nodes are of one AS with the FRR router, so that local preferences are to be seen there.
ASN, BIRD_ASN = 64512, 64513
NETWORK4, NETWORK6 = "198.51.100.0/24", "2001:db8:f::/112"
FRR, BIRD = "frr", "bird"
# No peer is forgotten by its hold time in these tests, whatever else the machine does.
HOLD_TIME = 60

Spec = Mapping[str, object]

_PEER: Spec = {
    "myASN": ASN,
    "holdTime": f"{HOLD_TIME}s",
    "connectTime": "1s",
    "dualStackAddressFamily": True,
    "enableGracefulRestart": True,
}
# The first is for the benchmark of how fast a failure is seen. Tests have the other: a busy machine is no failure.
_FAST: Spec = {"receiveInterval": 50, "transmitInterval": 50, "detectMultiplier": 3}
_STEADY: Spec = {"receiveInterval": 300, "transmitInterval": 300, "detectMultiplier": 3}


def peer(asn: int, address: str, **changes: object) -> Spec:
    """The spec of a BGPPeer; a change to None leaves a field out."""
    spec = {**_PEER, "peerASN": asn, "peerAddress": address, **changes}
    return {name: value for name, value in spec.items() if value is not None}


def configuration(
    peers: Mapping[str, Spec], advertisements: Sequence[Spec] = ({},), settings: Spec | None = None
) -> str:
    """
    One file: a pool, the BFDProfiles `fast` and `steady`, peers by name, advertisements, and settings beside a short
    wait for revisions.
    """
    objects = [
        _object("metallb.io/v1beta1", "IPAddressPool", "pool", {"addresses": [NETWORK4, NETWORK6]}),
        _object("metallb.io/v1beta1", "BFDProfile", "fast", _FAST),
        _object("metallb.io/v1beta1", "BFDProfile", "steady", _STEADY),
        *(_object("metallb.io/v1beta2", "BGPPeer", name, spec) for name, spec in peers.items()),
        *(
            _object("metallb.io/v1beta1", "BGPAdvertisement", f"routes{number}", spec)
            for number, spec in enumerate(advertisements)
        ),
        _object(
            "lb-reconciler.io/v1alpha1",
            "ReconcilerSettings",
            "settings",
            # Nobody is missing for longer in these tests.
            {"membership": {"revisionWait": "3s"}, **(settings or {})},
        ),
    ]
    return "\n---\n".join(objects)


def _object(version: str, kind: str, name: str, spec: Spec) -> str:
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
