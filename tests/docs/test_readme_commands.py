"""Every command of the README is executed by a test, or named here with who executes it or why nobody can."""

from pathlib import Path

from tests.docs.fences import commands

ROOT = Path(__file__).resolve().parents[2]
# Those with output are typed by tests/test_readme.py. That options and paths of the others exist is checked by
# test_shown_commands.py; where they are executed stands beside them.
_ELSEWHERE = {
    "make demo": "tests/cli/test_demo.py",
    "kubectl apply -k kustomize/overlays/l2    # or bgp, git-sync, flux, argo: docs/install.md": (
        "tests/kustomize/test_acceptance.py"
    ),
    "reconciler controller --config config-examples/teams": "tests/kustomize/test_running.py",
    'reconciler speaker --config config-examples/teams --node-name "$NODE_NAME" --pod-ip "$NODE_ADDRESS"': (
        "tests/kustomize/test_running.py"
    ),
}


def test_no_command_of_the_readme_is_left_untried() -> None:
    shown = [command for command in commands((ROOT / "README.md").read_text("utf-8")) if command.printed is None]
    assert {command.typed for command in shown} == set(_ELSEWHERE)
    assert all((ROOT / path).is_file() for path in _ELSEWHERE.values())
