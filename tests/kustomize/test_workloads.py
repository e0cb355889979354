"""What the manifests say of the program is what the program says of itself: flags, variables, ports, probes, mounts."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from click import Command

from reconciler import __version__
from reconciler.cli.main import cli
from reconciler.cluster.speaker_pods import SELECTOR
from reconciler.loop import speaker_process
from reconciler.model.settings import BGPSettings
from reconciler.telemetry.http import parse_http_address
from tests.controlplane.api import Object
from tests.kustomize.conftest import Render
from tests.kustomize.rendered import ROLES, Rendered, references

DIRECTORIES = ("base", *(f"overlays/{name}" for name in ("l2", "bgp", "git-sync", "git-sync-ssh", "without-speaker")))
FIELDS = {
    "metadata.namespace": "lb-reconciler",
    "metadata.name": "pod-x",
    "spec.nodeName": "worker-1",
    "status.podIP": "192.0.2.11",
}
PODS = [
    pytest.param(directory, role, id=f"{role} of {directory}")
    for directory in DIRECTORIES
    for role in ROLES
    if (directory, role) != ("overlays/without-speaker", "speaker")
]


def parsed(rendered: Rendered, role: str, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """The options that a container ends up with, by the program's own parser; bad usage raises."""
    for name, value in rendered.environment(role, FIELDS).items():
        monkeypatch.setenv(name, value)
    name, *arguments = rendered.arguments(role, FIELDS)
    return _command(name).make_context(name, arguments).params


def _command(name: str) -> Command:
    command = cli.commands[name]
    assert command.name == name
    return command


@pytest.mark.parametrize(("directory", "role"), PODS)
def test_the_program_takes_its_arguments(
    render: Render, monkeypatch: pytest.MonkeyPatch, directory: str, role: str
) -> None:
    rendered = render(directory)
    options = parsed(rendered, role, monkeypatch)
    assert options["namespace"] == "lb-reconciler"
    assert options["cluster"] == "kube"
    assert options["config_object"] == "lb-reconciler/lb-reconciler-config"
    assert options["pod_name"] == "pod-x"
    if role == "speaker":
        assert (options["node_name"], options["pod_ip"]) == ("worker-1", "192.0.2.11")
    assert not [text for text in rendered.arguments(role, FIELDS) if references(text)]


@pytest.mark.parametrize(("directory", "role"), PODS)
def test_every_variable_is_read(render: Render, directory: str, role: str) -> None:
    container = render(directory).container(role)
    known = {option.envvar for option in _command(role).params}
    used = {name for text in container["args"] for name in references(text)}
    used |= {name for variable in container["env"] for name in references(variable.get("value", ""))}
    assert {variable["name"] for variable in container["env"]} <= known | used


@pytest.mark.parametrize(("directory", "role"), PODS)
def test_probes_ask_where_it_listens(
    render: Render, monkeypatch: pytest.MonkeyPatch, directory: str, role: str
) -> None:
    rendered = render(directory)
    listening = parse_http_address(parsed(rendered, role, monkeypatch)["http_address"])
    container = rendered.container(role)
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    for kind, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        asked = container[kind]["httpGet"]
        assert asked["path"] == path
        assert ports.get(asked["port"], asked["port"]) == listening.port
        # Without a host the kubelet asks the address of the Pod.
        assert asked.get("host", "") in {"", listening.host}
        assert listening.host in {"", asked.get("host")}
    assert set(ports.values()) <= {listening.port}
    # Before the first answer nobody counts failures of the others.
    assert container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] >= 60


@pytest.mark.parametrize(("directory", "role"), PODS)
def test_files_are_where_it_looks_for_them(
    render: Render, monkeypatch: pytest.MonkeyPatch, directory: str, role: str
) -> None:
    rendered = render(directory)
    options = parsed(rendered, role, monkeypatch)
    container = rendered.container(role)
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in rendered.template(role)["spec"]["volumes"]}
    assert not [mount for mount in mounts.values() if "subPath" in mount]
    state = mounts[options["state_dir"]]
    assert "readOnly" not in state
    assert set(volumes[state["name"]]) == {"name", "emptyDir" if role == "controller" else "hostPath"}
    (config,) = options["configs"]
    (mounted,) = (mount for path, mount in mounts.items() if config == path or config.startswith(f"{path}/"))
    assert mounted["readOnly"] is True
    if "git-sync" in directory:
        assert config == "/git/current/."
        assert "emptyDir" in volumes[mounted["name"]]
    else:
        assert volumes[mounted["name"]]["configMap"] == {"name": "lb-reconciler-config", "optional": True}
    assert "lb-reconciler-config" not in {name for kind, _, name in rendered.identities() if kind == "ConfigMap"}
    used = {mount["name"] for each in rendered.template(role)["spec"]["containers"] for mount in each["volumeMounts"]}
    assert used == set(volumes)


@pytest.mark.parametrize(("directory", "role"), PODS)
def test_a_container_has_no_right_that_it_does_not_use(render: Render, directory: str, role: str) -> None:
    template = render(directory).template(role)
    assert template["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert template["spec"].get("hostNetwork", False) is (role == "speaker")
    assert not {"hostPID", "hostIPC"} & set(template["spec"])
    added = {"bgp": ["NET_RAW", "NET_BIND_SERVICE"]}.get(directory.removeprefix("overlays/"), ["NET_RAW"])
    for container in template["spec"]["containers"]:
        allowed = container["securityContext"]
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["readOnlyRootFilesystem"] is True
        ours = container["name"] == "speaker"
        assert allowed["capabilities"] == {"drop": ["ALL"], **({"add": added} if ours else {})}
        user = {**template["spec"]["securityContext"], **allowed}["runAsUser"]
        assert (user == 0) is ours


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_selectors_find_their_pods(render: Render, directory: str) -> None:
    rendered = render(directory)
    for workload in rendered.workloads():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"] == labels
        assert workload["spec"]["template"]["spec"]["serviceAccountName"] in {
            account["metadata"]["name"] for account in rendered.of("ServiceAccount")
        }
        if workload["metadata"]["name"] == "speaker":
            # How speakers find each other.
            assert dict(part.split("=") for part in SELECTOR.split(",")) == labels
    labels = rendered.template("controller")["metadata"]["labels"]
    for policy in rendered.of("NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"] == labels
    assert rendered.one("PodDisruptionBudget", "controller")["spec"]["selector"]["matchLabels"] == labels
    # The label that Argo CD tells its own objects by.
    assert "app.kubernetes.io/instance" not in str(rendered.objects)


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_the_image_is_of_this_version(render: Render, directory: str) -> None:
    images = {
        each["image"] for one in render(directory).workloads() for each in one["spec"]["template"]["spec"]["containers"]
    }
    assert {image for image in images if "git-sync" not in image} == {f"lb-reconciler:{__version__}"}


def test_the_same_version_everywhere(render: Render) -> None:
    """Where it is written by hand."""
    texts = [str(found) for name in ("argo", "flux") for found in render(f"overlays/{name}").objects]
    versions = re.findall(
        r"lb-reconciler:(\d[^']*)'|'newTag': '([^']+)'|'(?:tag|targetRevision)': 'v([^']+)'", " ".join(texts)
    )
    assert {version for found in versions for version in found if version} == {__version__}
    assert len(versions) == 4


def test_there_is_time_to_hand_over(render: Render) -> None:
    farewell = BGPSettings().drain
    others = (speaker_process._LAST_PASS, speaker_process._HAND_OVER, speaker_process._LAST_EVENTS)
    longest = sum(others) + farewell.wait + farewell.wait_withdrawn
    for directory in DIRECTORIES[:-1]:
        grace = render(directory).template("speaker")["spec"]["terminationGracePeriodSeconds"]
        assert grace >= 2 * longest, directory


def test_a_speaker_reads_secrets_of_others_only_for_bgp(render: Render) -> None:
    def of_secrets(directory: str) -> Object:
        rules = render(directory).one("Role", "speaker", "lb-reconciler")["rules"]
        (found,) = (rule for rule in rules if rule["resources"] == ["secrets"])
        assert isinstance(found, dict)
        return found

    assert of_secrets("overlays/l2")["resourceNames"] == ["lb-reconciler-membership"]
    assert of_secrets("overlays/bgp") == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


def test_without_a_speaker_nothing_of_it_is_left(render: Render) -> None:
    removed = render("base").identities() - render("overlays/without-speaker").identities()
    assert {name for _, _, name in removed} == {"speaker", "lb-reconciler-speaker"}
    assert "speaker" not in str(render("overlays/without-speaker").objects)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("directory", ["overlays/git-sync", "overlays/git-sync-ssh"])
def test_git_sync_checks_out_what_the_program_reads(render: Render, directory: str, role: str) -> None:
    rendered = render(directory)
    container = rendered.container(role, "git-sync")
    arguments = dict(text.removeprefix("--").split("=", 1) for text in rendered.arguments(role, FIELDS, "git-sync"))
    where = f"{arguments['root']}/{arguments['link']}"
    assert rendered.environment(role, FIELDS)["RECONCILER_CONFIG"].startswith(f"{where}/")
    assert arguments["repo"].startswith("https://" if directory.endswith("git-sync") else "git@")
    # One failure ends it where this is not said.
    assert arguments["max-failures"] == "-1"
    port = int(arguments["http-bind"].rpartition(":")[2])
    asked = container["readinessProbe"]["httpGet"]
    ports = {each["name"]: each["containerPort"] for each in container.get("ports", ())}
    assert (ports.get(asked["port"], asked["port"]), asked["path"]) == (port, "/")
    assert asked.get("host", "") == arguments["http-bind"].rpartition(":")[0]
    assert str(port) not in str(rendered.container(role))
    # Both see the same volume, and only git-sync writes to it.
    git = {
        each["name"]: mount
        for each in rendered.template(role)["spec"]["containers"]
        for mount in each["volumeMounts"]
        if mount["mountPath"] == arguments["root"]
    }
    assert {name: mount.get("readOnly", False) for name, mount in git.items()} == {role: True, "git-sync": False}
    (secret,) = (volume["secret"] for volume in rendered.template(role)["spec"]["volumes"] if "secret" in volume)
    assert secret == {"secretName": "git-credentials", "defaultMode": 0o400}
    assert rendered.template(role)["spec"]["securityContext"]["fsGroup"] == container["securityContext"]["runAsUser"]
