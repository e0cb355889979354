"""The sections of ReconcilerSettings that speakers go by: what is read, what its defaults are, and what is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from reconciler.config.durations import parse_duration
from reconciler.config.schema import load_schema
from reconciler.model.origin import Severity
from reconciler.model.settings import (
    EXCLUDED_INTERFACES,
    AnnouncementSettings,
    BGPPeerSettings,
    DrainSettings,
    FastFailureDetectionSettings,
    MembershipSettings,
    OnConflict,
    Settings,
)
from tests.config.builders import desired, load_texts, manifest


def document(spec: str) -> str:
    return manifest("ReconcilerSettings", "settings", spec, api_version="lb-reconciler.io/v1alpha1")


def read(spec: str) -> Settings:
    return desired(document(spec)).settings


def test_every_field_is_read() -> None:
    found = read("""
        membership: {port: 7000, probeInterval: 1s, probeTimeout: 500ms, suspicionMultiplier: 5, joinTimeout: 0s,
                     revisionWait: 90s}
        fastFailureDetection: {enabled: true, port: 7001, interval: 10ms, multiplier: 4, watchers: 2}
        announcements: {gratuitousInterval: 2s, gratuitousDuration: 0s, refreshInterval: "0", probeTime: 1.5ms,
                        onConflict: yield, restartGrace: 1m30s, excludedInterfaces: ["^wlan", "^lo$"]}
        drain: {taints: [node.kubernetes.io/unschedulable, maintenance]}
    """)
    assert found == Settings(
        membership=MembershipSettings(7000, 1.0, 0.5, 5, 0.0, 90.0),
        fast_failure_detection=FastFailureDetectionSettings(
            enabled=True, port=7001, interval=0.01, multiplier=4, watchers=2
        ),
        announcements=AnnouncementSettings(2.0, 0.0, 0.0, 0.0015, OnConflict.YIELD, 90.0, ("^wlan", "^lo$")),
        drain=DrainSettings(("maintenance", "node.kubernetes.io/unschedulable")),
    )


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "membership:\nfastFailureDetection:\nannouncements:\ndrain:",
        "membership: {}\nfastFailureDetection: {}\nannouncements: {}\ndrain: {}",
        "drain: {taints: []}",
    ],
    ids=["nothing", "null sections", "empty sections", "no taint"],
)
def test_what_is_left_out_has_its_default(spec: str) -> None:
    assert read(spec) == Settings()


def test_an_empty_list_excludes_no_interface() -> None:
    assert read("announcements: {excludedInterfaces: []}").announcements.excluded_interfaces == ()
    assert read("announcements: {excludedInterfaces: null}").announcements.excluded_interfaces == EXCLUDED_INTERFACES


def test_the_defaults_of_the_schema_are_those_of_the_model() -> None:
    spec = load_schema("reconcilersettings_v1alpha1.json")["properties"]["spec"]
    told, model = dict(_defaults(spec, "")), Settings()
    assert told.pop(".guard.maxChangedPercent") == model.guard.max_changed_percent
    assert told.pop(".guard.minimumServices") == model.guard.minimum_services
    assert {path: _plain(value) for path, value in told.items()} == {
        ".membership.port": model.membership.port,
        ".membership.probeInterval": model.membership.probe_interval,
        ".membership.probeTimeout": model.membership.probe_timeout,
        ".membership.suspicionMultiplier": model.membership.suspicion_multiplier,
        ".membership.joinTimeout": model.membership.join_timeout,
        ".membership.revisionWait": model.membership.revision_wait,
        ".fastFailureDetection.enabled": model.fast_failure_detection.enabled,
        ".fastFailureDetection.port": model.fast_failure_detection.port,
        ".fastFailureDetection.interval": model.fast_failure_detection.interval,
        ".fastFailureDetection.multiplier": model.fast_failure_detection.multiplier,
        ".fastFailureDetection.watchers": model.fast_failure_detection.watchers,
        ".announcements.gratuitousInterval": model.announcements.gratuitous_interval,
        ".announcements.gratuitousDuration": model.announcements.gratuitous_duration,
        ".announcements.refreshInterval": model.announcements.refresh_interval,
        ".announcements.probeTime": model.announcements.probe_time,
        ".announcements.onConflict": model.announcements.on_conflict,
        ".announcements.restartGrace": model.announcements.restart_grace,
        ".announcements.excludedInterfaces": model.announcements.excluded_interfaces,
        ".drain.taints": model.drain.taints,
        ".bgp.listen.enabled": model.bgp.listen.enabled,
        ".bgp.listen.port": model.bgp.listen.port,
        ".bgp.listen.addresses": model.bgp.listen.addresses,
        ".bgp.drain.gracefulShutdown": model.bgp.drain.graceful_shutdown,
        ".bgp.drain.wait": model.bgp.drain.wait,
        ".bgp.drain.waitWithdrawn": model.bgp.drain.wait_withdrawn,
        ".bgp.peers": model.bgp.peers,
        ".bgp.peers[].passive": BGPPeerSettings("tor").passive,
    }


def _defaults(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, inner in schema.get("properties", {}).items():
        if "default" in inner:
            yield f"{path}.{name}", inner["default"]
        yield from _defaults(inner, f"{path}.{name}")
        yield from _defaults(inner.get("items", {}), f"{path}.{name}[]")


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return float(parse_duration(value)) if isinstance(value, str) and value[0].isdigit() else value


@pytest.mark.parametrize(
    ("spec", "place", "code", "message"),
    [
        pytest.param(
            "membership: {port: 646}",
            "5:22",
            "out-of-range",
            'spec.membership.port of ReconcilerSettings "settings" is 646: must be from 1024 to 65535',
            id="a port that needs a right",
        ),
        pytest.param(
            "membership: {probeInterval: 10ms}",
            "5:31",
            "out-of-range",
            'spec.membership.probeInterval of ReconcilerSettings "settings" is 10ms: must be from 50ms to 10s',
            id="too often",
        ),
        pytest.param(
            "membership: {revisionWait: 90}",
            "5:30",
            "wrong-type",
            'found the number 90: a duration needs a unit, write "90s" for seconds',
            id="no unit",
        ),
        pytest.param(
            'membership: {joinTimeout: ""}', "5:29", "invalid-duration", 'remove it, or write "5m"', id="an empty one"
        ),
        pytest.param(
            "membership: {probeTimeout: 200 ms}", "5:30", "invalid-duration", "write a number and a unit", id="a blank"
        ),
        pytest.param(
            "membership: {probeTimeout: 200ms}",
            "5:30",
            "conflicting-settings",
            'of ReconcilerSettings "settings" is 0.2s: must be shorter than probeInterval, which is 0.2s',
            id="a probe that ends with the next one",
        ),
        pytest.param(
            "membership: {probeInterval: 100ms}",
            "5:31",
            "conflicting-settings",
            "is 0.1s: must be shorter than probeInterval, which is 0.1s",
            id="so it does by default",
        ),
        pytest.param(
            "fastFailureDetection: {enabled: true, port: 7947}",
            "5:47",
            "conflicting-settings",
            "is 7947, and so is that of membership: both are UDP, write another one",
            id="the port that membership has by default",
        ),
        pytest.param(
            "membership: {port: 7948}\nfastFailureDetection: {enabled: true}",
            "5:22",
            "conflicting-settings",
            "is 7948, and so is that of membership",
            id="the port that detection has by default",
        ),
        pytest.param(
            "fastFailureDetection: {multiplier: 1}", "5:38", "out-of-range", "is 1: must be from 2 to 50", id="once"
        ),
        pytest.param(
            "announcements: {refreshInterval: 1s}",
            "5:36",
            "out-of-range",
            "is 1s: must be 0s, or from 10s to 24h",
            id="a refresh that is a flood",
        ),
        pytest.param(
            "announcements: {onConflict: fight}", "5:31", "not-allowed", 'is "fight": write defend or yield', id="fight"
        ),
        pytest.param(
            "announcements: {excludedInterfaces: ['^lo$', '*veth']}",
            "5:48",
            "invalid-regex",
            '"*veth" in excludedInterfaces is no regular expression to exclude by: nothing to repeat',
            id="a shell pattern",
        ),
        pytest.param(
            "announcements: {excludedInterfaces: ['']}", "5:40", "invalid-regex", "would exclude every", id="empty"
        ),
        pytest.param(
            "announcements: {excludedInterfaces: ['[[a]']}", "5:40", "invalid-regex", "nested set", id="ambiguous"
        ),
        pytest.param(
            f"announcements: {{excludedInterfaces: [{'a' * 201}]}}",
            "5:40",
            "invalid-regex",
            "longer than 200",
            id="long",
        ),
        pytest.param(
            "announcements: {excludedInterfaces: [^lo$, ^lo$]}", "5:46", "duplicate-entry", '"^lo$": remove', id="twice"
        ),
        pytest.param(
            "drain: {taints: ['maintenance=true:NoSchedule']}",
            "5:20",
            "invalid-taint",
            'is not the key of a taint: write the key alone, "maintenance", without value and effect',
            id="a whole taint",
        ),
        pytest.param("drain: {taints: ['a b']}", "5:20", "invalid-taint", "write up to 63 letters", id="no key"),
        pytest.param("drain: {taints: [a, a]}", "5:23", "duplicate-entry", '"a": remove one', id="a taint twice"),
        pytest.param("drain: {taint: [a]}", "5:11", "unknown-field", 'did you mean "taints"?', id="a misspelt field"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(spec: str, place: str, code: str, message: str) -> None:
    (problem,) = load_texts(document(spec)).problems
    assert (f"{problem.origin.line}:{problem.origin.column}", problem.code) == (place, code)
    assert problem.severity is Severity.ERROR
    assert message in problem.message


def test_two_ports_that_are_the_same_point_at_each_other() -> None:
    spec = "membership: {port: 7000}\nfastFailureDetection: {port: 7000}"
    (problem,) = load_texts(document(spec)).problems
    assert (problem.origin.line, problem.origin.column) == (6, 32)
    assert [(note.origin.line, note.origin.column) for note in problem.related] == [(5, 22)]


def test_a_port_that_nobody_listens_on_is_free() -> None:
    assert read("membership: {port: 7948}").membership.port == 7948


def test_announcements_that_linux_ignores_are_a_warning() -> None:
    loaded = load_texts(document("announcements: {gratuitousInterval: 900ms}"))
    assert [(p.severity, p.code) for p in loaded.problems] == [(Severity.WARNING, "gratuitous-too-fast")]
    assert loaded.desired is not None
    assert loaded.desired.settings.announcements.gratuitous_interval == 0.9
