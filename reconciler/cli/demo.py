"""
`reconciler demo`: the commands, one after the other, on copies of the bundled examples; then live speakers.

Nothing outside of temporary directories and of network namespaces of its own is touched.
"""

import asyncio
import io
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from difflib import unified_diff
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from reconciler.cli import demo_live, main
from reconciler.cli.narration import aside, say, typed
from reconciler.cli.reporting import BROKEN_PIPE
from reconciler.cluster.directory import DirectoryCluster, read_snapshot
from reconciler.config.load import load
from reconciler.errors import ReconcilerError
from reconciler.plan.guard import settle
from reconciler.plan.services import plan_services

_NAMESPACE = "lb-reconciler"
_POOL_BEFORE, _POOL_AFTER = "- 192.0.2.0/26\n", "- 192.0.2.32/27\n"


class ExamplesError(ReconcilerError):
    """The bundled examples are missing, or are not what the demo was written for."""


def examples() -> Path:
    """
    The directory of bundled examples: inside the package once installed, beside it in a checkout.

    Raises:
        ExamplesError: There is none.
    """
    package = Path(str(files("reconciler")))
    for directory in (package / "examples", package.parent / "config-examples"):
        if directory.is_dir():
            return directory
    raise ExamplesError("the examples are not part of this installation")


def run() -> int:
    """
    Show validate, diff, explain and the guard, then the speakers where they can be shown; returns the exit status.

    Raises:
        ExamplesError: The bundled examples are missing, or are not what the demo was written for.
        DemoError: Something that was to be shown did not happen.
    """
    with _temporary_directory(), _plain_environment():
        shutil.copytree(examples() / "teams", "config")
        shutil.copytree(examples() / "demo-cluster", "cluster")
        _first_run()
        _carry_out()
        _change_a_pool()
        _approve()
        _show_live()
        say("All of this happened in a temporary directory that is gone now. The examples are in config-examples/.")
    return 0


def _show_live() -> None:
    reason = demo_live.why_not()
    if reason is None:
        with _temporary_directory():
            reason = demo_live.show(_command)
    if reason is not None:
        say(f"Left out: speakers on a network of this machine, with ARP, NDP and fail-over: {reason}.")


def _first_run() -> None:
    say("Configuration is a directory of manifests in MetalLB's format. Is it right?")
    _command("reconciler validate config")
    say("cluster/ is a saved cluster: Services, nodes, endpoints. What would the configuration do to it?")
    _command("reconciler diff --config config --cluster dir:cluster")
    say("One Service is refused. Why, and what would help?")
    _command("reconciler explain ops/printers --config config --cluster dir:cluster")


def _carry_out() -> None:
    say("The controller carries the plan out: here it writes the addresses into the copy of the cluster.")
    loaded = load(["config"])
    observed = read_snapshot("cluster", namespace=_NAMESPACE)
    if loaded.desired is None:
        raise ExamplesError("the example configuration is not valid")
    settled = settle(loaded.desired, observed)
    plan = plan_services(settled.effective, observed, loaded.desired)

    async def write_status() -> None:
        cluster = DirectoryCluster("cluster", namespace=_NAMESPACE)
        for action in plan.actions:
            await cluster.apply(action)

    asyncio.run(write_status())
    say("After that there is nothing left to do:")
    _command("reconciler diff --config config --cluster dir:cluster")


def _change_a_pool() -> None:
    say("Now a change that somebody proposes: the lower half of a pool is to be used for something else.")
    _command("cp -r config next")
    shutil.copytree("config", "next")
    _edit("pools.yaml", lambda text: text.replace(_POOL_BEFORE, _POOL_AFTER))
    say("What that one line does, compared with the configuration in use:")
    _command("reconciler diff --base config --config next --cluster dir:cluster")


def _approve() -> None:
    say("The guard holds it: too many addresses would change at once. Is it meant? Then its digest goes into the")
    say("configuration, where it is reviewed like everything else, and lets exactly this plan through.", gap=False)
    digest = _digest()
    _edit("settings.yaml", lambda text: f"{text.rstrip()}\n    approvedPlan: {digest}\n")
    _command("reconciler diff --base config --config next --cluster dir:cluster --node worker-3")


def _digest() -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        main.run(shlex.split("diff --base config --config next --cluster dir:cluster --output json"))
    digest: str = json.loads(out.getvalue())["guard"]["digest"]
    return digest


def _edit(name: str, change: Callable[[str], str]) -> None:
    path = Path("next", name)
    before = path.read_text(encoding="utf-8")
    after = change(before)
    if after == before:
        raise ExamplesError(f"{name} is not the example that the demo was written for")
    path.write_text(after, encoding="utf-8")
    _command(f"diff -u config/{name} next/{name}")
    old = Path("config", name).read_text(encoding="utf-8").splitlines(keepends=True)
    lines = unified_diff(old, after.splitlines(keepends=True), f"config/{name}", f"next/{name}", n=2)
    sys.stdout.writelines(lines)


def _command(line: str) -> None:
    """Show a command line, and run it when it is one of ours."""
    typed(line)
    program, *arguments = shlex.split(line)
    if program != "reconciler":
        return
    status = main.run(arguments)
    if status == BROKEN_PIPE:
        # The command is content to end; what is left of the story would be told to nobody.
        raise BrokenPipeError
    if status:
        aside(f"exit status {status}")


@contextmanager
def _temporary_directory() -> Iterator[None]:
    with TemporaryDirectory(prefix="lb-reconciler-demo-") as directory, chdir(directory):
        yield


@contextmanager
def _plain_environment() -> Iterator[None]:
    """Options come from the command lines that are shown, not from the caller's environment."""
    kept = {key: value for key, value in os.environ.items() if key.startswith("RECONCILER_")}
    for key in kept:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(kept)
