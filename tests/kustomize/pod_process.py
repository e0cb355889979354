"""A kubelet for one container of ours: it runs what the manifest says, mounts what it says, and asks what it says."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from signal import Signals

import urllib3

from reconciler.cli.lab import entered
from tests.controlplane.daemon import Daemon
from tests.kustomize.rendered import Rendered

_OURS = ("RECONCILER_", "KUBECONFIG", "NODE_NAME", "POD_")


class PodProcess:
    """
    The container of a role as a process. Paths of its mounts are directories below a folder of this machine.

    Args:
        rendered: The manifests.
        role: `controller` or `speaker`.
        folder: Holds `config`, `state` and the log.
        fields: Of the Pod, for variables.
        options: Beside those of the manifest: how this machine differs from a node.
        environment: The same.
        under: A command that the process is run by; it must become that process.
        namespace: The network namespace it runs in, None for ours.
        port: Where it listens instead, None for where the manifest says.
    """

    def __init__(
        self,
        rendered: Rendered,
        role: str,
        folder: Path,
        *,
        fields: Mapping[str, str],
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
        namespace: str | None = None,
        port: int | None = None,
    ) -> None:
        self._container = rendered.container(role)
        self._namespace = namespace
        self._port = port
        self._grace = rendered.template(role)["spec"]["terminationGracePeriodSeconds"]
        local = {mount["mountPath"]: str(folder / mount["name"]) for mount in self._container["volumeMounts"]}
        for path in local.values():
            Path(path).mkdir(parents=True, exist_ok=True)
        variables = rendered.environment(role, fields)
        own = {name: local.get(value, value) for name, value in variables.items()}
        others = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        arguments = [*rendered.arguments(role, fields), *options]
        command = [*under, sys.executable, "-W", "error", "-m", "reconciler", *arguments]
        self._process = Daemon(command, folder / f"{role}.log", {**others, **own, **(environment or {})})

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._process.output()

    def probe(self, kind: str) -> tuple[int, str]:
        """Status and body of the answer to a probe of the manifest; 0 as long as nobody answers."""
        assert not self._process.has_ended(), self.log[-3000:]
        asked = self._container[kind]["httpGet"]
        ports = {port["name"]: port["containerPort"] for port in self._container.get("ports", ())}
        port = self._port or ports.get(asked["port"], asked["port"])
        url = f"http://{asked.get('host', '127.0.0.1')}:{port}{asked['path']}"
        where = nullcontext() if self._namespace is None else entered(self._namespace)
        with where, urllib3.PoolManager(retries=False) as pool:
            try:
                answer = pool.request("GET", url, timeout=float(self._container[kind]["timeoutSeconds"]))
            except urllib3.exceptions.HTTPError as exc:
                return 0, str(exc)
        return answer.status, answer.data.decode()

    def is_ready(self) -> bool:
        """What the kubelet would say of the container."""
        return self.probe("readinessProbe")[0] == 200

    def stop(self) -> int:
        """SIGTERM; its exit status. To take longer than its grace period is an error."""
        self._process.signal(Signals.SIGTERM)
        return self._process.wait(float(self._grace))

    def kill(self) -> None:
        self._process.kill()


@contextmanager
def ended(process: PodProcess) -> Iterator[PodProcess]:
    """It is gone in the end; what it said is shown when the test fails."""
    try:
        yield process
    except BaseException:
        sys.stderr.write(process.log)
        raise
    finally:
        process.kill()
