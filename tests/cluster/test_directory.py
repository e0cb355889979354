"""What is read from a file or a directory of manifests, and what is said about what cannot be read."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.directory import read_snapshot
from reconciler.cluster.port import ClusterError


def yaml_service(name: str) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{type: LoadBalancer}}\n"


def json_service(name: str, **more: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, **more})


def json_list(*names: str, indent: int | None = None) -> str:
    items = [json.loads(json_service(name)) for name in names]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=indent)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def names_in(path: Path) -> list[str]:
    return [service.name for service in read_snapshot(path, namespace="lb").services]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, "", id="an empty directory"),
        pytest.param({"a.yaml": ""}, "", id="an empty file"),
        pytest.param({"a.json": " \n" * 100}, "", id="a blank file"),
        pytest.param({"a.yaml": "# nothing\n---\n"}, "", id="an empty document"),
        pytest.param(
            {"a.yaml": yaml_service("a"), "b.yml": yaml_service("b"), "c.json": json_service("c")},
            "abc",
            id="every suffix",
        ),
        pytest.param({"x/y/a.yaml": yaml_service("a")}, "a", id="directories in directories"),
        pytest.param({"a.txt": "no manifest", "README.md": "{", "b.yaml": yaml_service("b")}, "b", id="other suffixes"),
        pytest.param({".a.yaml": yaml_service("a"), ".git/b.yaml": yaml_service("b")}, "", id="names with a dot"),
        pytest.param({"a.yaml": yaml_service("a") + "---\n" + yaml_service("b")}, "ab", id="several documents"),
        pytest.param({"a.yaml": json_list("a", "b")}, "ab", id="JSON under a YAML name"),
        pytest.param({"a.yaml": "{apiVersion: v1, kind: Service, metadata: {name: a}}"}, "a", id="YAML in flow style"),
        pytest.param({"a.yaml": f"{json_service('a')}\n---\n{json_service('b')}"}, "ab", id="JSON between dashes"),
        pytest.param({"a.json": json_list("a", "b", indent=4)}, "ab", id="a list in JSON, indented"),
        pytest.param(
            {"a.yaml": "apiVersion: v1\nkind: List\nitems:\n- " + yaml_service("a").replace("\n", "\n  ")},
            "a",
            id="a list in YAML",
        ),
        pytest.param({"a.json": json_list("a") + "\n" + json_service("b") + "\n"}, "ab", id="two outputs in one file"),
        pytest.param({"a.json": "\n".join(map(json_service, "abc"))}, "abc", id="an object on each line"),
        pytest.param({"a.json": f"[{json_service('a')}]"}, "a", id="an array of objects"),
        pytest.param({"a.json": "\ufeff" + json_service("a")}, "a", id="a byte order mark"),
        pytest.param({"a.yaml": "replicas: 3\n", "b.json": '{"name": "x"}'}, "", id="files about something else"),
        pytest.param({"status/a.yaml": yaml_service("a")}, "", id="the directory of status holds no manifests"),
        pytest.param({"x/status/a.yaml": yaml_service("a")}, "a", id="but another one of that name may"),
    ],
)
def test_read_a_directory(tmp_path: Path, files: dict[str, str], expected: Iterable[str]) -> None:
    write(tmp_path, files)
    assert names_in(tmp_path) == list(expected)


@pytest.mark.parametrize("name", ["cluster.yaml", "cluster.json", "cluster", "cluster.txt"])
def test_a_file_that_is_named_is_read_whatever_its_suffix(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: json_list("a", "b")})
    assert names_in(tmp_path / name) == ["a", "b"]


def test_a_pipe_is_read_like_a_file() -> None:
    reader, writer = os.pipe()
    os.write(writer, json_list("a").encode())
    os.close(writer)
    try:
        assert names_in(Path(f"/dev/fd/{reader}")) == ["a"]
    finally:
        os.close(reader)


def test_a_mounted_config_map_is_read_through_its_links(tmp_path: Path) -> None:
    write(tmp_path, {"..2026_01_01/a.yaml": yaml_service("a")})
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert names_in(tmp_path) == ["a"]


def test_a_link_to_a_directory_is_followed(tmp_path: Path) -> None:
    write(tmp_path, {".worktrees/1/a.yaml": yaml_service("a")})
    (tmp_path / "current").symlink_to(".worktrees/1")
    assert names_in(tmp_path) == names_in(tmp_path / "current") == ["a"]


def test_a_link_back_to_its_own_directory_is_not_followed_for_ever(tmp_path: Path) -> None:
    write(tmp_path, {"x/a.yaml": yaml_service("a")})
    (tmp_path / "x/again").symlink_to("../x")
    assert names_in(tmp_path) == ["a"]


def test_a_large_file_is_forgotten_while_it_is_read(tmp_path: Path) -> None:
    padding = "x" * 4000
    items = ",".join(json_service(f"s{n:05}", unknown=padding) for n in range(10_000))
    text = f'{{"apiVersion":"v1","kind":"List","items":[{items}]}}{json_service("last")}'
    assert len(text) > 32 << 20
    write(tmp_path, {"a.json": text})
    names = names_in(tmp_path / "a.json")
    assert (len(names), names[0], names[-1]) == (10_001, "last", "s09999")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({"a.json": '{"a": 1,\n "b": }'}, "a.json:2:7: is no JSON: invalid character", id="broken JSON"),
        pytest.param({"a.json": '{"a": 1'}, "a.json: is no complete JSON: input data was truncated", id="cut short"),
        pytest.param({"a.json": "a: 1"}, "a.json:1:1: is no JSON: invalid character", id="YAML under a JSON name"),
        pytest.param({"a.json": "7"}, "a.json: object: expected `object`, got `int`", id="a number"),
        pytest.param({"a.json": "[" * 100_000}, "a.json: is nested too deeply", id="a tower of brackets"),
        pytest.param({"a.yaml": "a: [1,\nb: 2"}, "a.yaml:2:", id="broken YAML, with its line"),
        pytest.param(
            {"a.yaml": yaml_service("a") + "  ports: [{port: http}]\n"},
            "a.yaml:",
            id="YAML that is broken by a field too many",
        ),
        pytest.param(
            {"a.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n  - port: http\n"},
            "a.yaml:7:11: Service a: spec.ports[0].port: expected `int`, got `str`",
            id="a wrong field in YAML, with its line",
        ),
        pytest.param(
            {"a.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: A, type: B}\n"},
            "a.yaml:4:",
            id="a key that is there twice",
        ),
        pytest.param(
            {"a.yaml": yaml_service("a"), "b/b.json": json_service("a")},
            "b/b.json: Service shop/a: written in {root}/a.yaml as well: keep one",
            id="one object in two files",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_place(tmp_path: Path, files: dict[str, str], message: str) -> None:
    write(tmp_path, files)
    with pytest.raises(ClusterError) as caught:
        read_snapshot(tmp_path, namespace="lb")
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/{message.format(root=tmp_path)}")
    assert "\n" not in text


def test_utf_16_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json_service("a"), encoding="utf-16")
    with pytest.raises(ClusterError, match=r"a\.json: is UTF-16: save it as UTF-8$"):
        read_snapshot(tmp_path, namespace="lb")


def test_nothing_at_that_path(tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as caught:
        read_snapshot(tmp_path / "missing", namespace="lb")
    assert str(caught.value) == f"{tmp_path}/missing: No such file or directory"


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("gone.yaml")
    with pytest.raises(ClusterError, match=r"a\.yaml: No such file or directory$"):
        read_snapshot(tmp_path, namespace="lb")


STATUS = {
    "generation": 3,
    "annotations": {"metallb.io/ip-allocated-from-pool": "gold"},
    "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}},
}
HELD = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}


@pytest.mark.parametrize("beside", ["status", "a.json.status"])
def test_a_record_stands_for_the_status_in_the_manifest(tmp_path: Path, beside: str) -> None:
    write(tmp_path, {"a.json": json_service("web", status=HELD), f"{beside}/shop/web.json": json.dumps(STATUS)})
    root = tmp_path if beside == "status" else tmp_path / "a.json"
    (service,) = read_snapshot(root, namespace="lb").services
    assert [str(address) for address in service.ingress] == ["192.0.2.7"]
    assert service.allocated_pool == "gold"
    assert service.resource_version.endswith("+3")


def test_an_empty_record_is_an_empty_status(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": json_service("web", status=HELD), "status/shop/web.json": '{"generation": 1}'})
    (service,) = read_snapshot(tmp_path, namespace="lb").services
    assert (service.ingress, service.is_ours) == ((), False)


def test_a_record_without_a_manifest_means_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"status/shop/web.json": json.dumps(STATUS)})
    assert names_in(tmp_path) == []


def test_unfinished_records_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": json_service("web", status=HELD), "status/shop/.web.json.unfinished": '{"gener'})
    (service,) = read_snapshot(tmp_path, namespace="lb").services
    assert [str(address) for address in service.ingress] == ["203.0.113.1"]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": json_service("web"), "status/shop/web.json": '{"gener'})
    with pytest.raises(ClusterError, match=r"status/shop/web\.json: Input data was truncated: mend it, or delete it"):
        read_snapshot(tmp_path, namespace="lb")


def test_reading_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": json_service("web")})
    read_snapshot(tmp_path, namespace="lb")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
