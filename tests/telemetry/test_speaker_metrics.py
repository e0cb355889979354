"""What a speaker measures, under which names, and that the documentation says so."""

import re
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.announcers.port import ReportKind
from reconciler.bgp.events import State
from reconciler.l2.port import Counts
from reconciler.telemetry.role_metrics import PassResult
from reconciler.telemetry.sessions import remote_host
from reconciler.telemetry.speaker_metrics import HandoverResult, SpeakerMetrics, SpeakerReading
from reconciler.telemetry.speaker_status import AnnouncementRow, AnnouncementState, SpeakerStatus
from reconciler.telemetry.status import HELD, REFUSED, NewestRevision
from tests.telemetry.builders import (
    CONFLICT,
    HANDOVER,
    NOON,
    OVERLAP,
    REFUSING,
    SESSION,
    TALLIES,
    speaker,
    waiting,
)
from tests.telemetry.test_metrics import DOCUMENTED, Samples, documented, families_of, labels_of, of, samples_of

LINKS = {
    "eth1": Counts(requests=10, answers=9, unasked=8, ignored={"not-our-address": 3}),
    "eth0": Counts(requests=1, answers=1, unasked=2, ignored={"not-our-address": 4, "hop-limit": 1}),
}


def measured(found: SpeakerStatus | None = None, metrics: SpeakerMetrics | None = None, **facts: Any) -> Samples:
    metrics = metrics or SpeakerMetrics("1.2.3", clock=lambda: NOON.timestamp() + 60)
    metrics.follow(lambda: SpeakerReading(status=found or speaker(), **facts))
    return samples_of(metrics.exposition())


@pytest.mark.parametrize(
    ("name", "eth0", "eth1"),
    [
        ("metallb_layer2_requests_received", 1, 10),
        ("metallb_layer2_responses_sent", 1, 9),
        ("metallb_layer2_gratuitous_sent", 2, 8),
    ],
)
def test_what_metallb_counts_by_address_is_counted_by_interface(name: str, eth0: int, eth1: int) -> None:
    samples = measured(links=LINKS)
    assert (of(samples, name, interface="eth0"), of(samples, name, interface="eth1")) == (eth0, eth1)


def test_ignored_frames_are_counted_by_reason_over_all_links() -> None:
    samples = measured(links=LINKS)
    assert of(samples, "lb_reconciler_ignored_frames_total", reason="not-our-address") == 7
    assert of(samples, "lb_reconciler_ignored_frames_total", reason="hop-limit") == 1


def test_no_series_is_about_a_single_service_or_address() -> None:
    text = str(measured(speaker(conflicts=[CONFLICT], handovers=[HANDOVER]), links=LINKS, tallies=TALLIES))
    assert not [word for word in ("shop/", "192.0.2.", "2001:db8") if word in text]


def test_the_one_that_metallb_has_by_address_is_there_for_who_asks_for_it() -> None:
    samples = measured(metrics=SpeakerMetrics("1", per_address=True))
    assert labels_of(samples, "metallb_speaker_announced") == [
        {"service": service, "protocol": "layer2", "node": "worker-1", "ip": ip}
        for service, ip in (("shop/api", "192.0.2.1"), ("shop/web", "192.0.2.1"), ("shop/web", "2001:db8::1"))
    ]
    assert of(samples, "lb_reconciler_announced_services") == 2
    assert (
        labels_of(measured(speaker(declined=None), SpeakerMetrics("1", per_address=True)), "metallb_speaker_announced")
        == []
    )


def test_an_address_in_two_routes_is_one_series() -> None:
    route = AnnouncementRow(services=("a/a",), address="192.0.2.1", protocol="bgp", prefix="192.0.2.1/32", peers=("t",))
    silent = replace(route, address="192.0.2.9", state=AnnouncementState.NO_SESSION)
    found = speaker(announcements=[route, replace(route, prefix="192.0.2.0/24"), silent])
    text = measured(found, SpeakerMetrics("1", per_address=True))
    assert labels_of(text, "metallb_speaker_announced") == [
        {"service": "a/a", "protocol": "bgp", "node": "worker-1", "ip": "192.0.2.1"}
    ]


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        ("metallb_bgp_session_up", 1, 0),
        ("metallb_bgp_announced_prefixes_total", 2, 0),
        ("metallb_bgp_pending_prefixes_total", 3, 3),
        ("metallb_bgp_received_prefixes_total", 7, 0),
        ("metallb_bgp_opens_sent", 1, 0),
        ("metallb_bgp_opens_received", 2, 0),
        ("metallb_bgp_notifications_sent", 3, 0),
        ("lb_reconciler_bgp_notifications_received_total", 4, 0),
        ("metallb_bgp_updates_total", 5, 0),
        ("metallb_bgp_updates_total_received", 6, 0),
        ("metallb_bgp_keepalives_sent", 70, 0),
        ("metallb_bgp_keepalives_received", 80, 0),
        ("metallb_bgp_route_refresh_sent", 900, 0),
        ("metallb_bgp_total_sent", 979, 0),
        ("metallb_bgp_total_received", 1092, 0),
        ("lb_reconciler_bgp_sessions_established_total", 11, 0),
        ("lb_reconciler_bgp_session_problem", 0, 0),
    ],
)
def test_a_session_is_measured_by_its_remote_end_and_vrf(name: str, up: float, down: float) -> None:
    samples = measured(speaker(sessions=[SESSION, REFUSING]), tallies=TALLIES)
    assert of(samples, name, peer="192.0.2.254:179", vrf="") == up
    assert of(samples, name, peer="[2001:db8::254]:179", vrf="red") == down


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        ("metallb_bfd_session_up", 1, 0),
        ("metallb_bfd_control_packet_output", 12, 0),
        ("metallb_bfd_control_packet_input", 13, 0),
        ("metallb_bfd_session_up_events", 14, 0),
        ("metallb_bfd_session_down_events", 15, 0),
        ("metallb_bfd_zebra_notifications", 29, 0),
        ("metallb_bfd_echo_packet_input", 0, 0),
        ("metallb_bfd_echo_packet_output", 0, 0),
    ],
)
def test_bfd_is_measured_by_the_address_alone(name: str, up: float, down: float) -> None:
    samples = measured(speaker(sessions=[SESSION, REFUSING]), tallies=TALLIES)
    assert of(samples, name, peer="192.0.2.254", vrf="") == up
    assert of(samples, name, peer="2001:db8::254", vrf="red") == down


def test_two_ports_of_a_router_have_one_series_of_bfd() -> None:
    other = replace(SESSION, peer="tor-c", remote="192.0.2.254:1790")
    samples = measured(speaker(sessions=[SESSION, other]), tallies=TALLIES)
    assert labels_of(samples, "metallb_bfd_session_up") == [{"peer": "192.0.2.254", "vrf": ""}]
    assert len(labels_of(samples, "metallb_bgp_session_up")) == 2


def test_a_peer_without_a_profile_has_no_series_of_bfd() -> None:
    samples = measured(speaker(sessions=[replace(SESSION, bfd=None)]), tallies=TALLIES)
    assert labels_of(samples, "metallb_bfd_session_up") == []


def test_the_series_of_a_peer_go_with_it() -> None:
    metrics = SpeakerMetrics("1")
    before = measured(speaker(sessions=[SESSION, REFUSING]), metrics, tallies=TALLIES)
    assert len(labels_of(before, "metallb_bgp_opens_sent")) == 2
    after = measured(speaker(sessions=[REFUSING]), metrics, tallies=TALLIES)
    assert labels_of(after, "metallb_bgp_opens_sent") == [{"peer": "[2001:db8::254]:179", "vrf": "red"}]


def test_two_peers_that_mean_one_router_do_not_spoil_a_scrape() -> None:
    twice = replace(SESSION, peer="tor-z", told=99)
    samples = measured(speaker(sessions=[SESSION, twice]))
    assert of(samples, "metallb_bgp_announced_prefixes_total", peer="192.0.2.254:179", vrf="") == 2


def test_sessions_are_counted_by_state_also_where_there_are_none() -> None:
    samples = measured(speaker(sessions=[SESSION, REFUSING]))
    states = {state.value: of(samples, "lb_reconciler_bgp_sessions", state=state) for state in State}
    assert states == {"idle": 0, "connect": 0, "active": 1, "open-sent": 0, "open-confirm": 0, "established": 1}


@pytest.mark.parametrize(
    ("remote", "host"),
    [
        ("192.0.2.254:179", "192.0.2.254"),
        ("[2001:db8::254]:1790", "2001:db8::254"),
        ("[fe80::1%eth0]:179", "fe80::1%eth0"),
        ("eth0", "eth0"),
        ("eth0:lan", "eth0:lan"),
    ],
)
def test_the_remote_end_without_its_port(remote: str, host: str) -> None:
    assert remote_host(remote) == host


def test_what_is_announced_is_counted() -> None:
    samples = measured(speaker(conflicts=[CONFLICT], handovers=[HANDOVER]))
    assert of(samples, "lb_reconciler_announced_services") == 2
    assert of(samples, "lb_reconciler_announced_addresses", family="ipv4") == 1
    assert of(samples, "lb_reconciler_announced_addresses", family="ipv6") == 1
    assert of(samples, "lb_reconciler_conflicts") == 1
    assert of(samples, "lb_reconciler_handovers") == 1


def test_members_are_counted_by_state_also_where_there_are_none() -> None:
    samples = measured()
    states = {state: of(samples, "lb_reconciler_members", state=state) for state in ("alive", "suspect", "silent")}
    assert states == {"alive": 1, "suspect": 1, "silent": 0}
    assert of(samples, "lb_reconciler_members", state="absent") == 1


def test_carriers_are_those_of_the_links_that_are_used() -> None:
    samples = measured()
    assert of(samples, "lb_reconciler_link_carrier", interface="eth0") == 1
    assert of(samples, "lb_reconciler_link_carrier", interface="eth1") == 0
    assert {"interface": "veth1"} not in labels_of(samples, "lb_reconciler_link_carrier")


@pytest.mark.parametrize(
    ("found", "stale", "waits"),
    [
        pytest.param(speaker(), 0, 0, id="in use as the files say"),
        pytest.param(waiting(), 0, 1, id="one that waits for the others is no fault"),
        pytest.param(speaker(newest=NewestRevision(revision="x", verdict=HELD)), 1, 0, id="held"),
        pytest.param(speaker(newest=NewestRevision(revision="x", verdict=REFUSED)), 1, 0, id="refused"),
        pytest.param(speaker(newest=NewestRevision(verdict=REFUSED)), 1, 0, id="the files cannot be read"),
        pytest.param(speaker(revision=None, newest=NewestRevision(verdict=REFUSED)), 0, 0, id="none at all"),
    ],
)
def test_whether_the_revision_is_stale_or_waits(found: SpeakerStatus, stale: int, waits: int) -> None:
    samples = measured(found)
    assert of(samples, "metallb_k8s_client_config_stale_bool") == stale
    assert of(samples, "lb_reconciler_revision_waiting") == waits


@pytest.mark.parametrize(
    ("facts", "ready", "leaving"),
    [
        pytest.param({}, 1, 0, id="as usual"),
        pytest.param({"not_ready": "the cluster is not synced"}, 0, 0, id="not ready yet"),
        pytest.param({"leaving": True}, 1, 1, id="it ends"),
        pytest.param({"drained": True}, 1, 1, id="its node is drained"),
    ],
)
def test_whether_it_takes_part(facts: dict[str, Any], ready: int, leaving: int) -> None:
    samples = measured(speaker(**facts))
    assert (of(samples, "lb_reconciler_ready"), of(samples, "lb_reconciler_leaving")) == (ready, leaving)


def test_what_happens_once_is_counted() -> None:
    metrics = SpeakerMetrics("1")
    metrics.pass_ended(PassResult.DONE, 0.001)
    metrics.handover_ended(HandoverResult.TAKEN, 0.02)
    metrics.handover_ended(HandoverResult.GIVEN_UP, 3.0)
    for kind in ("claimed", "announced", "claimed"):
        metrics.reported(kind)
    samples = measured(metrics=metrics, relists={"Node": 1})
    assert of(samples, "lb_reconciler_passes_total", result="done") == 1
    assert [of(samples, "lb_reconciler_handovers_total", result=result) for result in HandoverResult] == [1, 1, 0]
    assert of(samples, "lb_reconciler_handover_duration_seconds_bucket", le="0.025") == 1
    assert of(samples, "lb_reconciler_announcement_reports_total", kind="claimed") == 2
    assert of(samples, "lb_reconciler_relists_total", kind="Node") == 1


def test_names_are_exactly_metallbs() -> None:
    """An ending that makes counters look alike would empty every dashboard."""
    metrics = SpeakerMetrics("1")
    metrics.follow(lambda: SpeakerReading(status=speaker(), links=LINKS))
    text = metrics.exposition().decode()
    assert '\nmetallb_layer2_requests_received{interface="eth0"} 1.0\n' in text
    assert "requests_received_total" not in text
    metrics.follow(lambda: SpeakerReading(status=speaker(sessions=[SESSION]), tallies=TALLIES))
    text = metrics.exposition().decode()
    for name in ("bgp_opens_sent", "bgp_updates_total", "bgp_updates_total_received", "bgp_announced_prefixes_total"):
        assert f'\nmetallb_{name}{{peer="192.0.2.254:179",vrf=""}} ' in text


def test_the_documentation_lists_exactly_what_is_measured() -> None:
    metrics = SpeakerMetrics("1", per_address=True)
    metrics.reported("announced")
    found = waiting(problems=[OVERLAP], conflicts=[CONFLICT], sessions=[SESSION])
    kinds = {"relists": {"Node": 1}, "watch_restarts": {"Node": 1}, "decode_failures": {"Node": 1}}
    reading = SpeakerReading(status=found, links=LINKS, **kinds)  # type: ignore[arg-type]  # a table of keyword arguments
    metrics.follow(lambda: reading)
    assert documented("speaker") == families_of(metrics.exposition())


def test_the_documentation_names_every_kind_of_report() -> None:
    (row,) = [line for line in DOCUMENTED.read_text("utf-8").splitlines() if "announcement_reports_total" in line]
    assert set(re.findall(r"`([a-z-]+)`", row)) - {"kind"} == set(ReportKind)
