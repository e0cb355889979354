"""What Flux and Argo CD compare stays as they applied it, and what they apply again takes nothing away from us."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.controlplane.api import Object, wait_until
from tests.gitops.delivery import ARGO, ARGO_BY_LABEL, ARGO_LABEL, ARGO_SERVER_SIDE, FLUX, Delivery
from tests.loop.conftest import NewCorner
from tests.loop.corner import EVERYWHERE, FROM_POOL, Corner, pool
from tests.loop.running import RunningController

TOOLS: dict[str, Delivery] = {
    "flux": FLUX,
    "argo": ARGO,
    "argo-by-label": ARGO_BY_LABEL,
    "argo-server-side": ARGO_SERVER_SIDE,
}
# Of each kind that a Service can be asked for: annotations, and what is in its spec.
SERVICES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "plain": ({}, {}),
    "asks": ({"metallb.io/loadBalancerIPs": "10.1.1.{number}"}, {}),
    "named": ({"metallb.io/address-pool": "gold"}, {"ipFamilyPolicy": "SingleStack"}),
    "local": ({}, {"externalTrafficPolicy": "Local"}),
    "refused": ({"metallb.io/address-pool": "unknown"}, {}),
}


@dataclass(frozen=True)
class Site:
    """A corner with a controller at work in it."""

    corner: Corner
    controller: RunningController


@pytest.fixture(scope="module")
def site(new_corner: NewCorner) -> Iterator[Site]:
    corner = new_corner()
    corner.write(pool("gold", "10.1.0.0/23"), EVERYWHERE)
    with corner.start() as controller:
        yield Site(corner, controller)


def manifests(corner: Corner, prefix: str = "") -> list[Object]:
    """Services as people keep them in git: nothing in them that the server or we add."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": f"{prefix}{name}",
                "namespace": corner.namespace,
                **({"annotations": _numbered(annotations, prefix)} if annotations else {}),
            },
            "spec": {
                "type": "LoadBalancer",
                "loadBalancerClass": corner.lb_class,
                "selector": {"app": name},
                "ports": [
                    {"name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP"},
                    {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"},
                ],
                **spec,
            },
        }
        for name, (annotations, spec) in SERVICES.items()
    ]


def _numbered(annotations: dict[str, str], prefix: str) -> dict[str, str]:
    number = list(TOOLS).index(prefix.removesuffix("-")) if prefix else len(TOOLS)
    return {key: value.format(number=number) for key, value in annotations.items()}


def ours(corner: Corner, name: str) -> Object:
    """What we have written to a Service."""
    found = corner.get(name)
    return {
        "ingress": found["status"]["loadBalancer"],
        "condition": corner.condition(name),
        "pool": found["metadata"]["annotations"].get(FROM_POOL),
    }


@pytest.mark.parametrize("tool", TOOLS)
def test_services_that_were_given_addresses_have_not_drifted(site: Site, tool: str) -> None:
    corner, delivery = site.corner, TOOLS[tool]
    wanted = manifests(corner, f"{tool}-")
    for manifest in wanted:
        delivery.apply(corner.api, manifest)
    names = [manifest["metadata"]["name"] for manifest in wanted]
    *served, refused = names
    corner.wait_until_served(*served)
    corner.wait_for_refusal(refused)
    held = {name: ours(corner, name) for name in names}
    versions = {name: corner.get(name)["metadata"]["resourceVersion"] for name in names}
    assert [bool(found["ingress"]) for found in held.values()] == [True] * 4 + [False]
    assert [found["pool"] for found in held.values()] == ["gold"] * 4 + [None]
    assert [found["condition"]["status"] for found in held.values()] == ["True"] * 4 + ["False"]
    assert [delivery.drift(corner.api, manifest) for manifest in wanted] == [[]] * len(wanted)
    # The next sync, which comes whether anything has drifted or not.
    for manifest in wanted:
        delivery.apply(corner.api, manifest)
    assert {name: ours(corner, name) for name in names} == held
    # Nothing at all was written, so nobody is woken either.
    assert {name: corner.get(name)["metadata"]["resourceVersion"] for name in names} == versions


@pytest.mark.parametrize("tool", TOOLS)
def test_a_commit_that_changes_a_service_leaves_its_address_alone(site: Site, tool: str) -> None:
    corner, delivery = site.corner, TOOLS[tool]
    (manifest, *_) = manifests(corner, f"{tool}-")
    name = manifest["metadata"]["name"] = f"{tool}-changing"
    delivery.apply(corner.api, manifest)
    corner.wait_for_address(name)
    held = ours(corner, name)
    manifest["metadata"]["labels"] = {"team": "shop"}
    manifest["metadata"]["annotations"] = {"example.com/owner": "shop"}
    manifest["spec"]["ports"].append({"name": "metrics", "port": 9090, "targetPort": 9090, "protocol": "TCP"})
    assert delivery.drift(corner.api, manifest)
    delivery.apply(corner.api, manifest)
    site.controller.look_again()
    assert corner.get(name)["metadata"]["labels"]["team"] == "shop"
    assert ours(corner, name) == held
    assert delivery.drift(corner.api, manifest) == []


def test_what_we_write_is_owned_by_us_and_by_nobody_else(site: Site) -> None:
    corner = site.corner
    (manifest, *_) = manifests(corner)
    FLUX.apply(corner.api, manifest)
    corner.wait_for_address("plain")
    owners: dict[str, set[str]] = {}
    for entry in corner.get("plain")["metadata"]["managedFields"]:
        fields = entry["fieldsV1"]
        metadata = fields.get("f:metadata", {}).get("f:annotations", {}).keys() - {"."}
        status = fields.get("f:status", {}).keys()
        for field in (*metadata, *(f"status {key}" for key in status), *fields.get("f:spec", {})):
            owners.setdefault(field, set()).add(
                f"{entry['manager']} {entry['operation']} {entry.get('subresource', '')}"
            )
    mine = {"lb-reconciler Update status"}
    assert owners[f"f:{FROM_POOL}"] == mine
    assert owners["status f:loadBalancer"] == mine
    assert owners["status f:conditions"] == mine
    theirs = {"kustomize-controller Apply "}
    assert owners["f:type"] == owners["f:ports"] == owners["f:loadBalancerClass"] == theirs
    # Whatever else there is was not touched by us.
    assert {field for field, found in owners.items() if found & mine} == {
        f"f:{FROM_POOL}",
        "status f:loadBalancer",
        "status f:conditions",
    }


def test_a_configuration_from_git_stays_as_it_was_applied(corner: Corner) -> None:
    """The ConfigMap belongs to whoever applied it: that it is refused is said beside it, and not in it."""
    text = pool("gold", "10.1.0.0/28")
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "lb-reconciler-config", "namespace": corner.namespace},
        "data": {"pools.yaml": text},
    }
    applied = FLUX.apply(corner.api, manifest)
    # As the kubelet would mount it.
    corner.write(text, EVERYWHERE)
    with corner.start(f"--config-object={corner.namespace}/lb-reconciler-config"):
        passed = corner.wait_for_verdict("passed")["revision"]
        corner.wait_for_event("lb-reconciler-config", "ConfigurationApplied", passed, kind="ConfigMap")
        corner.write("kind: Nonsense\napiVersion: metallb.io/v1beta1\n")
        corner.wait_for_event("lb-reconciler-config", "ConfigurationRefused", passed, kind="ConfigMap")
        assert corner.api.get("configmaps", corner.namespace, "lb-reconciler-config") == applied
        assert FLUX.drift(corner.api, manifest) == []


def test_nothing_that_we_create_can_be_taken_for_an_object_of_theirs(site: Site) -> None:
    """They delete what carries their marks and is not in the repository."""
    corner = site.corner
    corner.create("web")
    corner.wait_for_address("web")
    corner.wait_for_event("web", "IPAllocated")
    wait_until(corner.board, "the status ConfigMap")
    made = [
        found
        for namespace in (corner.namespace, corner._status_namespace)
        for kind in ("configmaps", "secrets", "leases", "events")
        for found in corner.api.objects(kind, namespace)
        if found["metadata"]["name"] != "kube-root-ca.crt"
    ]
    assert len(made) >= 4, [found["metadata"]["name"] for found in made]
    for found in made:
        marks = json.dumps([found["metadata"].get("labels", {}), found["metadata"].get("annotations", {})])
        for word in (ARGO_LABEL, "argocd", "fluxcd", "last-applied"):
            assert word not in marks, found["metadata"]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_drift_would_be_seen(corner: Corner, tool: str) -> None:
    """The comparison itself finds what somebody has changed by hand, and what was taken out of the repository."""
    delivery = TOOLS[tool]
    changed, reduced, *_ = manifests(corner)
    for manifest in (changed, reduced):
        delivery.apply(corner.api, manifest)
        assert delivery.drift(corner.api, manifest) == []
    corner.patch("plain", {"spec": {"externalTrafficPolicy": "Local", "selector": {"app": "x"}}})
    assert delivery.drift(corner.api, changed) == [".spec.selector.app"]
    del reduced["spec"]["selector"]
    # An annotation may hold the whole of what was applied last.
    assert [path for path in delivery.drift(corner.api, reduced) if "last-applied" not in path] == [".spec.selector"]
