"""The job that refreshes the snapshot: its rights are exactly those it needs, and what it runs does what it says."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cli.conftest import EXAMPLES
from tests.controlplane.api import Api, Object, path_of, wait_until
from tests.controlplane.harness import USERS, ControlPlane
from tests.gitops.repository import Repository

FOLDER = EXAMPLES / "ci" / "snapshot"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_USER = "nobody"


def documents(name: str) -> list[Object]:
    return list(YAML(typ="safe").load_all(FOLDER / name))


def job() -> Any:
    """The Pod of the job."""
    (found,) = documents("cronjob.yaml")
    return found["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def rules() -> list[Any]:
    return next(list(found["rules"]) for found in documents("rbac.yaml") if found["kind"] == "ClusterRole")


def may(api: Api, group: str, resource: str, verb: str) -> bool:
    attributes = {"group": group, "resource": resource, "verb": verb}
    review = {"spec": {"user": USERS[_USER][0], "resourceAttributes": attributes}}
    return api.request("POST", _REVIEWS, review)["status"]["allowed"] is True


def asked_of(control_plane: ControlPlane) -> set[tuple[str, str, str]]:
    """Group, resource and verb of everything that the user was given."""
    return {
        (event["objectRef"].get("apiGroup", ""), event["objectRef"]["resource"], event["verb"])
        for event in control_plane.audited(_USER)
        if event["responseStatus"]["code"] == 200 and "objectRef" in event
    }


def run_snapshot(kubeconfig: Path, output: Path) -> "subprocess.CompletedProcess[str]":
    """The arguments of the job, with another file and the way to reach the cluster."""
    (container,) = job()["initContainers"]
    arguments = [str(output) if argument == "/snapshot/cluster.json" else argument for argument in container["args"]]
    assert str(output) in arguments
    command = [sys.executable, "-m", "reconciler", *arguments, f"--kubeconfig={kubeconfig}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_its_rights_are_all_that_a_snapshot_needs_and_no_more(
    api: Api, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    name, output = f"snapshot-{namespace}", tmp_path / "cluster.json"
    secret = {"metadata": {"name": "s"}, "stringData": {"password": "opensesame"}}
    api.create("secrets", namespace, secret)
    api.create_service(namespace, "web")
    reference = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "User", "name": USERS[_USER][0], "apiGroup": "rbac.authorization.k8s.io"}
    api.create("clusterroles", None, {"metadata": {"name": name}, "rules": rules()})
    api.create("clusterrolebindings", None, {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference})
    granted = {
        (group, resource, verb)
        for rule in rules()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    try:
        for right in granted:
            wait_until(partial(may, api, *right), f"{right} is in force")
        done = run_snapshot(control_plane.kubeconfig(_USER), output)
    finally:
        api.delete("clusterrolebindings", None, name)
        api.delete("clusterroles", None, name)
    assert (done.returncode, done.stderr) == (0, "")
    text = output.read_text()
    assert namespace in text
    assert "opensesame" not in text
    # Each of them is used: the snapshot has objects of every kind, or asked for them.
    wait_until(lambda: granted <= asked_of(control_plane), "each right is used")
    # Others use this user as well.
    wait_until(lambda: not any(may(api, *right) for right in granted), "all of it is taken away")


@pytest.mark.parametrize("name", ["rbac.yaml", "cronjob.yaml"])
def test_the_api_server_takes_its_manifests(api: Api, namespace: str, name: str) -> None:
    for manifest in documents(name):
        body = json.loads(json.dumps(manifest))
        if "namespace" in body["metadata"]:
            body["metadata"]["namespace"] = namespace
        group = "/apis/batch/v1" if body["kind"] == "CronJob" else ""
        resource = f"{body['kind'].lower()}s"
        path = path_of(resource, body["metadata"].get("namespace"))
        path = f"{group}/namespaces/{namespace}/{resource}" if group else path
        api.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", body)


def push(repository: Repository, snapshot: Path) -> "subprocess.CompletedProcess[str]":
    """What the second container runs, with its environment as far as it does not come from a Secret."""
    (container,) = job()["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    environment |= {"REPOSITORY": f"file://{repository.origin}", "SNAPSHOT": str(snapshot)}
    *shell, flags = container["command"]
    assert shell == ["/bin/sh"]
    environment |= {"TMPDIR": str(repository.temporary)}
    return repository.run([*shell, flags], container["args"][0], environment, anonymous=True)


def test_a_snapshot_that_says_something_else_becomes_one_commit(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    fresh = tmp_path / "fresh.json"
    fresh.write_text('{"apiVersion": "v1", "kind": "List", "items": []}\n')
    before = repository.git("rev-parse", "origin/main")
    for _ in range(2):
        done = push(repository, fresh)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        repository.git("fetch", "--quiet", "origin")
        assert repository.git("show", "origin/main:cluster.json") == fresh.read_text()
        assert repository.git("rev-list", "--count", f"{before.strip()}..origin/main").strip() == "1"
    assert repository.git("show", "--format=%an %s", "--name-only", "origin/main").split("\n")[:3] == [
        "lb-reconciler Snapshot of the cluster",
        "",
        "cluster.json",
    ]


def test_the_token_reaches_git_and_no_disk(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    (container,) = job()["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    from_secret = {
        entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in container["env"] if "valueFrom" in entry
    }
    assert {reference["key"] for reference in from_secret.values()} == {"username", "token"}
    environment |= {name: reference["key"].upper() for name, reference in from_secret.items()}
    asked = "printf 'protocol=https\\nhost=git.example.com\\n\\n' | git credential fill"
    done = repository.run(["/bin/sh", "-euc"], asked, environment | {"GIT_TERMINAL_PROMPT": "0"})
    assert done.stdout.splitlines()[-2:] == ["username=USERNAME", "password=TOKEN"]


def test_no_container_of_it_has_a_right_that_it_does_not_use() -> None:
    pod = job()
    assert pod["serviceAccountName"] == "snapshot"
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in (*pod["initContainers"], *pod["containers"]):
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
