"""What is installed from a built wheel works without the checkout beside it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a wheel built from this checkout, and nothing else of it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*build, str(folder), str(ROOT)], check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def _run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "reconciler", *arguments]
    return subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, check=False)


def test_every_room_is_in_the_wheel(installed: Path) -> None:
    shipped = {str(path.relative_to(installed)) for path in (installed / "reconciler").rglob("*.py")}
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "reconciler").rglob("*.py")}
    assert shipped == expected


def test_the_schemas_are_in_the_wheel(installed: Path) -> None:
    shipped = {path.name for path in (installed / "reconciler" / "schemas").glob("*.json")}
    assert shipped == {path.name for path in (ROOT / "schemas").glob("*.json")}
    assert shipped


def test_the_page_is_in_the_wheel(installed: Path) -> None:
    page = Path("reconciler", "telemetry", "page")
    shipped = {path.name for path in (installed / page).iterdir()}
    assert shipped == {path.name for path in (ROOT / page).iterdir()}
    assert "index.html" in shipped


def test_an_installed_copy_reads_its_own_schemas(installed: Path) -> None:
    where = "import reconciler.config.schema as s; print(s.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    found = subprocess.run([sys.executable, "-c", where], env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(installed)
    finished = _run(installed, "validate", str(ROOT / "config-examples" / "teams"))
    assert (finished.returncode, finished.stderr) == (0, "")


def test_the_demo_runs_from_an_installed_copy(installed: Path) -> None:
    finished = _run(installed, "demo")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "[exit status 3]" in finished.stdout
