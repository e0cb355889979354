"""
The reason codes of refusals, losses and ignored Services: stable words, each explained below it.

docs/reason-codes.md is made of these explanations: `python -m tests.docs.generated` writes it anew.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a Service is refused an address, loses one, or is not served at all."""

    POOL_EXHAUSTED = "pool-exhausted"
    """Every address of that family, in every pool that may serve the Service, is in use. With a sharing key, no address
    with that key has room for its ports. Fix: Add addresses to a pool, or give up an address that is not needed."""
    FAMILY_MISMATCH = "family-mismatch"
    """No pool has addresses of the families that the Service needs (both of them in one pool for RequireDualStack), or
    the addresses it holds or names are of other families than its cluster IPs. Fix: Add addresses of that family to a
    pool, or change `ipFamilies`, `ipFamilyPolicy` or the request."""
    POOL_NOT_COMPATIBLE = "pool-not-compatible"
    """`serviceAllocation` pins the pool to other namespaces or Services. Fix: Widen `serviceAllocation`, or use another
    pool."""
    AUTO_ASSIGN_OFF = "auto-assign-off"
    """The pools that could serve the Service have `autoAssign: false` and serve only those that name them. Fix: Name a
    pool by the annotation `metallb.io/address-pool`, or turn `autoAssign` on."""
    NO_POOLS = "no-pools"
    """No IPAddressPool is configured. Fix: Add one."""
    UNKNOWN_POOL = "unknown-pool"
    """The annotation `metallb.io/address-pool` names a pool that does not exist. Fix: Correct the name, or add the
    pool."""
    POOL_MISMATCH = "pool-mismatch"
    """The Service names an address and a pool, and the address is in another pool. Fix: Remove one of the two requests,
    or make them agree."""
    NOT_IN_ANY_POOL = "not-in-any-pool"
    """No pool hands out the address: it is in no pool, or `avoidBuggyIPs` leaves it out. Fix: Add the address to a
    pool, or name another."""
    NOT_IN_ONE_POOL = "not-in-one-pool"
    """The two addresses are in different pools; both addresses of a Service come from one. Fix: Put both families into
    one pool, or name addresses of one pool."""
    ADDRESS_IN_USE = "address-in-use"
    """Another Service holds the address and does not share it with this one: the sharing keys differ, or
    `externalTrafficPolicy` (under Local also the selector) does. Fix: Give both the same `metallb.io/allow-shared-ip`
    and distinct ports, or use another address."""
    PORT_IN_USE = "port-in-use"
    """The address may be shared, but another Service on it has a port of this one. Fix: Use another port or another
    address."""
    INVALID_REQUEST = "invalid-request"
    """`metallb.io/loadBalancerIPs` or `spec.loadBalancerIP` cannot be read, or both are given. Fix: Write one address,
    or one IPv4 and one IPv6 address with a comma between them."""
    NO_CLUSTER_IP = "no-cluster-ip"
    """The Service has no cluster IP, and that is what decides the address family. Fix: Wait for the API server to
    assign one."""
    NOT_ENOUGH_CLUSTER_IPS = "not-enough-cluster-ips"
    """`ipFamilyPolicy: RequireDualStack` with one cluster IP. Fix: Give the Service a cluster IP of each family, or use
    PreferDualStack."""
    INVALID_CLUSTER_IPS = "invalid-cluster-ips"
    """The cluster IPs are not one IPv4 address, one IPv6 address, or one of each; a headless Service (`None`) among
    them. Fix: Create the Service again without `clusterIP`."""
    INVALID_INGRESS = "invalid-ingress"
    """The status holds addresses that no Service can have together: two of one family, or three. Fix: Nothing: they are
    replaced."""
    REQUEST_CHANGED = "request-changed"
    """The Service asks for other addresses or another pool, and has them now. Fix: Nothing: it moved because it asked
    to."""
    NOT_LOAD_BALANCER = "not-load-balancer"
    """The type of the Service is no longer LoadBalancer, so its address is taken back. Fix: Nothing, or set the type to
    LoadBalancer again."""
    STALE_ANNOTATION = "stale-annotation"
    """The status is empty, but `metallb.io/ip-allocated-from-pool` is still there; it is taken away. Fix: See the
    refusal of the same Service."""
    NOT_OUR_CLASS = "not-our-class"
    """`spec.loadBalancerClass` is not the one given by `--lb-class`, or there is one and none was given. Fix: Correct
    the class, or the option."""
