"""A real control plane: kube-apiserver and its etcd, started, killed, aged and emptied."""

import base64
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import urllib3

from tests.controlplane.api import Api, Object, path_of, wait_until
from tests.controlplane.build import Programs
from tests.controlplane.daemon import Daemon, free_ports

NAMESPACE = "lb-reconciler"
_ACCOUNTS = f"system:serviceaccounts:{NAMESPACE}"
# Who may come, and with which groups. The name of each is its token and its uid, by which the audit log tells several
# that have the same rights apart.
_CONTROLLER, _SPEAKER = (
    (f"system:serviceaccount:{NAMESPACE}:{name}", ("system:serviceaccounts", _ACCOUNTS))
    for name in ("controller", "speaker")
)
USERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "admin": ("admin", ("system:masters",)),
    "controller": _CONTROLLER,
    "second-controller": _CONTROLLER,
    "audited-controller": _CONTROLLER,
    "speaker": _SPEAKER,
    "audited-speaker": _SPEAKER,
    "nobody": ("nobody", ()),
}
# What a server makes by itself, a moment after it says that it is ready.
_ITS_OWN = (
    path_of("services", "default", "kubernetes"),
    *(path_of("namespaces", None, name) for name in ("default", "kube-node-lease", "kube-public", "kube-system")),
)
_START = 60.0
_LOOPBACK = "127.0.0.1"
_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class ControlPlaneError(Exception):
    """The control plane does not start; the message ends with what it said last."""


class ControlPlane:
    """
    One API server and one etcd, in a folder and on ports of their own. The ports never change.

    Every method returns when what it did is done: a server that was started is ready, one that was killed is gone.

    In a network namespace of its own all of it has to be called there.
    """

    def __init__(self, programs: Programs, host: str = _LOOPBACK) -> None:
        """`host` is an IPv4 address of this machine, or of the namespace that this is called in."""
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="lb-reconciler-control-plane-"))
        api_port, etcd_port, peer_port = free_ports(3)
        self.url = f"https://{host}:{api_port}"
        self._host = host
        self._etcd_url = f"http://127.0.0.1:{etcd_port}"
        self._peer_url = f"http://127.0.0.1:{peer_port}"
        self._api_port = api_port
        self._etcd: Daemon | None = None
        self._apiserver: Daemon | None = None
        self._snapshots = 0
        self._write_files()
        try:
            self.start_etcd()
            self.start_apiserver()
        except BaseException:
            self.close()
            raise

    @property
    def ca_file(self) -> Path:
        """What the certificate of the API server is verified with."""
        return self._folder / "certificates" / "apiserver.crt"

    def token(self, user: str) -> str:
        """The bearer token of one of `USERS`."""
        assert user in USERS, user
        return f"token-of-{user}"

    def api(self, user: str = "admin", patience: float = 30.0) -> Api:
        """A client that waits so many seconds for an answer; the caller closes it."""
        return Api(self.url, self.token(user), self.ca_file, patience)

    def kubeconfig(self, user: str, *, server: str | None = None) -> Path:
        """A kubeconfig file of a user, for this server or for another address of it (a proxy)."""
        address = server or self.url
        cluster = {"server": address}
        if address.startswith("https:"):
            cluster["certificate-authority"] = str(self.ca_file)
        names = {"cluster": "tests", "user": user, "namespace": NAMESPACE}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self.token(user)}}],
            "contexts": [{"name": "tests", "context": names}],
            "current-context": "tests",
        }
        path = self._folder / f"kubeconfig-{secrets.token_hex(4)}"
        path.write_text(json.dumps(config), "utf-8")
        return path

    def audited(self, user: str) -> list[Object]:
        """What the audit log says of the requests of a user that were answered, in order."""
        lines = self._audit_log.read_text("utf-8").splitlines() if self._audit_log.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if event["user"].get("uid") == user]

    def start_etcd(self) -> None:
        """An API server that waits for it finds it again before this returns."""
        command = [
            str(self._programs.etcd),
            f"--data-dir={self._data}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls={self._peer_url}",
            f"--initial-advertise-peer-urls={self._peer_url}",
            f"--initial-cluster=default={self._peer_url}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        self._etcd = Daemon(command, self._folder / "etcd.log")
        _wait_until_ready("etcd", self._etcd, f"{self._etcd_url}/readyz")
        if self._apiserver is not None and not self._apiserver.has_ended():
            self._wait_for_apiserver(self._apiserver)

    def stop_etcd(self) -> None:
        """SIGKILL. The API server stays, and answers what it can from its memory."""
        if self._etcd is not None:
            self._etcd.kill()

    def start_apiserver(self) -> None:
        """Ready means that its own bootstrap has ended as well: default roles, system namespaces, its own Service."""
        self._apiserver = Daemon([str(self._programs.kube_apiserver), *self._flags()], self._folder / "apiserver.log")
        self._wait_for_apiserver(self._apiserver)

    def kill_apiserver(self) -> None:
        """SIGKILL: connections end without a word, and its port refuses."""
        if self._apiserver is not None:
            self._apiserver.kill()

    def compact(self) -> None:
        """Make etcd forget everything but the present. The API server's own memory of late events stays."""
        present = self._ask_etcd("range", {"key": base64.b64encode(b"/").decode()})["header"]["revision"]
        self._ask_etcd("compaction", {"revision": present, "physical": True})

    def forget_history(self) -> None:
        """Whoever watches or lists from a version before this call is told 410 Expired; restarts the API server."""
        self.kill_apiserver()
        self.compact()
        self.start_apiserver()

    def snapshot(self) -> Path:
        """Keep what etcd holds, for restore(). The API server is without etcd for a moment."""
        self._snapshots += 1
        kept = self._folder / f"snapshot-{self._snapshots}"
        self.stop_etcd()
        shutil.copytree(self._data, kept)
        self.start_etcd()
        return kept

    def restore(self, snapshot: Path) -> None:
        """The server comes back older: with what it held then, and with the versions of then."""
        self._come_back_with(snapshot)

    def wipe(self) -> None:
        """The server comes back empty."""
        self._come_back_with(None)

    def close(self) -> None:
        """End both. The API server first: without its etcd it would hold its port for minutes."""
        self.kill_apiserver()
        self.stop_etcd()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _audit_log(self) -> Path:
        return self._folder / "audit.log"

    def _come_back_with(self, data: Path | None) -> None:
        self.kill_apiserver()
        self.stop_etcd()
        shutil.rmtree(self._data)
        if data is not None:
            shutil.copytree(data, self._data)
        self.start_etcd()
        self.start_apiserver()

    def _write_files(self) -> None:
        users = (f'{self.token(user)},{name},{user},"{",".join(groups)}"\n' for user, (name, groups) in USERS.items())
        (self._folder / "tokens.csv").write_text("".join(users), "utf-8")
        (self._folder / "audit.json").write_text(json.dumps(_AUDIT), "utf-8")
        (self._folder / "service-accounts.pem").write_text(_new_private_key(), "utf-8")

    def _flags(self) -> Iterable[str]:
        key = self._folder / "service-accounts.pem"
        return (
            f"--etcd-servers={self._etcd_url}",
            f"--secure-port={self._api_port}",
            f"--bind-address={self._host}",
            # Anything but a loopback address, which it refuses, and no search for one of this machine.
            f"--advertise-address={'192.0.2.1' if self._host == _LOOPBACK else self._host}",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self.ca_file.parent}",
            "--service-cluster-ip-range=10.96.0.0/12,fd00:10:96::/112",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={self._folder / 'audit.json'}",
            f"--audit-log-path={self._audit_log}",
        )

    def _wait_for_apiserver(self, apiserver: Daemon) -> None:
        # It makes its certificate when it starts for the first time.
        _wait_until_ready("kube-apiserver", apiserver, f"{self.url}/readyz", self.ca_file)
        client = self.api()
        try:
            wait_until(lambda: all(client.status_of("GET", path) == 200 for path in _ITS_OWN), "its objects", _START)
        finally:
            client.close()

    def _ask_etcd(self, what: str, body: Object) -> Object:
        answer = urllib3.request("POST", f"{self._etcd_url}/v3/kv/{what}", json=body, timeout=_START)
        assert answer.status == 200, answer.data
        found = answer.json()
        assert isinstance(found, dict)
        return found


def _wait_until_ready(name: str, daemon: Daemon, url: str, ca_file: Path | None = None) -> None:
    deadline = time.monotonic() + _START
    while not _is_ready(url, ca_file):
        if daemon.has_ended() or time.monotonic() > deadline:
            daemon.kill()
            raise ControlPlaneError(f"{name} does not start:\n{daemon.output()[-3000:]}")
        time.sleep(0.05)


def _is_ready(url: str, ca_file: Path | None) -> bool:
    if ca_file is not None and not ca_file.exists():
        return False
    with urllib3.PoolManager(ca_certs=None if ca_file is None else str(ca_file), retries=False) as pool:
        try:
            return pool.request("GET", url, timeout=5.0).status == 200
        except urllib3.exceptions.HTTPError:
            return False


def _new_private_key() -> str:
    """A key of curve P-256 (RFC 5915), without the public half, which follows from it."""
    # The first bit is clear, so the number is below the order of the curve.
    number = bytes([secrets.randbelow(0x80)]) + secrets.token_bytes(31)
    encoded = bytes.fromhex("303102010104 20") + number + bytes.fromhex("a00a06082a8648ce3d030107")
    text = base64.encodebytes(encoded).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"
