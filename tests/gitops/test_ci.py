"""The CI files in config-examples/ci do what they say: their steps are run as they stand, in a repository on disk."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cli.conftest import EXAMPLES
from tests.gitops.repository import Repository

ROOT = EXAMPLES.parent
GITHUB, GITLAB = EXAMPLES / "ci/github/load-balancers.yml", EXAMPLES / "ci/gitlab/load-balancers.yml"
MARKER = "<!-- lb-reconciler -->"
# What each provider puts in place of an expression.
EXPRESSIONS = {"github.event.number": "7", "github.token": "s3cret", "runner.temp": "{temp}"}
# The shells in which they run the scripts.
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
# A few Services of one team get other addresses.
MOVES = ("198.51.100.0/27", "198.51.100.16/28")
# Pip is asked for what it would install, and not for anything that this one does not need. (A 0 is how its environment
# spells `--no-build-isolation`.)
PIP = {
    "LB_RECONCILER": str(ROOT),
    "PIP_DRY_RUN": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
TEAM = {"team-a/chat", "team-a/metrics", "team-a/portal", "team-a/wiki"}
TOKEN = {"LB_RECONCILER_TOKEN": "s3cret"}


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def changed(run: "Pipeline") -> set[str]:
    """The Services that a report says get other addresses."""
    return set(re.findall(r"^\| `(\S+)` \| \*\*change\*\* \|", run.shown, re.MULTILINE))


class Pipeline:
    """What a run came to: the names of the steps that failed, all output, and the Markdown that was shown."""

    def __init__(self, failed: list[str], output: str, shown: str) -> None:
        self.failed = failed
        self.output = output
        self.shown = shown


def run_github(repository: Repository, *only: str, **environment: str) -> Pipeline:
    """Run our steps in order, or those of these names; after a failure only those that run always."""
    workflow = load(GITHUB)
    summary = repository.temporary / "summary.md"
    surroundings = {
        **workflow["env"],
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": "main",
        "GITHUB_REPOSITORY": "platform/load-balancers",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_WORKSPACE": str(repository.folder),
        "RUNNER_TEMP": str(repository.temporary),
        **environment,
    }
    (job,) = workflow["jobs"].values()
    failed, output = list[str](), ""
    for step in job["steps"]:
        # Steps without a script are other people's.
        if (
            "run" not in step
            or (only and step["name"] not in only)
            or (failed and "always()" not in step.get("if", ""))
        ):
            continue
        assert "${{" not in step["run"], "what somebody else wrote would be part of the script"
        own = {name: _filled(value, repository) for name, value in step.get("env", {}).items()}
        done = repository.run(BASH, step["run"], surroundings | own)
        output += done.stdout + done.stderr
        if done.returncode:
            failed.append(step["name"])
    return Pipeline(failed, output, summary.read_text() if summary.exists() else "")


def _filled(value: str, repository: Repository) -> str:
    return re.sub(
        r"\$\{\{ (\S+) \}\}", lambda found: EXPRESSIONS[found[1]].format(temp=repository.temporary), str(value)
    )


def run_gitlab(repository: Repository, **environment: str) -> Pipeline:
    """Run the script as one, as the runner does."""
    job = load(GITLAB)["load-balancers"]
    surroundings = {
        **{name: str(value) for name, value in job["variables"].items()},
        "CI": "true",
        "CI_API_V4_URL": "https://git.example.com/api/v4",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_PROJECT_ID": "42",
        **environment,
    }
    done = repository.run(BASH, "\n".join(job["script"]), surroundings)
    shown = repository.folder / "diff.md"
    return Pipeline(["script"] if done.returncode else [], done.stdout + done.stderr, shown.read_text())


# GitHub


def test_a_github_run_shows_what_a_pull_request_changes_and_nothing_else(repository: Repository) -> None:
    repository.stub("gh")
    # What the cluster has not caught up with yet is another matter than this pull request.
    repository.change(*MOVES)
    run = run_github(repository, **PIP)
    assert run.failed == []
    assert changed(run) == TEAM
    (asked, wrote) = repository.calls
    comments = "repos/platform/load-balancers/issues/7/comments"
    assert asked[1][:3] == ["api", "--paginate", comments]
    assert wrote[1][:5] == ["api", "--silent", "--method", "POST", comments]
    assert wrote[2] == [f"{MARKER}\n{run.shown}"]


def test_a_github_run_writes_its_comment_anew(repository: Repository) -> None:
    repository.stub("gh", "pip")
    (repository.temporary / "diff.md").write_text("what changes\n")
    assert run_github(repository, "Comment", STUB_ANSWER="123\n").failed == []
    (_, wrote) = repository.calls
    assert wrote[1][2:5] == ["--method", "PATCH", "repos/platform/load-balancers/issues/comments/123"]
    assert wrote[2] == [f"{MARKER}\nwhat changes\n"]


def test_a_github_run_annotates_what_is_wrong_and_fails_by_it(repository: Repository) -> None:
    repository.stub("gh", "pip")
    repository.change("autoAssign", "autoAsign")
    run = run_github(repository)
    assert run.failed == ["Validate", "Compare"]
    line = 1 + (EXAMPLES / "teams/pools.yaml").read_text().splitlines().index("  autoAssign: false")
    assert re.search(rf"^::error file=config/pools\.yaml,line={line},col=3,.*unknown field", run.output, re.MULTILINE)
    sarif = json.loads((repository.temporary / "validate.sarif").read_text())
    (result,) = [found for found in sarif["runs"][0]["results"] if found["level"] == "error"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("config/pools.yaml", line)
    assert "The configuration is not valid" in repository.calls[-1][2][0]


def test_a_github_run_fails_by_a_plan_that_would_be_held_and_says_what_approves_it(repository: Repository) -> None:
    repository.stub("gh", "pip")
    repository.change("192.0.2.0/26", "192.0.2.128/26")
    run = run_github(repository, "Compare")
    assert run.failed == ["Compare"]
    assert "This plan is held" in run.shown
    digest = re.search(r"approvedPlan: (sha256:[0-9a-f]{64})", run.shown)
    assert digest
    # As the comment says, in the same pull request.
    settings = repository.folder / "config/settings.yaml"
    settings.write_text(
        settings.read_text().replace("minimumServices: 4", f"minimumServices: 4\n    approvedPlan: {digest[1]}")
    )
    repository.push("Approve it")
    repository.git("worktree", "remove", "--force", str(repository.temporary / "base"))
    assert run_github(repository, "Compare").failed == []


def test_the_first_pull_request_is_compared_with_the_cluster(repository: Repository) -> None:
    repository.stub("gh", "pip")
    repository.git("rm", "--quiet", "-r", "config")
    repository.push("Nothing yet")
    repository.git("checkout", "--quiet", "-b", "change", "HEAD~1")
    run = run_github(repository, "Compare")
    assert run.failed == []
    assert "What this configuration would change" in run.shown


def test_a_run_without_a_snapshot_fails_and_comments_nothing(repository: Repository) -> None:
    repository.stub("gh", "pip")
    repository.change(*MOVES)
    (repository.folder / "cluster.json").unlink()
    run = run_github(repository, "Compare", "Comment")
    assert (run.failed, repository.calls) == (["Compare"], [])
    assert "cluster.json" in run.output


def test_a_github_workflow_asks_for_no_more_than_it_uses() -> None:
    workflow = load(GITHUB)
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write", "security-events": "write"}
    # Whoever opens a pull request decides on the files in it, and must not get a token of ours by that.
    assert set(workflow["on"]) == {"pull_request"}
    text = GITHUB.read_text() + GITLAB.read_text()
    assert not re.search(r"kubeconfig|KUBE|secrets\.", text)


# GitLab


def test_a_gitlab_run_shows_what_a_merge_request_changes(repository: Repository) -> None:
    repository.stub("curl", "pip")
    repository.change(*MOVES)
    run = run_gitlab(repository, STUB_ANSWER="[]", **TOKEN)
    assert run.failed == []
    assert changed(run) == TEAM
    notes = "https://git.example.com/api/v4/projects/42/merge_requests/7/notes"
    asked, wrote = (call[1] for call in repository.calls)
    assert asked[-1] == f"{notes}?per_page=100"
    assert (wrote[-1], wrote[wrote.index("--request") + 1]) == (notes, "POST")
    assert repository.calls[-1][2] == [f"{MARKER}\n\n{run.shown}"]
    assert json.loads((repository.folder / "code-quality.json").read_text()) == []


def test_a_gitlab_run_names_the_lines_and_fails_by_what_is_wrong(repository: Repository) -> None:
    repository.stub("curl", "pip")
    repository.change("autoAssign", "autoAsign")
    run = run_gitlab(repository)
    assert run.failed == ["script"]
    # Without a token nothing is sent anywhere.
    assert repository.calls == []
    assert "The configuration is not valid" in run.shown
    (found,) = json.loads((repository.folder / "code-quality.json").read_text())
    line = 1 + (EXAMPLES / "teams/pools.yaml").read_text().splitlines().index("  autoAssign: false")
    assert (found["check_name"], found["severity"]) == ("unknown-field", "critical")
    assert found["location"] == {"path": "config/pools.yaml", "lines": {"begin": line}}
    assert set(found) == {"description", "check_name", "fingerprint", "severity", "location"}
    assert "<failure" in (repository.folder / "validate.xml").read_text()


def test_a_gitlab_run_fails_by_a_plan_that_would_be_held_and_writes_its_note_anew(repository: Repository) -> None:
    repository.stub("curl", "pip")
    repository.change("192.0.2.0/26", "192.0.2.128/26")
    known = json.dumps([{"id": 5, "body": "theirs"}, {"id": 9, "body": f"{MARKER}\n\nours"}])
    run = run_gitlab(repository, STUB_ANSWER=known, **TOKEN)
    assert run.failed == ["script"]
    assert "This plan is held" in run.shown
    wrote = repository.calls[-1]
    assert wrote[1][-1].endswith("/merge_requests/7/notes/9")
    assert wrote[1][wrote[1].index("--request") + 1] == "PUT"
    assert wrote[2] == [f"{MARKER}\n\n{run.shown}"]


def test_what_a_gitlab_job_keeps_is_what_it_writes() -> None:
    job = load(GITLAB)["load-balancers"]
    script = "\n".join(job["script"])
    for kept in (*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()):
        assert f"> {kept}" in script
