"""A repository of a platform team: configuration and snapshot on its main branch, and a change on another branch."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from tests.cli.conftest import EXAMPLES

_WHO = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.com",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.com",
}
# Whatever the machine's owner has configured.
_NOWHERE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
_GIT = {**_WHO, **_NOWHERE}
_PATIENCE = 120.0
# Keeps what it was called with, and what was handed over in files, and says what the test wants it to say.
_STUB = """#!{python}
import json, os, sys
bodies = {{a.partition("@")[2]: open(a.partition("@")[2]).read() for a in sys.argv if "body@" in a or "body=@" in a}}
with open(os.environ["STUB_CALLS"], "a") as calls:
    calls.write(json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], list(bodies.values())]) + "\\n")
if "POST" not in sys.argv and "PATCH" not in sys.argv and "PUT" not in sys.argv:
    sys.stdout.write(os.environ.get("STUB_ANSWER", ""))
"""


class Repository:
    """`folder` is a clone in which somebody works; `origin` is what it was cloned from. `main` is checked out."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.origin, self.folder = root / "origin.git", root / "clone"
        self._calls = root / "calls"
        self.temporary = root / "temporary"
        self.temporary.mkdir()
        self._bin = root / "bin"
        self._bin.mkdir()
        self._run_git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        self._run_git(root, "clone", "--quiet", str(self.origin), str(self.folder))
        self._run_git(self.folder, "checkout", "--quiet", "-b", "main")
        shutil.copytree(EXAMPLES / "teams", self.folder / "config")
        items = [
            item
            for path in sorted((EXAMPLES / "demo-cluster").glob("*.yaml"))
            for item in YAML(typ="safe").load_all(path)
            if item
        ]
        (self.folder / "cluster.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        self.push("The configuration")

    def git(self, *arguments: str) -> str:
        """What git says in the clone."""
        return self._run_git(self.folder, *arguments)

    def push(self, message: str) -> str:
        """Commit everything to the branch that is checked out, and push it; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD")
        return self.git("rev-parse", "HEAD").strip()

    def change(self, old: str, new: str, file: str = "config/pools.yaml") -> None:
        """On a branch of its own, as for a pull request."""
        self.git("checkout", "--quiet", "-b", "change")
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        self.push("A change")

    def stub(self, *names: str) -> None:
        """Programs of those names that only write down what they are asked."""
        for name in names:
            path = self._bin / name
            path.write_text(_STUB.format(python=sys.executable))
            path.chmod(0o755)

    @property
    def calls(self) -> list[tuple[str, list[str], list[str]]]:
        """Name, arguments and bodies of each call of a stub; pip, which is asked first, is left out."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        found = [(name, arguments, bodies) for name, arguments, bodies in map(json.loads, lines)]
        return [call for call in found if call[0] != "pip"]

    def run(
        self, shell: list[str], script: str, environment: Mapping[str, str], *, anonymous: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        """Run a script there, with our command and the stubs in the path; git knows no author if it is `anonymous`."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        path = f"{self._bin}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        surroundings = {
            **kept,
            **_NOWHERE,
            **({} if anonymous else _WHO),
            "PATH": path,
            "STUB_CALLS": str(self._calls),
            **environment,
        }
        return subprocess.run(
            [*shell, script],
            cwd=self.folder,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )

    def _run_git(self, folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env={**os.environ, **_GIT}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
