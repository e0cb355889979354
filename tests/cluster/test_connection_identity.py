"""Certificates, tokens and plugins on the wire: who is let in, who is trusted, and what is replaced while we run."""

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from reconciler.cluster.api_errors import ApiError, Unreachable
from reconciler.cluster.connection import Connection
from tests.controlplane.harness import ControlPlane

SERVICES = "/api/v1/services"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, `old` and `new`; each has signed a certificate of a server and one of the client `NAME-me`."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("openssl is not installed")
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    for authority in ("old", "new"):
        sign(folder, f"{authority}-ca", "basicConstraints=critical,CA:TRUE")
        sign(folder, f"{authority}-server", "subjectAltName=DNS:kubernetes.default", authority)
        sign(folder, f"{authority}-me", "extendedKeyUsage=clientAuth", authority)
    return folder


def sign(folder: Path, name: str, extension: str, authority: str = "") -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += [
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
        "-addext",
        extension,
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.crt",
    ]
    command += ["-CA", f"{authority}-ca.crt", "-CAkey", f"{authority}-ca.key"] if authority else []
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


class Setting:
    """A kubeconfig in a folder of its own, with the files it names beside it."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        self.folder = folder
        self.certificates = certificates

    def give(self, file: str, certificate: str) -> None:
        """Let a file have this content from now on."""
        shutil.copy(self.certificates / certificate, self.folder / file)

    def kubeconfig(self, server: str, *, user: Any = None, **cluster: Any) -> str:
        cluster = {
            "server": server,
            "certificate-authority": "ca.crt",
            "tls-server-name": "kubernetes.default",
            **cluster,
        }
        content = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {key: value for key, value in cluster.items() if value is not None}}],
            "users": [{"name": "u", "user": user or {}}],
        }
        path = self.folder / "config"
        path.write_text(json.dumps(content))
        return str(path)


@pytest.fixture
def setting(tmp_path: Path, certificates: Path) -> Setting:
    found = Setting(tmp_path, certificates)
    found.give("ca.crt", "old-ca.crt")
    return found


@asynccontextmanager
async def server_with(certificates: Path, *, authority: str = "old", welcome: str = "") -> AsyncIterator[str]:
    """
    A server with a certificate of that authority, which answers with the name of the client it sees.

    It sees those of both authorities, and refuses all but the one that is welcome, if one is named.
    """
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificates / f"{authority}-server.crt", certificates / f"{authority}-server.key")
    tls.verify_mode = ssl.CERT_OPTIONAL
    for name in ("old", "new"):
        tls.load_verify_locations(certificates / f"{name}-ca.crt")

    async def who(request: web.Request) -> web.Response:
        assert request.transport is not None
        subject = (request.transport.get_extra_info("peercert") or {}).get("subject", ())
        name = "".join(value for entry in subject for _, value in entry)
        return web.Response(text=name, status=401 if welcome and name != welcome else 200)

    app = web.Application()
    app.router.add_get("/{path:.*}", who)
    running = TestServer(app, scheme="https")
    await running.start_server(ssl=tls)
    try:
        yield f"https://127.0.0.1:{running.port}"
    finally:
        await running.close()


@asynccontextmanager
async def connected(kubeconfig: str) -> AsyncIterator[Connection]:
    connection = await Connection.open(kubeconfig=kubeconfig)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_client_certificate_is_shown(setting: Setting, certificates: Path) -> None:
    setting.give("me.crt", "old-me.crt")
    setting.give("me.key", "old-me.key")
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    async with server_with(certificates) as server, connected(setting.kubeconfig(server, user=user)) as connection:
        assert await connection.request("GET", "/") == b"old-me"


async def test_a_client_certificate_may_be_replaced(setting: Setting, certificates: Path) -> None:
    setting.give("me.crt", "old-me.crt")
    setting.give("me.key", "old-me.key")
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    async with (
        server_with(certificates, welcome="new-me") as server,
        connected(setting.kubeconfig(server, user=user)) as connection,
    ):
        with pytest.raises(ApiError, match="401"):
            await connection.request("GET", "/")
        setting.give("me.crt", "new-me.crt")
        setting.give("me.key", "new-me.key")
        assert await connection.request("GET", "/") == b"new-me"


async def test_a_plugin_may_give_a_client_certificate(setting: Setting, certificates: Path) -> None:
    pair = {
        "clientCertificateData": (certificates / "old-me.crt").read_text(),
        "clientKeyData": (certificates / "old-me.key").read_text(),
    }
    (setting.folder / "answer").write_text(
        json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": pair})
    )
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": ["answer"]}
    async with (
        server_with(certificates) as server,
        connected(setting.kubeconfig(server, user={"exec": plugin})) as connection,
    ):
        assert await connection.request("GET", "/") == b"old-me"


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        pytest.param({"tls-server-name": None}, "its certificate is not trusted: IP address mismatch", id="its name"),
        pytest.param(
            {"tls-server-name": "other"}, "its certificate is not trusted: Hostname mismatch", id="another name"
        ),
        pytest.param({"certificate-authority": None}, "its certificate is not trusted: ", id="its authority"),
    ],
)
async def test_who_is_not_trusted_is_not_spoken_to(
    setting: Setting, certificates: Path, cluster: dict[str, Any], expected: str
) -> None:
    async with server_with(certificates) as server, connected(setting.kubeconfig(server, **cluster)) as connection:
        with pytest.raises(Unreachable) as caught:
            await connection.request("GET", "/")
    assert f"GET / at {server}: {expected}" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_nobody_has_to_be_trusted(setting: Setting, certificates: Path) -> None:
    cluster = {"insecure-skip-tls-verify": True, "tls-server-name": None}
    async with server_with(certificates) as server, connected(setting.kubeconfig(server, **cluster)) as connection:
        assert await connection.request("GET", "/") == b""


async def test_an_authority_may_be_replaced(setting: Setting, certificates: Path) -> None:
    async with (
        server_with(certificates, authority="new") as server,
        connected(setting.kubeconfig(server)) as connection,
    ):
        with pytest.raises(Unreachable, match="not trusted"):
            await connection.request("GET", "/")
        setting.give("ca.crt", "new-ca.crt")
        assert await connection.request("GET", "/") == b""


# A real API server


def kubeconfig_of(control_plane: ControlPlane, folder: Path, user: dict[str, Any]) -> str:
    content = json.loads(control_plane.kubeconfig("admin").read_text())
    content["users"][0]["user"] = user
    (folder / "config").write_text(json.dumps(content))
    return str(folder / "config")


async def test_a_token_may_be_replaced(control_plane: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-yesterday")
    async with connected(kubeconfig_of(control_plane, tmp_path, {"tokenFile": "token"})) as connection:
        with pytest.raises(ApiError, match="401 Unauthorized"):
            await connection.request("GET", SERVICES)
        (tmp_path / "token").write_text(control_plane.token("admin"))
        assert b"ServiceList" in await connection.request("GET", SERVICES)


async def test_a_plugin_is_asked_again_when_its_token_is_refused(control_plane: ControlPlane, tmp_path: Path) -> None:
    def gives(token: str) -> None:
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
        (tmp_path / "answer").write_text(json.dumps(answer))

    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": ["answer"]}
    gives("of-yesterday")
    async with connected(kubeconfig_of(control_plane, tmp_path, {"exec": plugin})) as connection:
        gives(control_plane.token("admin"))
        assert b"ServiceList" in await connection.request("GET", SERVICES)


async def test_what_we_may_not_see_is_said_in_one_line(control_plane: ControlPlane) -> None:
    async with connected(str(control_plane.kubeconfig("nobody"))) as connection:
        with pytest.raises(ApiError) as caught:
            await connection.request("GET", SERVICES)
    assert str(caught.value) == (
        f"GET {SERVICES} at {control_plane.url}: 403 Forbidden: services is forbidden: "
        'User "nobody" cannot list resource "services" in API group "" at the cluster scope'
    )
