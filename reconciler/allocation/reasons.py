"""The reason codes of refusals, losses and ignored Services: stable words, explained in docs/reason-codes.md."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a Service is refused an address, loses one, or is not served at all."""

    POOL_EXHAUSTED = "pool-exhausted"
    FAMILY_MISMATCH = "family-mismatch"
    POOL_NOT_COMPATIBLE = "pool-not-compatible"
    AUTO_ASSIGN_OFF = "auto-assign-off"
    NO_POOLS = "no-pools"
    UNKNOWN_POOL = "unknown-pool"
    POOL_MISMATCH = "pool-mismatch"
    NOT_IN_ANY_POOL = "not-in-any-pool"
    NOT_IN_ONE_POOL = "not-in-one-pool"
    ADDRESS_IN_USE = "address-in-use"
    PORT_IN_USE = "port-in-use"
    INVALID_REQUEST = "invalid-request"
    NO_CLUSTER_IP = "no-cluster-ip"
    NOT_ENOUGH_CLUSTER_IPS = "not-enough-cluster-ips"
    INVALID_CLUSTER_IPS = "invalid-cluster-ips"
    INVALID_INGRESS = "invalid-ingress"
    REQUEST_CHANGED = "request-changed"
    NOT_LOAD_BALANCER = "not-load-balancer"
    STALE_ANNOTATION = "stale-annotation"
    NOT_OUR_CLASS = "not-our-class"
