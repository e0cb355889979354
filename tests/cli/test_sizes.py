"""Output that must stay small, or bounded, however much there is to say."""

import pytest

from reconciler.cli.explanation import CandidateRow, DeclineRow
from reconciler.cli.markdown import LARGEST
from reconciler.cli.options import Output
from reconciler.cli.report import Action, AnnouncementRow, ConfigRow, DiffReport, PoolRow, ProblemRow
from reconciler.cli.text import size
from reconciler.model.origin import Origin, Severity
from reconciler.plan.announcements import Change
from tests.cli import builders
from tests.cli.test_outputs import printed

MANY = 5000


def large() -> DiffReport:
    cause = Origin("pools/a.yaml", 6, 5)
    services = [
        builders.service(f"shop/web-{n:04}", Action.ASSIGN, "", f"10.0.{n >> 8}.{n & 255}", pool="gold", cause=cause)
        for n in range(MANY)
    ]
    services.append(
        builders.service("zoo/last", Action.CLEAR, "192.0.2.1", reason="not-in-any-pool", message="x" * 9999)
    )
    announcements = (
        AnnouncementRow(change=Change.ADD, protocol="l2", node="worker-1", service=row.service, address="10.0.0.1")
        for row in services
    )
    problem = ProblemRow("a.yaml", 1, 1, Severity.WARNING, "field-type", "y" * 9999)
    return DiffReport(
        ConfigRow("r", valid=True, problems=(problem,) * MANY),
        services=tuple(services),
        announcements=announcements,
        pools=tuple(PoolRow(f"pool-{n:04}", n, n, n, 1 << 64) for n in range(MANY)),
    )


def test_markdown_fits_in_a_comment_and_says_what_is_left_out() -> None:
    text = printed(large(), Output.MARKDOWN)
    assert len(text) < LARGEST
    assert "more rows left out" in text
    assert f"{MANY} to assign, 0 to change, 1 to clear" in text


def test_markdown_never_leaves_out_what_is_taken_away_for_what_is_given() -> None:
    assert "`zoo/last` | **clear**" in printed(large(), Output.MARKDOWN)


def test_what_one_line_does_to_many_services_is_one_annotation() -> None:
    lines = [line for line in printed(large(), Output.GITHUB).splitlines() if line.startswith("::notice file=")]
    assert len(lines) == 1
    assert lines[0].startswith(
        f"::notice file=pools/a.yaml,line=6,col=5,title={MANY} Services would be given an address::"
    )
    assert lines[0].endswith(f"%0Aand {MANY - 10} more")


@pytest.mark.parametrize("output", [Output.MARKDOWN, Output.GITHUB])
def test_a_service_on_very_many_nodes_is_explained_in_a_comment(output: Output) -> None:
    nodes = [f"worker-{n}" for n in range(MANY)]
    announced = [
        AnnouncementRow(change=Change.ADD, protocol="bgp", node=node, service="a/ours", address="10.0.0.1", peer="tor")
        for node in nodes
    ]
    found = builders.explained(
        builders.SERVICES[1],
        announcements=tuple(announced),
        declined=tuple(DeclineRow(node, "l2", "notOwner", "worker-1 wins") for node in nodes),
        candidates=tuple(CandidateRow(node, rank, 1) for rank, node in enumerate(nodes, 1)),
    )
    text = printed(found, output)
    assert len(text) < LARGEST
    assert "notOwner" in text
    assert "worker-2" in text


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        pytest.param(254, "254", id="a number that people count in"),
        pytest.param(1 << 64, "2^64", id="a power of two as one"),
        pytest.param((1 << 64) + 5, "over 2^64", id="what is beyond it roughly"),
    ],
)
def test_size(addresses: int, expected: str) -> None:
    assert size(addresses) == expected
