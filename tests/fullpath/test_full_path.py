"""
From a Service on a real API server to a web page on the client, through the controller, the speakers and kube-proxy.

Each test has a Service of its own, and leaves what runs in order.
"""

import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.controlplane.api import Object, wait_until
from tests.controlplane.harness import NAMESPACE
from tests.controlplane.manifests import CONTROLLER, SPEAKER, apply_rights
from tests.controlplane.rights import denied, used
from tests.fullpath.client import HOST, WebClient
from tests.fullpath.conftest import NODES
from tests.fullpath.installation import Installation
from tests.fullpath.pods import PORT, Pod

SHOP = "shop"


class Shop:
    """A Service of two families whose one endpoint is a Pod that may move."""

    def __init__(self, installation: Installation, pods: dict[str, Pod], name: str) -> None:
        self._api = installation.api
        self._pods = pods
        self.name = name

    def create(self, node: str, policy: str) -> tuple[str, str]:
        """Its addresses, once it has them."""
        self._api.create_service(
            SHOP,
            self.name,
            ports=[{"name": "http", "port": 80, "targetPort": PORT}],
            ipFamilyPolicy="RequireDualStack",
            ipFamilies=["IPv4", "IPv6"],
            externalTrafficPolicy=policy,
        )
        for family in ("IPv4", "IPv6"):
            self._api.create("endpointslices", SHOP, self._slice(family, node))
        v4, v6 = wait_until(lambda: self._api.ingress(SHOP, self.name), "it has addresses")
        return v4, v6

    def owners(self, web: WebClient, addresses: Iterable[str], node: str) -> dict[str, str]:
        """The nodes that announce its addresses, once the Pod of that node answers through each of them."""
        for address in addresses:
            web.wait_for(address, f"pod-{node}")
        return {address: str(web.owner(address)) for address in addresses}

    def move(self, node: str) -> None:
        """Its endpoint is the Pod of another node."""
        for family in ("IPv4", "IPv6"):
            self._api.replace("endpointslices", SHOP, f"{self.name}-{family.lower()}", self._slice(family, node))

    def set_policy(self, policy: str) -> None:
        self._api.patch("services", SHOP, self.name, {"spec": {"externalTrafficPolicy": policy}})

    def delete(self) -> None:
        self._api.delete("services", SHOP, self.name)
        for family in ("ipv4", "ipv6"):
            self._api.delete("endpointslices", SHOP, f"{self.name}-{family}")

    def _slice(self, family: str, node: str) -> Object:
        pod = self._pods[node]
        labels = {"kubernetes.io/service-name": self.name}
        address = pod.address if family == "IPv4" else pod.address6
        return {
            "metadata": {"name": f"{self.name}-{family.lower()}", "labels": labels},
            "addressType": family,
            "endpoints": [{"addresses": [address], "nodeName": node, "conditions": {"ready": True}}],
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
        }


@contextmanager
def cut(installation: Installation, node: str) -> Iterator[None]:
    """Without its cable; afterwards all are together again."""
    installation.lab.cut(node)
    try:
        yield
    finally:
        installation.lab.restore(node)
        installation.wait_until_together()


def is_at(web: WebClient, address: str, node: str) -> bool:
    """Whether the client takes that node for the owner."""
    return web.owner(address) == node


def is_silent(web: WebClient, address: str) -> bool:
    return not web.is_answered(address)


def is_asked_for_by_another(web: WebClient, address: str, clients: Collection[str]) -> bool:
    """Whether a Pod answers that does not see the client itself."""
    found = web.fetch(address)
    return found is not None and found[1] not in clients


def nodes_in_events(installation: Installation, shop: "Shop") -> set[str]:
    """The nodes that say in Events that they announce it."""
    events = installation.events(SHOP, shop.name)
    return {event["source"]["host"] for event in events if event["reason"] == "nodeAssigned"}


def shown_by_status(installation: Installation) -> str:
    """What the command `status` prints."""
    kubeconfig = installation.control_plane.kubeconfig("admin")
    command = [sys.executable, "-m", "reconciler", "status", f"--kubeconfig={kubeconfig}"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def another(*nodes: str | None) -> str:
    """A node that is none of these."""
    return next(node for node in NODES if node not in nodes)


@pytest.fixture
def shop(installation: Installation, pods: dict[str, Pod], request: pytest.FixtureRequest) -> Shop:
    return Shop(installation, pods, request.node.name.removeprefix("test_").replace("_", "-")[:40])


def test_a_node_is_cut_off(installation: Installation, shop: Shop, web: WebClient) -> None:
    addresses = shop.create("n1", "Cluster")
    for address, owner in shop.owners(web, addresses, "n1").items():
        shop.move(another(owner))
        web.wait_for(address, f"pod-{another(owner)}")
        # Where the endpoint is does not decide who announces.
        assert web.owner(address) == owner
        with cut(installation, owner):
            web.wait_for(address, f"pod-{another(owner)}")
            assert web.owner(address) != owner
        wait_until(partial(is_at, web, address, owner), "it has come back")
        web.wait_for(address, f"pod-{another(owner)}")
    shop.delete()


def test_an_address_follows_its_endpoint(installation: Installation, shop: Shop, web: WebClient) -> None:
    lab = installation.lab
    addresses = shop.create("n1", "Local")
    ourselves = {lab.address(HOST), lab.address6(HOST)}
    for node in ("n1", "n2", "n3", "n1"):
        shop.move(node)
        for address in addresses:
            # Nobody in between has hidden who asks.
            assert web.wait_for(address, f"pod-{node}") in ourselves
            assert web.owner(address) == node
    # With the other policy a node in between asks on behalf of the client, unless it is the Pod's own.
    shop.set_policy("Cluster")
    for address in addresses:
        shop.move(another(web.owner(address)))
        wait_until(partial(is_asked_for_by_another, web, address, ourselves), "a node asks")
    shop.delete()


def test_a_deleted_service_falls_silent(shop: Shop, web: WebClient) -> None:
    addresses = shop.create("n2", "Cluster")
    for address in addresses:
        web.wait_for(address, "pod-n2")
        assert web.is_answered(address)
    shop.delete()
    for address in addresses:
        wait_until(partial(is_silent, web, address), f"{address} is silent")


def test_the_api_server_is_away(installation: Installation, shop: Shop, web: WebClient) -> None:
    control_plane = installation.control_plane
    addresses = shop.create("n1", "Cluster")
    owners = shop.owners(web, addresses, "n1")
    elsewhere = another(*owners.values())
    shop.move(elsewhere)
    for address in addresses:
        web.wait_for(address, f"pod-{elsewhere}")
    control_plane.kill_apiserver()
    try:
        wait_until(lambda: all(one.misses_cluster() for one in installation.speakers.values()), "it is missed")
        for address, owner in owners.items():
            assert web.is_answered(address)
            assert web.fetch(address) == (f"pod-{elsewhere}", web.wait_for(address, f"pod-{elsewhere}"))
            assert web.owner(address) == owner
        # A node can be lost all the same.
        v4 = addresses[0]
        with cut(installation, owners[v4]):
            web.wait_for(v4, f"pod-{elsewhere}")
            assert web.owner(v4) != owners[v4]
        wait_until(partial(is_at, web, v4, owners[v4]), "it has come back")
    finally:
        control_plane.start_apiserver()
    shop.delete()
    for address in addresses:
        wait_until(partial(is_silent, web, address), f"{address} is silent")


def test_what_is_told_of_it(installation: Installation, shop: Shop, web: WebClient) -> None:
    api = installation.api
    owners = set(shop.owners(web, shop.create("n2", "Cluster"), "n2").values())
    wait_until(lambda: nodes_in_events(installation, shop) == owners, f"Events of {owners}")
    published = {one["metadata"]["name"] for one in api.objects("configmaps", f"{NAMESPACE}-status")}
    assert {f"lb-reconciler-status-{node}" for node in NODES} <= published
    # What speakers publish follows what they know.
    wait_until(lambda: "3 ready" in shown_by_status(installation), "the command says that three are ready")
    shop.delete()


def test_nobody_lacks_a_right(installation: Installation) -> None:
    for user, account in (("audited-controller", CONTROLLER), ("audited-speaker", SPEAKER)):
        requests = installation.control_plane.audited(user)
        rights = apply_rights(installation.api, account)
        assert any(right.verb == "watch" for right in used(requests))
        # A server that has just come back refuses for a moment what it allows.
        assert {use for use in denied(requests) if not any(right.covers(use) for right in rights)} == set()
