"""Rights: those that RBAC manifests grant to a service account, and those that the audit log says were used. No I/O."""

from collections.abc import Iterable
from typing import NamedTuple

from tests.controlplane.api import Object


class Right(NamedTuple):
    """
    One verb on one resource, as RBAC counts them.

    `resource` has its subresource (`services/status`). `namespace` is empty for all of them, and for what is in none.
    `name` is empty for every name, and in a use for what has none when it is authorized: lists, creations.
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def covers(self, use: "Right") -> bool:
        """Whether it allows a use."""
        return self[:3] == use[:3] and self.namespace in {"", use.namespace} and self.name in {"", use.name}


def granted(manifests: Iterable[Object], account: tuple[str, str]) -> frozenset[Right]:
    """What roles and bindings give to a service account, which is its namespace and name; aggregation is not known."""
    known = list(manifests)
    roles = {
        (role["kind"], _namespace(role), role["metadata"]["name"]): role["rules"] for role in known if "rules" in role
    }
    found: set[Right] = set()
    for binding in known:
        if any((subject["namespace"], subject["name"]) == account for subject in binding.get("subjects", ())):
            reference, namespace = binding["roleRef"], _namespace(binding)
            home = namespace if reference["kind"] == "Role" else ""
            for rule in roles[reference["kind"], home, reference["name"]]:
                found.update(_of_rule(rule, namespace))
    return frozenset(found)


def used(audited: Iterable[Object]) -> frozenset[Right]:
    """What requests made use of, whether it was granted or not; what is no resource (`/version`) is left out."""
    return frozenset(_of_request(event) for event in audited if "objectRef" in event)


def denied(audited: Iterable[Object]) -> frozenset[Right]:
    """What requests lacked."""
    return used(event for event in audited if event["responseStatus"]["code"] == 403)


def idle(rights: Iterable[Right], uses: Iterable[Right], own: Iterable[str]) -> frozenset[Right]:
    """
    Rights that no use needed.

    Args:
        rights: What is granted.
        uses: What was used.
        own: Namespaces of our own: a right to all namespaces is needed where it was used in another.
    """
    at_home = frozenset(own)
    known = frozenset(uses)
    return frozenset(
        right
        for right in rights
        if not any(right.covers(use) and (right.namespace or use.namespace not in at_home) for use in known)
    )


def _of_rule(rule: Object, namespace: str) -> Iterable[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames", ("",)):
                    yield Right(verb, group, resource, namespace, name)


def _of_request(event: Object) -> Right:
    reference, verb = event["objectRef"], event["verb"]
    resource = "/".join(part for part in (reference["resource"], reference.get("subresource")) if part)
    # The log names what was created, but a creation is decided on before its object has been read.
    name = "" if verb == "create" else reference.get("name", "")
    return Right(verb, reference.get("apiGroup", ""), resource, reference.get("namespace", ""), name)


def _namespace(manifest: Object) -> str:
    namespace = manifest["metadata"].get("namespace", "")
    assert isinstance(namespace, str)
    return namespace
