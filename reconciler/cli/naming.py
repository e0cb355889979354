"""The names under which a role is found in a cluster."""

import re
from hashlib import sha256

LEASE = "lb-reconciler-controller"
CONTROLLER_STATUS = "lb-reconciler-status-controller"
MEMBERSHIP_SECRET = "lb-reconciler-membership"  # noqa: S105 - the name of one
MEMBERSHIP_KEY_FILE = "membership-key"

_STATUS = "lb-reconciler-status-"
# RFC 1123 subdomain, the longest name of any object.
_LONGEST = 253


def named(name: str, lb_class: str) -> str:
    """Roles of different classes do not share a name; a class may have signs that a name cannot."""
    if not lb_class:
        return name
    readable = re.sub(r"[^a-z0-9]+", "-", lb_class.lower()).strip("-")[:40].rstrip("-")
    return f"{name}-{readable}-{_digest(lb_class)}"


def speaker_status(node: str, lb_class: str) -> str:
    """The name of what a speaker publishes: never that of a controller, also on a node that is called "controller"."""
    # The second, so that no other node has the name that the first one gets.
    if node.startswith(("controller", "node.")):
        node = f"node.{node}"
    name = named(f"{_STATUS}{node}", lb_class)
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9].rstrip('-.')}-{_digest(name)}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
