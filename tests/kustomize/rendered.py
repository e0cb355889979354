"""What `kubectl kustomize` made of a directory, and how a kubelet would read it. No I/O."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.api import Object

# Kubernetes API, Container.args: $(NAME); what is not known stays as it is.
_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
KUSTOMIZE = Path(__file__).parents[2] / "kustomize"
ROLES = ("controller", "speaker")


@dataclass(frozen=True, slots=True)
class Rendered:
    """All objects of one kustomization."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> Iterator[Object]:
        return (found for found in self.objects if found["kind"] == kind)

    def one(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """The only one of that kind and name."""
        (found,) = (
            found
            for found in self.of(kind)
            if found["metadata"]["name"] == name and namespace in {None, found["metadata"].get("namespace")}
        )
        return found

    def workloads(self) -> Iterator[Object]:
        """What makes Pods."""
        yield from self.of("Deployment")
        yield from self.of("DaemonSet")

    def template(self, role: str) -> Object:
        """The Pods of a role."""
        kind = {"controller": "Deployment", "speaker": "DaemonSet"}[role]
        template = self.one(kind, role)["spec"]["template"]
        assert isinstance(template, dict)
        return template

    def container(self, role: str, name: str = "") -> Object:
        """A container of a role, one that runs before it included; the role itself when no name is given."""
        spec = self.template(role)["spec"]
        containers = (*spec.get("initContainers", ()), *spec["containers"])
        (found,) = (one for one in containers if one["name"] == (name or role))
        assert isinstance(found, dict)
        return found

    def identities(self) -> set[tuple[str, str, str]]:
        """Kind, namespace and name of each."""
        return {
            (found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]) for found in self.objects
        }

    def environment(self, role: str, fields: Mapping[str, str], name: str = "") -> dict[str, str]:
        """The variables of a container, in a Pod with these fields."""
        known: dict[str, str] = {}
        for variable in self.container(role, name).get("env", ()):
            known[variable["name"]] = self._value(variable, fields, known)
        return known

    def arguments(self, role: str, fields: Mapping[str, str], name: str = "") -> list[str]:
        """The arguments of a container, in a Pod with these fields."""
        environment = self.environment(role, fields, name)
        return [expanded(text, environment) for text in self.container(role, name)["args"]]

    def _value(self, variable: Object, fields: Mapping[str, str], known: Mapping[str, str]) -> str:
        if "value" in variable:
            return expanded(variable["value"], known)
        source = variable["valueFrom"]
        if "fieldRef" in source:
            return fields[source["fieldRef"]["fieldPath"]]
        if "secretKeyRef" in source:
            return f"{source['secretKeyRef']['key']} of {source['secretKeyRef']['name']}"
        reference = source["configMapKeyRef"]
        value = self.one("ConfigMap", reference["name"])["data"][reference["key"]]
        assert isinstance(value, str)
        return value


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """What a kubelet makes of `$(NAME)`: only variables that come before are known."""
    return _REFERENCE.sub(lambda found: environment.get(found[1], found[0]), text)


def references(text: str) -> set[str]:
    """The names in it."""
    return set(_REFERENCE.findall(text))
