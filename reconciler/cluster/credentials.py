"""
How to reach the API server and who we are: from the Pod's service account or a kubeconfig.

What was found is handed on as one value, so that two readings can be compared.
"""

import os
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from reconciler.cluster.access import Access
from reconciler.cluster.port import ClusterError

# Kubernetes: where every container finds the token of its Pod's service account.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def access_reader(
    *, kubeconfig: str | None = None, context: str | None = None, service_account: Path = SERVICE_ACCOUNT
) -> Callable[[], Access]:
    """
    What reads the access, each time anew: files may have been replaced, and a plugin's credential may have ended.

    The service account of a Pod is used where no kubeconfig and no context is named; `KUBECONFIG` names one too, or
    several, separated by colons. The function blocks, and raises ClusterError with one line that says what is wrong.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG")
    if named:
        return partial(_from_kubeconfig, named, context)
    if context is None and (service_account / "token").exists():
        return partial(_from_service_account, service_account)
    default = Path.home() / ".kube" / "config"
    if not default.exists():
        raise ClusterError(
            "no cluster is named: there is no service account here, no --kubeconfig, no KUBECONFIG "
            f"and no {default} (--cluster dir:PATH works without one)"
        )
    return partial(_from_kubeconfig, str(default), context)


def _from_kubeconfig(named: str, context: str | None) -> Access:
    # At the first need: see there.
    from reconciler.cluster.kubeconfig import read_kubeconfig  # noqa: PLC0415

    return read_kubeconfig(named, context)


def _from_service_account(directory: Path) -> Access:
    """As every client in a Pod does it; files are read anew each time."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}") for name in ("HOST", "PORT"))
    if not host or not port:
        raise ClusterError(f"{directory}: KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set")
    token, authority = directory / "token", directory / "ca.crt"
    certificates = _content(authority)
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Access(
        server=server,
        authorization=f"Bearer {_content(token).decode().strip()}",
        authority=str(authority),
        proxy=None if proxy_bypass(server.partition("//")[2]) else getproxies().get("https"),
        content=blake2b(certificates, digest_size=16).hexdigest(),
    )


def _content(file: Path) -> bytes:
    try:
        found = file.read_bytes()
    except FileNotFoundError as exc:
        raise ClusterError(f"{file}: it does not exist") from exc
    except OSError as exc:
        raise ClusterError(f"{file}: {exc.strerror}") from exc
    if not found.strip():
        raise ClusterError(f"{file}: it is empty")
    return found
