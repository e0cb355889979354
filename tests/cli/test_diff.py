"""`diff` on real files: what it finds, in which order, and with which exit status."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.addresses.family import parse_address
from reconciler.cli.options import Output
from tests.cli.conftest import Run
from tests.cli.test_json_contract import SCHEMA, SUMMARY

Diff = Callable[..., tuple[int, dict[str, Any]]]


def rows(document: dict[str, Any], *actions: str) -> dict[str, dict[str, Any]]:
    return {row["service"]: row for row in document["services"] if row["action"] in actions}


def edit(path: str, before: str, after: str) -> None:
    text = Path(path).read_text()
    assert before in text
    Path(path).write_text(text.replace(before, after))


def write_afters(document: dict[str, Any]) -> None:
    """Write the `after` of every Service that would change as its manifest says it, without our own code."""
    items: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": row["service"].split("/")[1],
                "namespace": row["service"].split("/")[0],
                "annotations": {"metallb.io/ip-allocated-from-pool": row["pool"]} if row["pool"] else {},
            },
            "status": {"loadBalancer": {"ingress": [{"ip": address} for address in row["after"]]}},
        }
        for row in document["services"]
        if row["action"] in ("assign", "change", "clear")
    ]
    merge_into_manifests({f"{i['metadata']['namespace']}/{i['metadata']['name']}": i for i in items})


def merge_into_manifests(items: dict[str, dict[str, Any]]) -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    documents = []
    for document in yaml.load_all(Path("cluster/services.yaml").read_text()):
        metadata = document["metadata"]
        item = items.get(f"{metadata['namespace']}/{metadata['name']}")
        if item:
            document["status"] = item["status"]
            annotations = {**metadata.get("annotations", {}), **item["metadata"]["annotations"]}
            if not item["metadata"]["annotations"]:
                annotations.pop("metallb.io/ip-allocated-from-pool", None)
            metadata["annotations"] = annotations
        documents.append(document)
    with Path("cluster/services.yaml").open("w") as out:
        yaml.dump_all(documents, out)


def test_the_bundled_cluster(diff: Diff) -> None:
    status, document = diff()
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert status == 1
    assert document["config"]["valid"]
    given = {key: row["after"] for key, row in rows(document, "assign").items()}
    assert given["shop/reviews"] == ["192.0.2.11"]
    assert given["team-a/chat"] == ["198.51.100.0"]
    assert given["ops/dns-udp"] == ["192.0.2.53"]
    assert given["ops/vpn"] == ["192.0.2.70"]
    assert len(given["ledger/api"]) == 2
    assert rows(document, "refuse").keys() == {"ops/printers"}
    assert rows(document, "clear").keys() == {"shop/intranet"}
    assert rows(document, "ignore").keys() == {"ops/registry"}
    assert "shop/cart" not in {row["service"] for row in document["services"]}
    assert document["summary"]["keep"] == len(rows(document, "keep"))


def test_lists_are_sorted(diff: Diff) -> None:
    _, document = diff()
    services = [row["service"] for row in document["services"]]
    announcements = [(row["node"], parse_address(row["address"])) for row in document["announcements"]]
    assert services == sorted(services)
    assert announcements == sorted(announcements)
    assert [row["pool"] for row in document["pools"]] == ["payments", "public", "reserved", "team-a"]
    assert [event["service"] for event in document["events"]] == sorted(e["service"] for e in document["events"])


def test_every_change_names_an_existing_line(diff: Diff) -> None:
    _, document = diff()
    for row in (*rows(document, "assign", "change").values(), *document["announcements"]):
        lines = Path("config", row["cause"]["path"]).read_text().splitlines()
        assert lines[row["cause"]["line"] - 1].strip()


def test_after_writing_every_after_nothing_is_left_to_do(diff: Diff) -> None:
    _, document = diff()
    write_afters(document)
    status, again = diff()
    assert status == 0
    assert {row["action"] for row in again["services"]} == {"keep", "refuse", "ignore"}
    assert {row["change"] for row in again["announcements"]} == {"keep"}


def test_after_a_pool_moves_too(diff: Diff) -> None:
    edit("config/pools.yaml", "192.0.2.0/26", "192.0.2.32/27")
    status, document = diff()
    assert status == 3
    assert rows(document, "change")
    write_afters(document)
    status, again = diff()
    assert (status, again["summary"]["change"], again["summary"]["announce"]) == (0, 0, 0)


@pytest.mark.parametrize("output", list(Output))
@pytest.mark.parametrize(
    ("prepare", "options", "expected"),
    [
        pytest.param("", "--config config", 1, id="something would change"),
        pytest.param("shrink", "--config config", 3, id="the guard holds"),
        pytest.param("break", "--config config", 2, id="a bad configuration"),
        pytest.param("", "--config config --base config", 0, id="nothing, against the same base"),
        pytest.param("break-base", "--config config --base base", 2, id="a bad base"),
    ],
)
@pytest.mark.usefixtures("work")
def test_the_exit_status_does_not_depend_on_the_output(
    prepare: str, options: str, expected: int, output: Output, reconciler: Run
) -> None:
    if prepare == "shrink":
        edit("config/pools.yaml", "192.0.2.0/26", "192.0.2.32/27")
    if prepare == "break":
        edit("config/pools.yaml", "192.0.2.0/26", "192.0.2.0/99")
    if prepare == "break-base":
        shutil.copytree("config", "base")
        edit("base/pools.yaml", "192.0.2.0/26", "192.0.2.0/99")
    status, out, err = reconciler(f"diff {options} --cluster dir:cluster --output {output}")
    assert (status, err) == (expected, "")
    assert out


def test_a_bad_configuration_is_reported_with_empty_lists(diff: Diff) -> None:
    edit("config/pools.yaml", "192.0.2.0/26", "192.0.2.0/99")
    status, document = diff()
    assert status == 2
    assert not document["config"]["valid"]
    assert document["config"]["problems"][0]["path"] == "pools.yaml"
    assert document["services"] == document["announcements"] == document["pools"] == document["events"] == []
    assert document["summary"] == SUMMARY


def test_a_bad_base_is_reported_apart(diff: Diff) -> None:
    shutil.copytree("config", "base")
    edit("base/pools.yaml", "192.0.2.0/26", "192.0.2.0/99")
    status, document = diff("--base base")
    assert (status, document["config"]["valid"], document["base"]["valid"]) == (2, True, False)
    assert document["services"] == []


def test_with_a_base_only_the_difference_between_the_two_is_left(diff: Diff) -> None:
    shutil.copytree("config", "base")
    edit("config/pools.yaml", "198.51.100.0/27", "198.51.100.0/30")
    status, document = diff("--base base")
    assert (status, document["summary"]["assign"], document["summary"]["change"]) == (0, 0, 0)
    assert rows(document, "keep")["shop/reviews"]["after"] == ["192.0.2.11"]


def test_a_change_of_announcements_alone_shows_against_a_base(diff: Diff) -> None:
    shutil.copytree("config", "base")
    edit("config/announcements.yaml", "  communities:\n    - from-load-balancer\n", "  localPref: 200\n")
    status, document = diff("--base base")
    assert status == 1
    changed = [row for row in document["announcements"] if row["change"] != "keep"]
    assert {(row["change"], row["localPref"], tuple(row["communities"])) for row in changed} == {
        ("remove", None, ("64512:100",)),
        ("add", 200, ()),
    }
    assert document["summary"]["announce"] == document["summary"]["withdraw"] == len(changed) // 2


NAMED = "  ipAddressPools: [public, team-a]"


def test_silencing_many_services_is_held(diff: Diff) -> None:
    shutil.copytree("config", "base")
    edit("config/announcements.yaml", "reach: office", "reach: nowhere")
    status, document = diff("--base base")
    assert (status, document["guard"]["held"], document["summary"]["change"]) == (3, True, 0)
    assert "shop/web" in document["guard"]["affected"]


def test_a_pool_renamed_without_its_advertisement_is_held(diff: Diff) -> None:
    edit("config/announcements.yaml", "  ipAddressPoolSelectors:\n    - matchLabels:\n        reach: office", NAMED)
    shutil.copytree("config", "base")
    edit("config/pools.yaml", "name: public", "name: everybody")
    status, document = diff("--base base")
    # Every Service keeps its address, under the new name of the pool, and nobody would hear of it any more.
    assert (status, document["guard"]["held"]) == (3, True)
    assert {row["action"] for row in document["services"] if row["service"] in document["guard"]["affected"]} == {
        "change"
    }


def test_the_guard_does_not_look_away_from_nodes_that_are_not_shown(diff: Diff) -> None:
    shutil.copytree("config", "base")
    edit("config/announcements.yaml", "reach: office", "reach: nowhere")
    status, document = diff("--base base --node control-plane-1")
    assert (status, document["guard"]["held"]) == (3, True)
    assert {row["node"] for row in document["announcements"]} <= {"control-plane-1"}


def test_an_approved_digest_lets_the_plan_through(diff: Diff) -> None:
    edit("config/pools.yaml", "192.0.2.0/26", "192.0.2.32/27")
    _, held = diff()
    digest = held["guard"]["digest"]
    edit("config/settings.yaml", "    minimumServices: 4", f"    minimumServices: 4\n    approvedPlan: {digest}")
    status, document = diff()
    assert (status, document["guard"]["held"], document["guard"]["approved"]) == (1, False, True)
    assert document["services"] == held["services"]


def test_one_node_shows_what_it_shows_among_all(diff: Diff) -> None:
    _, everything = diff()
    status, document = diff("--node worker-2")
    assert status == 1
    assert document["announcements"] == [row for row in everything["announcements"] if row["node"] == "worker-2"]
    assert document["services"] == everything["services"]


def test_a_node_that_is_excluded_announces_nothing(diff: Diff) -> None:
    _, document = diff("--node control-plane-1")
    assert document["announcements"] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("diff --config config --cluster dir:nowhere", "nowhere", id="a cluster that is not there"),
        pytest.param("diff --config nowhere --cluster dir:cluster", "nowhere", id="a configuration that is not there"),
        pytest.param("diff --config config --base nowhere --cluster dir:cluster", "nowhere", id="a base that is not"),
        pytest.param("validate nowhere", "nowhere", id="nothing to validate"),
        pytest.param(
            "diff --config config --cluster dir:cluster --node worker-9",
            'did you mean "worker-3"',
            id="an unknown node",
        ),
        pytest.param(
            "explain shop/wbe --config config --cluster dir:cluster", "did you mean shop/web", id="an unknown Service"
        ),
        pytest.param("explain x/portal --config config --cluster dir:cluster", "team-a/portal", id="a wrong namespace"),
    ],
)
@pytest.mark.usefixtures("work")
def test_what_cannot_be_read_is_one_line_and_exit_2(line: str, expected: str, reconciler: Run) -> None:
    status, out, err = reconciler(line)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert expected in err


def test_a_broken_snapshot_is_one_line_and_exit_2(work: Path, reconciler: Run) -> None:
    (work / "cluster/services.yaml").write_text("kind: Service\napiVersion: v1\nmetadata: [\n")
    status, out, err = reconciler("diff --config config --cluster dir:cluster")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "services.yaml" in err


def test_a_cluster_without_nodes_is_said_to_announce_nothing(work: Path, reconciler: Run) -> None:
    (work / "cluster/nodes.yaml").unlink()
    status, out, err = reconciler("diff --config config --cluster dir:cluster")
    assert status == 1
    assert "no Node" in err
    assert "Announcements" not in out


def test_a_secret_that_cannot_be_looked_up_is_a_warning(diff: Diff) -> None:
    edit(
        "config/peers.yaml", "peerAddress: 198.51.100.254", "peerAddress: 198.51.100.254\n  passwordSecret: {name: tor}"
    )
    status, document = diff()
    assert (status, document["config"]["valid"]) == (1, True)
    assert [(p["path"], p["severity"]) for p in document["config"]["problems"]] == [("peers.yaml", "warning")]


def test_a_secret_of_the_wrong_type_is_an_error(diff: Diff) -> None:
    edit(
        "config/peers.yaml", "peerAddress: 198.51.100.254", "peerAddress: 198.51.100.254\n  passwordSecret: {name: tor}"
    )
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "tor", "namespace": "own"}}
    Path("cluster/secret.json").write_text(json.dumps(secret))
    status, document = diff("--namespace own")
    assert (status, document["config"]["valid"], document["services"]) == (2, False, [])


def test_options_come_from_the_environment(work: Path, reconciler: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_CONFIG", f"{work}/config/pools.yaml:{work}/config/announcements.yaml")
    monkeypatch.setenv("RECONCILER_CLUSTER", "dir:cluster")
    monkeypatch.setenv("RECONCILER_LB_CLASS", "example.com/hardware")
    status, out, _ = reconciler("diff --output json")
    assert status == 1
    assert rows(json.loads(out), "assign").keys() == {"ops/registry"}


def test_a_path_on_the_command_line_replaces_the_environment(
    work: Path, reconciler: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_CONFIG", str(work / "nowhere"))
    assert reconciler("validate config")[0] == 0


def test_a_held_plan_points_at_the_settings_there_are(diff: Diff) -> None:
    edit("config/pools.yaml", "192.0.2.0/26", "192.0.2.32/27")
    bare = "apiVersion: lb-reconciler.io/v1alpha1\nkind: ReconcilerSettings\nmetadata:\n  name: settings\n"
    Path("config/settings.yaml").write_text(bare, encoding="utf-8")
    status, document = diff()
    assert status == 3
    assert document["guard"]["settings"] == {"path": "settings.yaml", "line": 4, "column": 9}
