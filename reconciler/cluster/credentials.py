"""
How to reach the API server and who we are: from the Pod's service account or a kubeconfig.

The `kubernetes` package reads them, runs the exec plugins and refreshes OIDC tokens. What it found is handed on as one
value, so that two readings can be compared.
"""

import logging
import os
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import yaml  # type: ignore[import-untyped]  # what `kubernetes` reads kubeconfigs with; it has no types
from kubernetes.client.configuration import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from reconciler.cluster.api_errors import one_line
from reconciler.cluster.port import ClusterError

# Kubernetes: where every container finds the token of its Pod's service account.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The kubelet replaces the token when 80 % of its hour is over; files are read again this often, in seconds.
_READ_AGAIN = 60.0
# A credential that a plugin gave is replaced so many seconds before it ends.
_BEFORE_EXPIRY = 60.0
_QUOTED = re.compile(r"/\{.*\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Access:
    """
    Where the API server is, how it is trusted, and who we are to it.

    `authorization` is the value of the header. `content` is a digest of the certificates and keys in the files, so that
    a file that was replaced makes another value. `valid_for` are the seconds until it should be read again.
    """

    server: str
    authorization: str | None = field(default=None, repr=False)
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    content: str = ""
    valid_for: float = field(default=_READ_AGAIN, compare=False)

    def tls(self) -> ssl.SSLContext | bool:
        """
        The TLS settings; True where the server is spoken to in plain text.

        Raises:
            ClusterError: A certificate or key cannot be used.
        """
        if not self.server.startswith("https:"):
            return True
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate:
                context.load_cert_chain(self.certificate, keyfile=self.key)
        except OSError as exc:  # ssl.SSLError is one
            files = ", ".join(filter(None, (self.authority, self.certificate, self.key)))
            raise ClusterError(f"{self.server}: a certificate or key cannot be used ({files}): {exc}") from exc
        # The authorities of many clusters have no key identifier; kubectl accepts them as well.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


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


def _from_service_account(directory: Path) -> Access:
    with _one_line_errors(str(directory)):
        configuration = Configuration()
        loader = InClusterConfigLoader(str(directory / "token"), str(directory / "ca.crt"), try_refresh_token=False)  # type: ignore[no-untyped-call]
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        return _access(configuration)


class _Loader(KubeConfigLoader):
    """A kubeconfig, with what we ask of it beyond the settings themselves."""

    def valid_for(self) -> float:
        """Seconds; a plugin's credential that names no end is good until it is refused."""
        if not (self._user and "exec" in self._user):
            return _READ_AGAIN
        expiry: datetime | None = getattr(self, "expiry", None)
        if expiry is None:
            return float("inf")
        return max((expiry - datetime.now(UTC)).total_seconds() - _BEFORE_EXPIRY, 0.0)


def _from_kubeconfig(named: str, context: str | None) -> Access:
    paths = [Path(path).expanduser() for path in named.split(os.pathsep) if path]
    if not any(path.exists() for path in paths):
        raise ClusterError(f"kubeconfig {named}: no such file")
    with _one_line_errors(f"kubeconfig {named}"), _plugin_errors() as said:
        merger = KubeConfigMerger(named)  # type: ignore[no-untyped-call]
        loader = _Loader(
            merger.config, active_context=context, config_base_path=None, config_persister=merger.save_changes
        )  # type: ignore[no-untyped-call]
        configuration = Configuration()
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        if said:
            raise ConfigException(said[0])
        return _access(configuration, own_proxy=hasattr(loader, "proxy"), valid_for=loader.valid_for())


def _access(configuration: Any, *, own_proxy: bool = False, valid_for: float = _READ_AGAIN) -> Access:
    server: str = configuration.host
    if urlsplit(server).scheme not in {"http", "https"}:
        raise ConfigException(f'the server is "{server}": it has to begin with https://')
    token: str | None = configuration.api_key.get("BearerToken")
    proxy: str | None = configuration.proxy
    if not own_proxy and proxy and proxy_bypass(urlsplit(server).netloc):
        proxy = None
    if proxy and urlsplit(proxy).scheme not in {"http", "https"}:
        raise ConfigException(f"a proxy is spoken to by HTTP, and not by {urlsplit(proxy).scheme}")
    files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    digest = blake2b(b"\0".join(Path(file).read_bytes() for file in files if file), digest_size=16)
    return Access(
        server=server,
        # A token in a file may end with a line feed.
        authorization=token.strip() if token else None,
        authority=configuration.ssl_ca_cert,
        certificate=configuration.cert_file,
        key=configuration.key_file,
        verify=configuration.verify_ssl,
        server_name=configuration.tls_server_name,
        proxy=proxy,
        content=digest.hexdigest(),
        valid_for=valid_for,
    )


@contextmanager
def _one_line_errors(source: str) -> Iterator[None]:
    """Whatever is wrong with what was read is one line that names it."""
    try:
        yield
    except ConfigException as exc:
        # It says where something is missing by quoting all that is there, tokens included.
        raise ClusterError(f"{source}: {one_line(_QUOTED.sub('', str(exc)))}") from exc
    except (yaml.YAMLError, OSError) as exc:
        raise ClusterError(f"{source}: {one_line(str(exc))}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        # The package looks into what it read without asking first whether it is there; the text may quote a secret.
        raise ClusterError(f"{source}: not a kubeconfig that can be understood ({type(exc).__name__})") from exc


@contextmanager
def _plugin_errors() -> Iterator[list[str]]:
    """What the package logs instead of raising it: an exec plugin that failed."""
    said: list[str] = []
    thread = threading.get_ident()

    def is_for_others(record: logging.LogRecord) -> bool:
        if record.module != "kube_config" or record.thread != thread:
            return True
        said.append(record.getMessage())
        return False

    root = logging.getLogger()
    root.addFilter(is_for_others)
    try:
        yield said
    finally:
        root.removeFilter(is_for_others)
