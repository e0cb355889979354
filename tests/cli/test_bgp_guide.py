"""The guide to BGP tells of every field of a peer, and its configurations for routers are such."""

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from reconciler.config.schema import load_schema

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/bgp.md").read_text("utf-8")


def need(program: str, package: str) -> None:
    """Skip where a program is not installed; fail in CI."""
    if shutil.which(program) is None:
        reason = f"{program} is missing: install the package {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def fields_in(heading: str) -> list[str]:
    rows = GUIDE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)


def test_every_field_of_a_peer_is_explained_and_no_other() -> None:
    spec = load_schema("bgppeer_v1beta2.json")["properties"]["spec"]["properties"]
    assert sorted(fields_in("field of `spec`")) == sorted(spec)


def test_every_setting_of_a_peer_is_explained_and_no_other() -> None:
    settings = load_schema("reconcilersettings_v1alpha1.json")["properties"]["spec"]["properties"]["bgp"]
    peer = settings["properties"]["peers"]["items"]["properties"]
    assert sorted(fields_in("field of `spec.bgp.peers`")) == sorted(peer.keys() - {"name"})


def _texts() -> str:
    """Every text in the code of the announcer and of BGP."""
    folders = (ROOT / "reconciler/bgp", ROOT / "reconciler/announcers")
    trees = (ast.parse(path.read_text("utf-8")) for folder in folders for path in folder.glob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_error_that_is_quoted_is_one_that_there_is() -> None:
    section = GUIDE.partition("## When it does not work")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (\*.*?) \| ", section, re.MULTILINE)
    quoted = [part for cell in cells for text in re.findall(r"\*([^*]+)\*", cell) for part in text.split("…")]
    assert len(quoted) > 20
    known = _texts()
    assert [part for part in quoted if part.strip(" ;,") not in known] == []


def written(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert isinstance(found, str)
    return found


def test_bird_reads_the_sample_for_it(tmp_path: Path) -> None:
    need("bird", "bird2")
    sample = tmp_path / "bird.conf"
    sample.write_text(written("bird"), encoding="utf-8")
    finished = subprocess.run(["bird", "-p", "-c", str(sample)], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_frr_reads_the_sample_for_it() -> None:
    need("/usr/lib/frr/bgpd", "frr")
    need("/usr/lib/frr/bfdd", "frr")
    bgp, _, bfd = written("frr").partition("\nbfd\n")
    # Each daemon reads what is its own, as a user of its own.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for daemon, text in (("bgpd", bgp), ("bfdd", f"bfd\n{bfd}")):
            sample = Path(folder, f"{daemon}.conf")
            sample.write_text(text + "\n", encoding="utf-8")
            line = [f"/usr/lib/frr/{daemon}", "-C", "-f", str(sample), "--vty_socket", folder]
            finished = subprocess.run(line, capture_output=True, text=True, check=False)
            assert (finished.returncode, finished.stdout + finished.stderr) == (0, "")
