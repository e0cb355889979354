"""Where the API server is and who we are to it: every way of saying so, and one line where it is said wrong."""

import base64
import json
import logging
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.access import Access
from reconciler.cluster.credentials import access_reader
from reconciler.cluster.port import ClusterError

SERVER = "https://192.0.2.1:6443"


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, service account or proxy of the machine that the tests run on."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def kubeconfig(user: Any = None, cluster: Any = None, **rest: Any) -> dict[str, Any]:
    return {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "me", "user": user or {}}],
        **rest,
    }


def written(path: Path, content: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def read(tmp_path: Path, content: Any, **options: Any) -> Access:
    return access_reader(kubeconfig=written(tmp_path / "config", content), **options)()


def plugin(tmp_path: Path, script: str) -> dict[str, Any]:
    """An exec plugin beside the kubeconfig, named relative to it."""
    path = tmp_path / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", "interactiveMode": "Never"}
    }


def credential(token: str | None = None, **status: Any) -> str:
    """What a plugin prints."""
    status |= {"token": token} if token else {}
    found = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"cat <<'END'\n{json.dumps(found)}\nEND"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param({"token": "t"}, "Bearer t", id="a token"),
        pytest.param({"username": "u", "password": "p"}, "Basic dTpw", id="a password"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_who_we_are(tmp_path: Path, user: Any, expected: str | None) -> None:
    assert read(tmp_path, kubeconfig(user)).authorization == expected


def test_a_token_in_a_file_is_read_each_time(tmp_path: Path) -> None:
    written(tmp_path / "token", "first\n")
    read_access = access_reader(kubeconfig=written(tmp_path / "config", kubeconfig({"tokenFile": "token"})))
    first = read_access()
    written(tmp_path / "token", "second\n")
    assert (first.authorization, read_access().authorization) == ("Bearer first", "Bearer second")


def test_how_the_server_is_reached(tmp_path: Path) -> None:
    authority = written(tmp_path / "ca.crt", "not read here")
    cluster = {
        "certificate-authority": "ca.crt",
        "tls-server-name": "kubernetes.default",
        "proxy-url": "http://192.0.2.9:3128",
        "insecure-skip-tls-verify": True,
    }
    access = read(tmp_path, kubeconfig(cluster=cluster))
    assert access.server == SERVER
    assert access.authority == authority
    assert access.server_name == "kubernetes.default"
    assert access.proxy == "http://192.0.2.9:3128"
    assert access.verify is False


@pytest.mark.parametrize(
    ("no_proxy", "expected"),
    [
        pytest.param("", "http://192.0.2.9:3128", id="for every host"),
        pytest.param("192.0.2.1", None, id="not for this one"),
    ],
)
def test_a_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_proxy: str, expected: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.9:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert read(tmp_path, kubeconfig()).proxy == expected


def test_a_certificate_that_was_replaced_makes_another_access(tmp_path: Path) -> None:
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    written(tmp_path / "me.crt", "certificate")
    written(tmp_path / "me.key", "key")
    read_access = access_reader(kubeconfig=written(tmp_path / "config", kubeconfig(user)))
    first = read_access()
    assert read_access() == first
    written(tmp_path / "me.key", "another key")
    assert read_access() != first


def test_certificates_may_be_written_into_the_kubeconfig(tmp_path: Path) -> None:
    user = {name: base64.b64encode(name.encode()).decode() for name in ("client-certificate-data", "client-key-data")}
    access = read(tmp_path, kubeconfig(user))
    assert access.certificate is not None
    assert access.key is not None
    assert Path(access.certificate).read_text() == "client-certificate-data"
    assert Path(access.key).read_text() == "client-key-data"


def test_a_context_that_is_named_goes_before_the_current_one(tmp_path: Path) -> None:
    contexts = [
        {"name": "one", "context": {"cluster": "here", "user": "me"}},
        {"name": "two", "context": {"cluster": "there", "user": "me"}},
    ]
    clusters = [
        {"name": "here", "cluster": {"server": SERVER}},
        {"name": "there", "cluster": {"server": "https://192.0.2.2"}},
    ]
    content = kubeconfig(contexts=contexts, clusters=clusters)
    assert read(tmp_path, content).server == SERVER
    assert read(tmp_path, content, context="two").server == "https://192.0.2.2"


# Where it is looked for


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "serviceaccount"
    written(directory / "token", "of-the-pod\n")
    written(directory / "ca.crt", "authority")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return directory


def test_in_a_pod_its_service_account_is_used(service_account: Path) -> None:
    read_access = access_reader(service_account=service_account)
    access = read_access()
    assert access.server == "https://[fd00::1]:443"
    assert access.authorization is not None
    assert access.authorization.lower() == "bearer of-the-pod"
    assert access.authority == str(service_account / "ca.crt")
    assert access.valid_for <= 60
    written(service_account / "token", "rotated")
    rotated = read_access().authorization
    assert rotated is not None
    assert rotated.endswith("rotated")


def test_a_kubeconfig_that_is_named_goes_before_the_service_account(
    tmp_path: Path, service_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "config", kubeconfig())
    assert access_reader(kubeconfig=path, service_account=service_account)().server == SERVER
    monkeypatch.setenv("KUBECONFIG", path)
    assert access_reader(service_account=service_account)().server == SERVER


def test_several_kubeconfigs_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = written(tmp_path / "a", kubeconfig(clusters=[]))
    two = written(tmp_path / "b", {"clusters": [{"name": "here", "cluster": {"server": SERVER}}]})
    monkeypatch.setenv("KUBECONFIG", f"{one}:{two}:{tmp_path / 'none'}")
    assert access_reader()().server == SERVER


def test_the_kubeconfig_in_the_home_directory_is_the_last_resort(tmp_path: Path) -> None:
    nowhere = tmp_path / "none"
    with pytest.raises(ClusterError, match="no cluster is named"):
        access_reader(service_account=nowhere)
    written(tmp_path / "home" / ".kube" / "config", kubeconfig())
    assert access_reader(service_account=nowhere)().server == SERVER


# Exec plugins


def test_an_exec_plugin_is_asked(tmp_path: Path) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    script = credential("from-the-plugin", expirationTimestamp=ends.strftime("%Y-%m-%dT%H:%M:%SZ"))
    access = read(tmp_path, kubeconfig(plugin(tmp_path, script)))
    assert access.authorization == "Bearer from-the-plugin"
    assert 3400 < access.valid_for < 3600


def test_a_plugin_that_names_no_end_is_not_asked_again_until_it_is_refused(tmp_path: Path) -> None:
    access = read(tmp_path, kubeconfig(plugin(tmp_path, credential("t"))))
    assert access.valid_for == float("inf")


def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    script = credential(clientCertificateData="certificate", clientKeyData="key")
    access = read(tmp_path, kubeconfig(plugin(tmp_path, script)))
    assert access.certificate is not None
    assert Path(access.certificate).read_text() == "certificate"
    assert access.authorization is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("echo 'please log in' >&2; exit 3", "please log in", id="it fails"),
        pytest.param("echo nonsense", "exec: failed to decode", id="it prints no JSON"),
        pytest.param(credential(), "missing token", id="it gives nothing"),
        pytest.param(credential(clientCertificateData="c"), "missing clientKeyData", id="it gives no key"),
    ],
)
def test_why_a_plugin_gave_nothing_is_said_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, script: str, expected: str
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ClusterError) as caught:
        read(tmp_path, kubeconfig(plugin(tmp_path, script)))
    assert str(caught.value).startswith(f"kubeconfig {tmp_path / 'config'}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caplog.records == []


# What is wrong


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("a: [", "while parsing", id="no YAML"),
        pytest.param("[]", "not a kubeconfig", id="a list"),
        pytest.param("", "is empty", id="nothing"),
        pytest.param({}, "current-context", id="no context at all"),
        pytest.param(kubeconfig(**{"current-context": "x"}), "name x in", id="an unknown context"),
        pytest.param(kubeconfig(clusters=[]), "name here in", id="an unknown cluster"),
        pytest.param(kubeconfig(cluster={"server": None}), "key server in", id="no server"),
        pytest.param(
            kubeconfig(cluster={"server": "192.0.2.1:6443"}), "192.0.2.1:6443", id="a server without a scheme"
        ),
        pytest.param(kubeconfig(cluster={"proxy-url": "socks5://192.0.2.9"}), "socks5", id="a proxy we cannot use"),
        pytest.param(kubeconfig(cluster={"certificate-authority": "none"}), "does not exist", id="a missing file"),
        pytest.param(kubeconfig(cluster={"certificate-authority-data": "x"}), "not a kubeconfig", id="no base64"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, content: Any, expected: str) -> None:
    with pytest.raises(ClusterError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert message.startswith(f"kubeconfig {tmp_path / 'config'}: ")
    assert expected in message
    assert "\n" not in message


def test_a_missing_kubeconfig_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"kubeconfig .*/none: no such file"):
        access_reader(kubeconfig=str(tmp_path / "none"))()


def test_an_incomplete_service_account_is_said(service_account: Path) -> None:
    (service_account / "ca.crt").unlink()
    with pytest.raises(ClusterError, match="does not exist"):
        access_reader(service_account=service_account)()


@pytest.mark.parametrize("user", [{"token": "s3cret"}, {"username": "s3cret", "password": "s3cret"}])
def test_no_secret_is_shown(tmp_path: Path, user: Any) -> None:
    cluster = {"proxy-url": "http://me:s3cret@192.0.2.9:3128"}
    assert "s3cret" not in repr(read(tmp_path, kubeconfig(user, cluster)))


@pytest.mark.parametrize(
    "user",
    [
        pytest.param({"exec": {"env": {"a": "s3cret"}}}, id="an incomplete plugin"),
        pytest.param(
            {"auth-provider": {"name": "oidc", "config": {"refresh-token": "s3cret"}}}, id="an incomplete provider"
        ),
    ],
)
def test_no_secret_is_part_of_what_is_wrong(tmp_path: Path, user: Any) -> None:
    with pytest.raises(ClusterError) as caught:
        read(tmp_path, kubeconfig(user))
    assert "s3cret" not in str(caught.value)


def test_a_certificate_that_is_none_is_said(tmp_path: Path) -> None:
    written(tmp_path / "ca.crt", "no certificate")
    access = read(tmp_path, kubeconfig(cluster={"certificate-authority": "ca.crt"}))
    with pytest.raises(ClusterError, match=r"ca\.crt"):
        access.tls()
