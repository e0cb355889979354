"""`import` from a real API server that holds what MetalLB left: afterwards nothing is to change."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.metallb import OBJECTS, add_kinds, add_objects, hold
from tests.controlplane.api import Api, wait_until
from tests.controlplane.harness import ControlPlane

# None of them has the lowest free address of its pool.
HELD = {"web": ["192.0.2.7"], "both": ["192.0.2.9", "2001:db8:5::20"], "pinned": ["198.51.100.13"]}
LEGACY = """\
peers:
- my-asn: 64512
  peer-asn: 64513
  peer-address: 192.0.2.254
address-pools:
- name: gold
  protocol: bgp
  avoid-buggy-ips: true
  addresses: [192.0.2.0/28, "2001:db8:5::/120"]
- name: lan
  protocol: layer2
  auto-assign: false
  addresses: [198.51.100.10-198.51.100.20]
"""


@dataclass(frozen=True)
class Site:
    """A cluster where MetalLB has given out addresses, and the command line for it."""

    api: Api
    namespace: str
    lb_class: str
    admin: str
    run: Run

    def imported(self, arguments: str) -> str:
        """Import, with nothing to complain about; returns what was printed."""
        status, out, err = self.run(f"import {arguments}")
        assert (status, err) == (0, "")
        return out

    def assert_nothing_changes(self, directory: Path) -> None:
        """Every Service keeps its address, and every announcement."""
        assert self.run(f"validate {directory}")[0] == 0
        ours = f"--namespace {self.namespace} --lb-class {self.lb_class}"
        status, out, err = self.run(f"diff --config {directory} {self.admin} {ours} --output json")
        assert (status, err) == (0, "")
        found = json.loads(out)
        rows = {row["service"]: (row["action"], row["after"]) for row in found["services"] if row["action"] != "ignore"}
        assert rows == {f"{self.namespace}/{name}": ("keep", addresses) for name, addresses in HELD.items()}
        assert {row["service"] for row in found["announcements"]} == set(rows)
        assert {row["change"] for row in found["announcements"]} == {"keep"}


@pytest.fixture
def site(api: Api, namespace: str, lb_class: str, control_plane: ControlPlane, reconciler: Run) -> Site:
    add_kinds(api)
    api.create("nodes", None, {"metadata": {"name": f"{namespace}-a"}})
    for name, addresses in HELD.items():
        pool = "lan" if name == "pinned" else "gold"
        policy = "RequireDualStack" if len(addresses) > 1 else "SingleStack"
        hold(api, namespace, name, addresses, pool=pool, lb_class=lb_class, policy=policy)
        ingress = api.get("services", namespace, name)["status"]["loadBalancer"]["ingress"]
        assert ingress == [{"ip": address, "ipMode": "VIP"} for address in addresses]
    return Site(api, namespace, lb_class, f"--kubeconfig {control_plane.kubeconfig('admin')}", reconciler)


def test_nothing_changes_after_an_import_from_the_cluster(tmp_path: Path, site: Site) -> None:
    add_objects(site.api, site.namespace)
    line = f"--to {tmp_path}/config --metallb-namespace {site.namespace} {site.admin}"
    out = site.imported(line)
    assert f"next: reconciler diff --config {tmp_path}/config {site.admin}\n" in out
    assert f"to be copied from {site.namespace} to lb-reconciler: tor-a-password\n" in out
    assert sorted(_texts(tmp_path / "config")) == [
        "bfd-profiles.yaml",
        "bgp-advertisements.yaml",
        "communities.yaml",
        "l2-advertisements.yaml",
        "peers.yaml",
        "pools.yaml",
    ]
    assert _texts(tmp_path / "config")["peers.yaml"] == PEERS
    site.assert_nothing_changes(tmp_path / "config")
    # The same again: nothing is written over, and nothing is in the way.
    site.imported(line)


PEERS = """\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata:
  name: tor-a
  labels:
    team: network
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: 192.0.2.254
  holdTime: 9s
  passwordSecret:
    name: tor-a-password
  bfdProfile: fast
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata:
  name: tor-b
  labels:
    team: network
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: 2001:db8::254
"""


def test_nothing_changes_after_an_import_of_what_kubectl_printed(tmp_path: Path, site: Site) -> None:
    add_objects(site.api, site.namespace)
    items = []
    for resource in OBJECTS:
        version = "v1beta2" if resource == "bgppeers" else "v1beta1"
        path = f"/apis/metallb.io/{version}/namespaces/{site.namespace}/{resource}"
        items += site.api.request("GET", path)["items"]
    # As kubectl does it: keys in the order of the alphabet, the server's fields and all.
    printed = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
    (tmp_path / "saved.json").write_text(json.dumps(printed, indent=4, sort_keys=True), "utf-8")
    site.imported(f"{tmp_path}/saved.json --to {tmp_path}/config")
    site.assert_nothing_changes(tmp_path / "config")
    # What the cluster says is the same, file for file.
    site.imported(f"--to {tmp_path}/live --metallb-namespace {site.namespace} {site.admin}")
    assert _texts(tmp_path / "live") == _texts(tmp_path / "config")


def _texts(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in directory.iterdir()}


def test_nothing_changes_after_an_import_of_the_legacy_text(tmp_path: Path, site: Site) -> None:
    (tmp_path / "config.txt").write_text(LEGACY, "utf-8")
    site.imported(f"--legacy {tmp_path}/config.txt --to {tmp_path}/config")
    site.assert_nothing_changes(tmp_path / "config")


def test_the_legacy_config_map_of_a_live_cluster(tmp_path: Path, site: Site) -> None:
    config_map = {"metadata": {"name": "config"}, "data": {"config": f"odd: 1\n{LEGACY}"}}
    site.api.create("configmaps", site.namespace, config_map)
    out = site.imported(f"--to {tmp_path}/config --metallb-namespace {site.namespace} {site.admin}")
    assert f"ConfigMap {site.namespace}/config, config:1:1: warning[unknown-field]" in out
    site.assert_nothing_changes(tmp_path / "config")


def test_a_namespace_without_metallb(tmp_path: Path, site: Site) -> None:
    line = f"import --to {tmp_path}/config --metallb-namespace {site.namespace} {site.admin}"
    status, out, err = site.run(line)
    assert (status, out) == (2, "")
    assert f"no configuration of MetalLB in namespace {site.namespace}; --metallb-namespace names another" in err
    assert not (tmp_path / "config").exists()


def test_a_live_import_asks_for_no_secret(tmp_path: Path, site: Site, control_plane: ControlPlane) -> None:
    add_objects(site.api, site.namespace)
    rules = [
        {"apiGroups": ["metallb.io", "frrk8s.metallb.io"], "resources": ["*"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["config", "bgpextras"], "verbs": ["get"]},
    ]
    subject = {"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "Role", "name": "import", "apiGroup": "rbac.authorization.k8s.io"}
    site.api.create("roles", site.namespace, {"metadata": {"name": "import"}, "rules": rules})
    binding = {"metadata": {"name": "import"}, "subjects": [subject], "roleRef": role}
    site.api.create("rolebindings", site.namespace, binding)
    line = f"import --to {tmp_path}/config --metallb-namespace {site.namespace}"
    user = f"--kubeconfig {control_plane.kubeconfig('nobody')}"
    wait_until(lambda: site.run(f"{line} {user}")[0] == 0, "the right to list is in force")
