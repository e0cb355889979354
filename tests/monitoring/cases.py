"""When each alert fires, and when it does not. One sample a minute, in the notation of promtool."""

import json
from dataclasses import dataclass, field

ONE = {"namespace": "lb", "job": "lb-reconciler"}


def scraped(name: str, on: str = "a", **labels: str) -> str:
    """A series of the target of one node."""
    target = {**ONE, "node": f"node-{on}", "pod": f"pod-{on}", "instance": f"192.0.2.1{ord(on) - ord('a')}:7472"}
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in {**target, **labels}.items())}}}"


def on_node(on: str = "a", **labels: str) -> dict[str, str]:
    """The labels of an alert about one node."""
    return {
        **ONE,
        "node": f"node-{on}",
        "pod": f"pod-{on}",
        "instance": f"192.0.2.1{ord(on) - ord('a')}:7472",
        **labels,
    }


@dataclass(frozen=True)
class Fires:
    """It fires `at` that minute, for the first time, and only with these labels and this summary."""

    alert: str
    series: dict[str, str]
    at: int
    labels: dict[str, str]
    summary: str


@dataclass(frozen=True)
class Silent:
    """It is silent at each of these minutes."""

    alert: str
    series: dict[str, str]
    at: tuple[int, ...] = field(default=(5, 15, 30))


VERDICT = "lb_reconciler_newest_revision_verdict"
LOADED = "metallb_k8s_client_config_loaded_bool"
MEMBERS = "lb_reconciler_members"
PEER = {"peer": "192.0.2.254:179", "vrf": ""}
# Prometheus takes an empty label for none.
AT_PEER = {"peer": "192.0.2.254:179"}
UP, TOLD, WANTED = (
    "metallb_bgp_session_up",
    "metallb_bgp_announced_prefixes_total",
    "metallb_bgp_pending_prefixes_total",
)


def fill(used: int, of: int, family: str = "ipv4") -> dict[str, str]:
    total = f"metallb_allocator_{family}_addresses_total"
    in_use = f"metallb_allocator_{family}_addresses_in_use_total"
    return {scraped(total, pool="gold"): f"{of}x60", scraped(in_use, pool="gold"): f"{used}x60"}


def seen(alive: dict[str, str], **others: dict[str, str]) -> dict[str, str]:
    """What speakers say of each other: by node the numbers alive, then of the other states."""
    every = {"alive": alive, **others}
    ready = {scraped("lb_reconciler_ready", on): "1x600" for on in alive}
    return ready | {
        scraped(MEMBERS, on, state=state): values for state, by_node in every.items() for on, values in by_node.items()
    }


CASES: list[Fires | Silent] = [
    Fires(
        "LbReconcilerRevisionRefused",
        {
            scraped(VERDICT, verdict="refused"): "1x60",
            scraped(VERDICT, "b", verdict="refused"): "0x60",
            scraped(LOADED): "1x60",
        },
        1,
        ONE,
        "The newest configuration is refused.",
    ),
    Silent("LbReconcilerRevisionRefused", {scraped(VERDICT, verdict="held"): "1x60", scraped(LOADED): "1x60"}),
    Silent(
        "LbReconcilerRevisionRefused",
        {scraped(VERDICT, verdict="refused"): "0 1 0 0 0 0x60", scraped(LOADED): "1x60"},
        (1, 2, 3),
    ),
    # A fresh installation.
    Silent("LbReconcilerRevisionRefused", {scraped(VERDICT, verdict="refused"): "1x60", scraped(LOADED): "0x60"}),
    Fires("LbReconcilerPlanHeld", {scraped("lb_reconciler_plan_held"): "1x60"}, 1, ONE, "A plan waits for approval."),
    Silent("LbReconcilerPlanHeld", {scraped("lb_reconciler_plan_held"): "0x60"}),
    Fires(
        "LbReconcilerRevisionWaiting",
        {scraped("lb_reconciler_revision_waiting", on): "1x60" for on in "abc"},
        5,
        ONE,
        "Speakers that do not get to the newest revision: 3.",
    ),
    Silent("LbReconcilerRevisionWaiting", {scraped("lb_reconciler_revision_waiting"): "1 1 1 0x60"}),
    Fires(
        "LbReconcilerNoConfiguration",
        {scraped(LOADED): "0x60"},
        15,
        ONE,
        "No configuration is in force.",
    ),
    Silent(
        "LbReconcilerNoConfiguration",
        {
            scraped(LOADED): "0x60",
            scraped(LOADED, "b"): "1x60",
        },
    ),
    Fires("LbReconcilerPoolNearlyFull", fill(95, 100), 5, {**ONE, "pool": "gold"}, "Pool gold is 95% full."),
    Fires("LbReconcilerPoolNearlyFull", fill(8, 8, "ipv6"), 5, {**ONE, "pool": "gold"}, "Pool gold is 100% full."),
    Silent("LbReconcilerPoolNearlyFull", fill(90, 100)),
    # A pool that is made for one Service.
    Silent("LbReconcilerPoolNearlyFull", fill(1, 1)),
    # A pool without addresses of that family.
    Silent("LbReconcilerPoolNearlyFull", fill(0, 0, "ipv6")),
    Fires(
        "LbReconcilerPoolExhausted",
        {scraped("lb_reconciler_services_refused", reason="pool-exhausted"): "2x60"},
        1,
        ONE,
        "Services that get no address because pools are exhausted: 2.",
    ),
    Silent("LbReconcilerPoolExhausted", {scraped("lb_reconciler_services_refused", reason="unknown-pool"): "2x60"}),
    Fires(
        "LbReconcilerServicesPending",
        {scraped("lb_reconciler_services_pending"): "3x60", scraped("lb_reconciler_services_pending", "b"): "0x60"},
        10,
        ONE,
        "Services that wait for an address: 3.",
    ),
    Silent("LbReconcilerServicesPending", {scraped("lb_reconciler_services_pending"): "3x8 0x60"}),
    Fires(
        "LbReconcilerConflict",
        {scraped("lb_reconciler_conflicts"): "1x60", scraped("lb_reconciler_conflicts", "b"): "0x60"},
        0,
        on_node(),
        "Addresses of node-a that another host uses: 1.",
    ),
    Silent("LbReconcilerConflict", {scraped("lb_reconciler_conflicts"): "0x60"}),
    Fires(
        "LbReconcilerSpeakerNotReady",
        {scraped("lb_reconciler_ready"): "0x60", scraped("lb_reconciler_ready", "b"): "1x60"},
        2,
        on_node(),
        "The speaker on node-a is not ready.",
    ),
    Silent("LbReconcilerSpeakerNotReady", {scraped("lb_reconciler_ready"): "0 0 1x60"}),
    Fires(
        "LbReconcilerMembersLost",
        seen({"a": "3x4 2x60", "b": "3x4 2x60"}, absent={"a": "1x4 2x60", "b": "1x4 2x60"}),
        7,
        ONE,
        "Speakers that are not heard of any more: 1.",
    ),
    Fires(
        "LbReconcilerMembersLost",
        seen({"a": "2x60"}, silent={"a": "1x60"}),
        2,
        ONE,
        "Speakers that are not heard of any more: 1.",
    ),
    # Two nodes have no speaker and never had; one starts, and finds the others.
    Silent("LbReconcilerMembersLost", seen({"a": "1 3x60", "b": "3x60"}, absent={"a": "4 2x60", "b": "2x60"})),
    # A node was taken out of the cluster.
    Silent("LbReconcilerMembersLost", seen({"a": "3x4 2x60"}, absent={"a": "1x60"})),
    Fires(
        "LbReconcilerSplit",
        seen({"a": "2x60", "b": "2x60", "c": "1x60"}, suspect={"a": "0x60", "b": "0x60", "c": "0x60"}),
        2,
        ONE,
        "The speakers are split into groups that do not see each other.",
    ),
    Silent("LbReconcilerSplit", seen({"a": "3x60", "b": "2x60", "c": "3x60"}, suspect={"b": "1x60"})),
    # A speaker that has died is not scraped any more.
    Silent("LbReconcilerSplit", seen({"a": "2x60", "b": "2x60"})),
    Fires(
        "LbReconcilerLinkDown",
        {
            scraped("lb_reconciler_link_carrier", interface="eth1"): "0x60",
            scraped("lb_reconciler_link_carrier", interface="eth0"): "1x60",
        },
        1,
        on_node(interface="eth1"),
        "Interface eth1 of node-a has no carrier.",
    ),
    Silent("LbReconcilerLinkDown", {scraped("lb_reconciler_link_carrier", interface="eth1"): "1x60"}),
    Fires(
        "LbReconcilerBGPSessionDown",
        {scraped(UP, **PEER): "0x60", scraped(UP, "b", **PEER): "1x60"},
        1,
        on_node(**AT_PEER),
        "node-a has no BGP session with 192.0.2.254:179.",
    ),
    Silent("LbReconcilerBGPSessionDown", {scraped(UP, **PEER): "1 0 1x60"}, (1, 2, 3)),
    Fires(
        "LbReconcilerBGPNodeWithoutSession",
        {scraped(UP, **PEER): "0x60", scraped(UP, peer="192.0.2.253:179"): "0x60"},
        1,
        on_node(),
        "node-a has no BGP session at all.",
    ),
    Silent(
        "LbReconcilerBGPNodeWithoutSession", {scraped(UP, **PEER): "0x60", scraped(UP, peer="192.0.2.253:179"): "1x60"}
    ),
    Fires(
        "LbReconcilerBGPSessionProblem",
        {scraped("lb_reconciler_bgp_session_problem", **PEER): "1x60"},
        1,
        on_node(**AT_PEER),
        "node-a cannot do what BGPPeer 192.0.2.254:179 asks for.",
    ),
    Silent("LbReconcilerBGPSessionProblem", {scraped("lb_reconciler_bgp_session_problem", **PEER): "0x60"}),
    Fires(
        "LbReconcilerBGPSessionFlaps",
        {scraped("lb_reconciler_bgp_sessions_established_total", **PEER): "1x15 2 3 4 5 6 6x60"},
        19,
        on_node(**AT_PEER),
        "The BGP session of node-a with 192.0.2.254:179 comes and goes.",
    ),
    Silent(
        "LbReconcilerBGPSessionFlaps", {scraped("lb_reconciler_bgp_sessions_established_total", **PEER): "1x15 2x60"}
    ),
    Fires(
        "LbReconcilerBGPRoutesMissing",
        {scraped(UP, **PEER): "1x60", scraped(TOLD, **PEER): "2x60", scraped(WANTED, **PEER): "5x60"},
        2,
        on_node(**AT_PEER),
        "Prefixes that node-a could not tell 192.0.2.254:179 of: 3.",
    ),
    Silent(
        "LbReconcilerBGPRoutesMissing",
        {scraped(UP, **PEER): "0x60", scraped(TOLD, **PEER): "0x60", scraped(WANTED, **PEER): "5x60"},
    ),
    Silent(
        "LbReconcilerBGPRoutesMissing",
        {scraped(UP, **PEER): "1x60", scraped(TOLD, **PEER): "5x60", scraped(WANTED, **PEER): "5x60"},
    ),
    Fires(
        "LbReconcilerBFDDown",
        {scraped("metallb_bfd_session_up", peer="192.0.2.254"): "0x60"},
        1,
        on_node(peer="192.0.2.254"),
        "BFD of node-a with 192.0.2.254 is down.",
    ),
    Silent("LbReconcilerBFDDown", {scraped("metallb_bfd_session_up", peer="192.0.2.254"): "1x60"}),
    Fires(
        "LbReconcilerNoLeader",
        {scraped("lb_reconciler_leading", on): "0x60" for on in "ab"},
        2,
        ONE,
        "No controller leads.",
    ),
    Fires("LbReconcilerNoLeader", {scraped("lb_reconciler_ready"): "1x60"}, 2, {}, "No controller leads."),
    Silent(
        "LbReconcilerNoLeader",
        {scraped("lb_reconciler_leading"): "1x60", scraped("lb_reconciler_leading", "b"): "0x60"},
    ),
    Fires(
        "LbReconcilerSeveralLeaders",
        {scraped("lb_reconciler_leading", on): "1x60" for on in "ab"},
        2,
        ONE,
        "2 controllers believe that they lead.",
    ),
    # Two installations.
    Silent(
        "LbReconcilerSeveralLeaders",
        {scraped("lb_reconciler_leading"): "1x60", scraped("lb_reconciler_leading", "b", job="another"): "1x60"},
    ),
    Fires(
        "LbReconcilerWatchStale",
        {
            scraped("lb_reconciler_cluster_away_seconds"): "61+60x60",
            scraped("lb_reconciler_cluster_synced"): "0x60",
            scraped("lb_reconciler_cluster_away_seconds", "b"): "0x60",
            scraped("lb_reconciler_cluster_synced", "b"): "0x60",
        },
        1,
        ONE,
        "Processes that do not see the cluster as it is: 2.",
    ),
    Silent(
        "LbReconcilerWatchStale",
        {scraped("lb_reconciler_cluster_away_seconds"): "60x60", scraped("lb_reconciler_cluster_synced"): "1x60"},
    ),
    Fires(
        "LbReconcilerPassesFail",
        {scraped("lb_reconciler_passes_total", result="failed"): "0x10 1 2 3 4 4x60"},
        13,
        on_node(result="failed"),
        "Passes of pod-a fail.",
    ),
    Silent("LbReconcilerPassesFail", {scraped("lb_reconciler_passes_total", result="done"): "0+10x60"}),
    Silent("LbReconcilerPassesFail", {scraped("lb_reconciler_passes_total", result="failed"): "0x10 1x60"}),
    Fires(
        "LbReconcilerPassOverdue",
        {scraped("lb_reconciler_queue_age_seconds"): "0+60x60"},
        4,
        on_node(),
        "pod-a has not looked again for 4m 0s.",
    ),
    Silent("LbReconcilerPassOverdue", {scraped("lb_reconciler_queue_age_seconds"): "30x60"}),
    Fires(
        "LbReconcilerWritesFail",
        {scraped("lb_reconciler_writes_total", result="failed"): "0x10 6x60"},
        11,
        ONE,
        "The status of Services cannot be written.",
    ),
    Silent("LbReconcilerWritesFail", {scraped("lb_reconciler_writes_total", result="conflict"): "0+10x60"}),
]
