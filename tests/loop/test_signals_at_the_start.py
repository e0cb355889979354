"""A process that is told to end before it has begun."""

import json
import signal
from pathlib import Path

import pytest

from tests.controlplane.api import wait_until
from tests.loop.corner import EVERYWHERE, pool
from tests.loop.running import RunningController

# Says that it was asked for credentials, and gives none as long as its asker lives.
PLUGIN = """#!/bin/sh
touch "{started}"
while kill -0 $PPID 2>/dev/null; do sleep 0.1; done
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_still_looks_for_its_cluster_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    config, plugin, kubeconfig, started = (tmp_path / name for name in ("config", "plugin", "kubeconfig", "started"))
    config.mkdir()
    (config / "pools.yaml").write_text("---\n".join((pool("p", "10.9.0.0/28"), EVERYWHERE)))
    plugin.write_text(PLUGIN.format(started=started))
    plugin.chmod(0o755)
    call = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"exec": call}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubeconfig.write_text(json.dumps(document))
    arguments = [f"--config={config}", f"--kubeconfig={kubeconfig}", "--namespace=lb"]
    with RunningController(arguments, tmp_path / "log") as controller:
        wait_until(started.exists, "it asks for credentials")
        controller.signal(number)
        assert controller.wait() == 0
        assert "Traceback" not in controller.log
