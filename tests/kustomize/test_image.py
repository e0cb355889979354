"""
The image, as far as a machine without a container engine can make it: the steps of the Containerfile are run, in a
folder that stands in for the root of the image.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kustomize.conftest import Render
from tests.kustomize.containerfile import Instruction, Stage, read_stages

ROOT = Path(__file__).parents[2]
# Folders of the image that the steps name.
_FOLDERS = re.compile(r"(?<![\w./-])/(opt|build|wheel|src|usr/local)(?=[/\s]|$)")
_LOCKED = re.compile(r"^([a-z0-9-]+)==([^ ]+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def stages() -> tuple[Stage, Stage]:
    build, final = read_stages((ROOT / "Containerfile").read_text("utf-8"))
    return build, final


@pytest.fixture(scope="module")
def built(stages: tuple[Stage, Stage], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first stage leaves behind."""
    root = tmp_path_factory.mktemp("image")
    (root / "src").mkdir()
    for step in stages[0].instructions:
        _take(step, root)
    return root


def _take(step: Instruction, root: Path) -> None:
    match step:
        case Instruction("COPY", text):
            *sources, target = text.split()
            for source in sources:
                _copy(ROOT / source, root / "src" / target / ("" if (ROOT / source).is_dir() else source))
        case Instruction("RUN", text):
            _run(text, root)
        case Instruction("WORKDIR", text):
            assert text == "/src"
        case Instruction(word):
            assert word in {"ENV", "ARG"}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _run(text: str, root: Path) -> None:
    """A step, with the folders of the image in `root`, and `python` the one that runs the tests."""
    there = _FOLDERS.sub(lambda found: f"{root}/{found[1]}", text)
    programs = root / "programs"
    programs.mkdir(exist_ok=True)
    if not (programs / "python").exists():
        (programs / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', "utf-8")
        (programs / "python").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    environment = {**kept, "PATH": f"{programs}:{os.environ['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    finished = subprocess.run(
        ["/bin/sh", "-ec", there], cwd=root / "src", env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, f"{there}\n{finished.stdout[-2000:]}{finished.stderr[-2000:]}"


def _locked(name: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Version and digests by the name of the package."""
    text = (ROOT / name).read_text("utf-8")
    return {
        found[1]: (found[2], tuple(sorted(re.findall(r"sha256:[0-9a-f]{64}", found[3]))))
        for found in _LOCKED.finditer(text)
    }


@pytest.mark.parametrize("name", ["requirements-image.lock", "requirements-build.lock"])
def test_the_image_has_what_is_tested(name: str) -> None:
    """What it locks is what the checkout locks."""
    ours, all_of_them = _locked(name), _locked("requirements.lock")
    assert ours
    assert {package: all_of_them[package] for package in ours} == ours
    assert all(digests for _, digests in ours.values())


def test_nothing_is_copied_that_the_builder_is_not_given(stages: tuple[Stage, Stage]) -> None:
    patterns = (ROOT / ".containerignore").read_text("utf-8").splitlines()
    given = {line.removeprefix("!") for line in patterns if line.startswith("!")}
    copied = {source for text in stages[0].of("COPY") for source in text.split()[:-1]}
    assert given == copied
    assert all((ROOT / source).exists() for source in copied)
    assert (ROOT / ".dockerignore").read_text("utf-8") == (ROOT / ".containerignore").read_text("utf-8")


def test_the_program_is_whole(built: Path) -> None:
    (wheel,) = (built / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for folder, target in (
        ("schemas", "schemas"),
        ("config-examples", "examples"),
        ("reconciler/telemetry/page", "telemetry/page"),
    ):
        files = {
            str(path.relative_to(ROOT / folder))
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        assert files
        assert files <= {
            name.removeprefix(f"reconciler/{target}/") for name in names if name.startswith(f"reconciler/{target}/")
        }
    environment = {"PATH": f"{built}/opt/lb-reconciler/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["reconciler", "validate", str(ROOT / "config-examples" / "teams")]
    program = built / "opt" / "lb-reconciler" / "bin" / command[0]
    finished = subprocess.run(
        [str(program), *command[1:]], env=environment, capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, "")


def test_it_brings_what_is_locked_and_nothing_else(built: Path) -> None:
    python = built / "opt" / "lb-reconciler" / "bin" / "python"
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    output = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout
    found = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in json.loads(output).items()}
    assert found.pop("lb-reconciler")
    assert found == {name: version for name, (version, _) in _locked("requirements-image.lock").items()}


def test_nothing_is_compiled_when_it_starts(built: Path) -> None:
    site = next((built / "opt" / "lb-reconciler" / "lib").glob("python3.*")) / "site-packages"
    for package in ("reconciler", "aiohttp", "kubernetes"):
        sources = [path for path in (site / package).rglob("*.py") if "cli/lab" not in str(path)]
        tag = sys.implementation.cache_tag
        assert sources
        assert [path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists()] == []


def test_the_last_stage_has_no_pip_and_no_root(stages: tuple[Stage, Stage], render: Render, tmp_path: Path) -> None:
    _, final = stages
    (user,) = final.of("USER")
    pod = render("base").template("controller")["spec"]["securityContext"]
    assert user == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert final.of("ENTRYPOINT") == ['["reconciler"]']
    assert "/opt/lb-reconciler/bin:" in " ".join(final.of("ENV"))
    assert final.of("COPY") == ["--from=build /opt/lb-reconciler /opt/lb-reconciler"]
    library = tmp_path / "usr" / "local" / "lib" / "python3.11"
    for path in ("../../bin/pip3", "ensurepip/__init__.py", "site-packages/pip/__init__.py", "json/__init__.py"):
        (library / path).parent.mkdir(parents=True, exist_ok=True)
        (library / path).touch()
    (tmp_path / "src").mkdir()
    for text in final.of("RUN"):
        _run(text, tmp_path)
    left = {str(path.relative_to(library)) for path in library.rglob("*") if path.is_file()}
    assert left == {"json/__init__.py", f"json/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"}
    assert list((tmp_path / "usr" / "local" / "bin").iterdir()) == []


def test_the_list_of_materials_names_everything(built: Path, tmp_path: Path) -> None:
    listed = subprocess.run(["make", "--dry-run", "sbom"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (command,) = (line for line in listed.splitlines() if "build/sbom.json" in line)
    # The environment of the image in place of one that is made in the same way.
    step = "--only-binary :all: --require-hashes --requirement requirements-image.lock"
    assert step in re.sub(r"[\s\\]+", " ", listed)
    assert step in re.sub(r"[\s\\]+", " ", (ROOT / "Containerfile").read_text("utf-8"))
    there = command.replace("build/image/", f"{built}/opt/lb-reconciler/").replace(
        "build/sbom.json", f"{tmp_path}/sbom.json"
    )
    assert there.count(f"{built}/") == 1
    there = there.replace(".venv/bin/python", sys.executable)
    subprocess.run(["/bin/sh", "-c", there], cwd=ROOT, capture_output=True, check=True)
    document = json.loads((tmp_path / "sbom.json").read_text("utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "lb-reconciler"
    named = {each["name"]: each["version"] for each in document["components"]}
    assert named == {name: version for name, (version, _) in _locked("requirements-image.lock").items()}
    # Only those that need nothing are not said to need something.
    needing = {each["ref"].partition("==")[0] for each in document["dependencies"] if each.get("dependsOn")}
    assert {"lb-reconciler", "aiohttp", "kubernetes"} <= needing
