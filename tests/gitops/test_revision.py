"""The commit that is in force is told everywhere: Events, /status, metrics, the status object and the log."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.controlplane.api import wait_until
from tests.loop.corner import EVERYWHERE, Corner, pool
from tests.loop.deliveries import ConfigMapMount, Delivery, GitSync
from tests.loop.running import RunningController

_BAD = "apiVersion: metallb.io/v1beta1\nkind: Nonsense\n"
_OBJECT = "lb-reconciler-config"


def configuration(first: int) -> str:
    return "---\n".join((pool("gold", f"10.1.0.{first}/32"), pool("kept", "10.2.0.0/30"), EVERYWHERE))


def commit(delivery: GitSync) -> str:
    """What git-sync has checked out."""
    found = subprocess.run(
        ["git", "-C", str(delivery.path), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    return found.stdout.strip()


def wait_until_told(corner: Corner, controller: RunningController, revision: str) -> None:
    """Until every place names it as the one in force."""
    corner.wait_for_event(_OBJECT, "ConfigurationApplied", f"revision {revision} is in force", kind="ConfigMap")
    corner.wait_for_event("replica", "ConfigurationApplied", f"revision {revision} is in force", kind="Pod")
    wait_until(lambda: controller.status()["revision"] == revision, "/status names it")
    wait_until(lambda: (corner.board() or {}).get("revision") == revision, "the status object names it")
    wait_until(lambda: controller.metric("lb_reconciler_applied_revision_info", revision=revision) == 1.0, "the metric")


def test_the_commit_of_a_checkout_is_told_and_one_that_is_refused_beside_it(corner: Corner, tmp_path: Path) -> None:
    delivery = GitSync(tmp_path, configuration(0))
    corner.api.create("configmaps", corner.namespace, {"metadata": {"name": _OBJECT}})
    corner.create("web", annotations={"metallb.io/address-pool": "kept"})
    first = commit(delivery)
    assert len(first) == 40
    options = (f"--config-object={corner.namespace}/{_OBJECT}", "--log-format=json")
    with corner.start(*options, configs=[delivery.path]) as controller:
        wait_until_told(corner, controller, first)
        # Which commit gave an address is in the line that says that it was given.
        (line,) = [json.loads(line) for line in controller.wait_for_lines(f"{corner.namespace}/web", "10.2.0.0")]
        assert (line["service"], line["addresses"], line["revision"]) == (
            f"{corner.namespace}/web",
            ["10.2.0.0"],
            first,
        )
        delivery.put(configuration(1))
        second = commit(delivery)
        wait_until_told(corner, controller, second)
        delivery.put(_BAD)
        third = commit(delivery)
        corner.wait_for_event(
            _OBJECT, "ConfigurationRefused", f"revision {third} is refused, {second} stays", kind="ConfigMap"
        )
        wait_until(lambda: controller.metric("lb_reconciler_newest_revision_info", revision=third) == 1.0, "the metric")
        assert controller.metric("lb_reconciler_applied_revision_info", revision=second) == 1.0
        board = corner.wait_for_verdict("refused")
        assert (board["revision"], board["newest"]["revision"]) == (second, third)
    assert len({first, second, third}) == 3


def test_a_mounted_configmap_is_told_by_its_digest(corner: Corner, tmp_path: Path) -> None:
    delivery: Delivery = ConfigMapMount(tmp_path, configuration(0))
    corner.api.create("configmaps", corner.namespace, {"metadata": {"name": _OBJECT}})
    options = (f"--config-object={corner.namespace}/{_OBJECT}", "--log-level=debug")
    with corner.start(*options, configs=[delivery.path]) as controller:
        revision = corner.wait_for_verdict("passed")["revision"]
        assert revision.startswith("sha256:")
        assert len(revision) == 71
        wait_until_told(corner, controller, revision)
        (key,) = [found["data"] for found in corner.api.objects("secrets", corner.namespace)]
        # Neither the key that it has made nor its own token, whatever is logged.
        secrets = [*key.values(), *(base64.b64decode(value).decode("latin-1") for value in key.values()), "token-of-"]
        assert [secret for secret in secrets if secret in controller.log] == []


@pytest.mark.parametrize("name", ["lb_reconciler_applied_revision_info", "lb_reconciler_newest_revision_info"])
def test_both_metrics_are_in_the_documentation(name: str) -> None:
    assert name in (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
