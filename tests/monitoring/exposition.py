"""What Prometheus really finds: everything that a controller and a speaker expose, as their loops would fill it in."""

from collections import defaultdict
from functools import cache
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from reconciler.allocation.allocate import allocate
from reconciler.announcers.port import ReportKind
from reconciler.l2.port import Counts
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.speaker_metrics import SpeakerMetrics, SpeakerReading
from tests.builders import desired, observed, pool, service
from tests.monitoring.expressions import Selector
from tests.telemetry.builders import OVERLAP, SESSION, TALLIES, held, reading, speaker

# What the scrape adds: kustomize/overlays/monitoring/pod-monitor.yaml, and what the operator always sets.
TARGET_LABELS = frozenset({"namespace", "job", "pod", "node", "instance"})
_FULL = desired(pool("full", "192.0.2.1/32"))
_CROWD = observed(service("shop/a", ingress="192.0.2.1", allocated_pool="full"), service("shop/b"))
_COUNTED: dict[str, Any] = {"relists": {"Node": 1}, "watch_restarts": {"Node": 1}, "decode_failures": {"Node": 1}}


@cache
def exposed() -> dict[str, dict[str, set[str]]]:
    """The values of each label, by the name of the series."""
    controller = Metrics("1")
    fact = held(problems=[OVERLAP], decided_on=_FULL, allocation=allocate(_FULL, _CROWD), state=_CROWD)
    controller.follow(lambda: reading(fact, **_COUNTED))
    node = SpeakerMetrics("1")
    for kind in ReportKind:
        node.reported(kind)
    facts: dict[str, Any] = {"links": {"eth0": Counts(ignored={"not-our-address": 1})}, "tallies": TALLIES, **_COUNTED}
    node.follow(lambda: SpeakerReading(status=speaker(sessions=[SESSION]), **facts))
    found: dict[str, dict[str, set[str]]] = {}
    for exposition in (controller.exposition(), node.exposition()):
        for family in text_string_to_metric_families(exposition.decode()):
            for sample in family.samples:
                labels = found.setdefault(sample.name, defaultdict(set))
                for label, value in sample.labels.items():
                    labels[label].add(value)
    return found


def missing(selector: Selector) -> list[str]:
    """What is wrong with it: no such metric, no such label, or no such value of a label of ours."""
    labels = exposed().get(selector.metric)
    if labels is None:
        return [f"no metric {selector.metric}"]
    wrong = []
    for label, sign, text in selector.matchers:
        if label in labels:
            wanted = set(text.split("|")) if sign in {"=~", "!~"} else {text}
            wrong += [f"{selector.metric} has no {label}={value}" for value in sorted(wanted - labels[label])]
        elif label not in TARGET_LABELS:
            wrong.append(f"{selector.metric} has no label {label}")
    return wrong
