"""The files of the monitoring overlay."""

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "kustomize" / "overlays" / "monitoring"


def read(name: str) -> Any:
    """One document of the overlay."""
    return YAML(typ="safe").load(OVERLAY / name)


def groups() -> list[dict[str, Any]]:
    """The groups of alerts, as Prometheus reads them."""
    found: list[dict[str, Any]] = read("alerts.yaml")["spec"]["groups"]
    return found


def rules() -> dict[str, dict[str, Any]]:
    """Each alert by its name, in the order of the file."""
    every = [rule for group in groups() for rule in group["rules"]]
    named = {rule["alert"]: rule for rule in every}
    assert len(named) == len(every), "two alerts have one name"
    return named


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana reads it."""
    found: dict[str, Any] = json.loads((OVERLAY / "lb-reconciler.json").read_text("utf-8"))
    return found
