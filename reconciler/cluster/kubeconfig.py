"""
Kubeconfigs: the `kubernetes` package reads them, runs the exec plugins and refreshes OIDC tokens.

A module of its own, because the package takes a fifth of the time that a process takes to start, and in a Pod nobody
needs it.
"""

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import yaml  # type: ignore[import-untyped]  # what `kubernetes` reads kubeconfigs with; it has no types
from kubernetes.client.configuration import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from reconciler.cluster.access import READ_AGAIN, Access
from reconciler.cluster.api_errors import one_line
from reconciler.cluster.port import ClusterError

# A credential that a plugin gave is replaced so many seconds before it ends.
_BEFORE_EXPIRY = 60.0
_QUOTED = re.compile(r"/\{.*\}", re.DOTALL)


class _Loader(KubeConfigLoader):
    """A kubeconfig, with what we ask of it beyond the settings themselves."""

    def valid_for(self) -> float:
        """Seconds; a plugin's credential that names no end is good until it is refused."""
        if not (self._user and "exec" in self._user):
            return READ_AGAIN
        expiry: datetime | None = getattr(self, "expiry", None)
        if expiry is None:
            return float("inf")
        return max((expiry - datetime.now(UTC)).total_seconds() - _BEFORE_EXPIRY, 0.0)


def read_kubeconfig(named: str, context: str | None) -> Access:
    """
    What a kubeconfig says, or several, separated by colons.

    Raises:
        ClusterError: It cannot be used; one line says why.
    """
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


def _access(configuration: Any, *, own_proxy: bool = False, valid_for: float = READ_AGAIN) -> Access:
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
