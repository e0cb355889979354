"""`import` of files, to a directory or to standard output."""

import ast
import io
import re
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import EXAMPLES, Run

_SAYING = {"error", "warning"}
LEGACY = """\
peers:
- my-asn: 64512
  peer-asn: 64513
  peer-address: 192.0.2.254
  # asked for by the auditors
  password: hunter2  # formerly hunter1
address-pools:
- name: gold
  protocol: bgp
  addresses: [192.0.2.0/28]
"""
WRITTEN = """\
old.yaml:6:3: warning[clear-password]: the password is carried over in clear text: import with --secrets FILE to have \
it in a Secret, before the directory goes anywhere
config/pools.yaml: 1 object
config/bgp-advertisements.yaml: 1 object
config/peers.yaml: 1 object
valid: 3 documents, 1 warning
next: reconciler diff --config config
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECONCILER_NAMESPACE", raising=False)
    (tmp_path / "old.yaml").write_text(LEGACY, "utf-8")
    return tmp_path


def _pass_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_a_directory_is_written_and_checked(reconciler: Run, work: Path) -> None:
    assert reconciler("import --legacy old.yaml --to config") == (0, WRITTEN, "")
    assert sorted(path.name for path in (work / "config").iterdir()) == [
        "bgp-advertisements.yaml",
        "peers.yaml",
        "pools.yaml",
    ]
    assert reconciler("validate config")[0] == 0
    assert reconciler("import --legacy old.yaml --to config") == (0, WRITTEN, "")


def test_a_file_that_differs_is_never_changed(reconciler: Run, work: Path) -> None:
    assert reconciler("import --legacy old.yaml --to config")[0] == 0
    (work / "config/peers.yaml").write_text("# mine\n", "utf-8")
    (work / "config/pools.yaml").unlink()
    assert reconciler("import --legacy old.yaml --to config") == (
        2,
        "",
        "reconciler: there already, and different: config/peers.yaml; nothing was written\n",
    )
    assert (work / "config/peers.yaml").read_text("utf-8") == "# mine\n"
    assert not (work / "config/pools.yaml").exists()


def test_what_is_there_already_is_part_of_the_verdict(reconciler: Run, work: Path) -> None:
    (work / "config").mkdir()
    kind = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n"
    (work / "config/mine.yaml").write_text(
        f"{kind}metadata: {{name: gold}}\nspec: {{addresses: [10.0.0.0/24]}}\n", "utf-8"
    )
    status, out, err = reconciler("import --legacy old.yaml --to config")
    assert (status, err) == (1, "")
    assert "config/pools.yaml:4:9: error[duplicate-name]" in out
    assert "  old.yaml:8:3: note: imported from here\n  config/mine.yaml:3:18: note: first defined here\n" in out
    assert out.endswith("next: mend the files, then: reconciler validate config\n")


def test_what_is_missing_is_an_error_with_its_place(reconciler: Run, work: Path) -> None:
    (work / "old.yaml").write_text(f"{LEGACY}peer-autodiscovery: {{}}\n", "utf-8")
    status, out, _ = reconciler("import old.yaml --to config")
    assert status == 1
    assert out.startswith("old.yaml:11:1: error[not-carried-over]: ")
    assert "valid, but not everything was carried over: 3 documents, 1 error, 1 warning\n" in out


def test_a_value_that_is_refused_names_the_line_that_it_came_from(reconciler: Run, work: Path) -> None:
    (work / "old.yaml").write_text(LEGACY.replace("192.0.2.0/28", "192.0.2.0"), "utf-8")
    status, out, _ = reconciler("import --legacy old.yaml --to config")
    assert status == 1
    assert "config/pools.yaml:7:7: error[invalid-cidr]" in out
    assert "  old.yaml:10:15: note: imported from here\n" in out


def test_standard_streams(reconciler: Run, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert work.is_dir()
    _pass_in(
        monkeypatch, LEGACY.replace("  password: hunter2  # formerly hunter1\n", "").replace("/28]", "/28]\n  odd: 1")
    )
    status, out, err = reconciler("import --legacy - --to -")
    assert status == 0
    assert out.count("\n---\n") == 2
    assert err.startswith("<stdin>:10:3: warning[unknown-field]: ")
    assert err.endswith("valid: 3 documents, 1 warning\n")
    _pass_in(monkeypatch, out)
    assert reconciler("validate -")[0] == 0


def test_a_password_is_never_printed(reconciler: Run, work: Path) -> None:
    status, out, err = reconciler("import --legacy old.yaml --to -")
    assert (status, out) == (2, "")
    assert "--secrets FILE" in err
    for line in ("import --legacy old.yaml --to config", "import old.yaml --to - --secrets secrets.yaml"):
        _, out, err = reconciler(line)
        assert "hunter" not in out + err
    (work / "old.yaml").write_text(LEGACY.replace("hunter2", "{hunter2: ["), "utf-8")
    _, out, err = reconciler("import --legacy old.yaml --to other")
    assert "hunter" not in out + err


def test_secrets_are_written_apart(reconciler: Run, work: Path) -> None:
    status, out, _ = reconciler("import --legacy old.yaml --to config --secrets secrets.yaml --namespace lb")
    assert status == 0
    assert "passwords: secrets.yaml; keep it out of the repository, and: kubectl apply -f secrets.yaml\n" in out
    assert "clear-password" not in out
    peers = (work / "config/peers.yaml").read_text("utf-8")
    assert "  # asked for by the auditors\n  passwordSecret:\n    name: peer-192-0-2-254-password\n" in peers
    assert "hunter" not in peers
    secrets = work / "secrets.yaml"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert secrets.read_text("utf-8") == (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: peer-192-0-2-254-password\n  namespace: lb\n"
        "type: kubernetes.io/basic-auth\nstringData:\n  password: hunter2\n"
    )
    secrets.write_text("# mine\n", "utf-8")
    status, _, err = reconciler("import --legacy old.yaml --to other --secrets secrets.yaml")
    assert (status, "different: secrets.yaml" in err) == (2, True)
    assert not (work / "other").exists()


def test_secrets_stay_out_of_the_configuration(reconciler: Run, work: Path) -> None:
    status, _, err = reconciler("import --legacy old.yaml --to config --secrets config/secrets.yaml")
    assert (status, "passwords stay out" in err) == (2, True)
    assert not (work / "config").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("import - --legacy - --to x", "standard input (-) can be read once", id="standard input twice"),
        pytest.param("import old.yaml --to x --context y", "belong to a live cluster", id="a cluster and a file"),
        pytest.param("import old.yaml", "--to", id="nowhere to write"),
        pytest.param("import nothing.yaml --to x", "nothing.yaml", id="a file that is not there"),
        pytest.param("import empty.yaml --to x", "no configuration of MetalLB in empty.yaml", id="nothing to import"),
        pytest.param("import latin.yaml --to x", "latin.yaml:2: not UTF-8", id="another encoding"),
        pytest.param("import old.yaml --to old.yaml", "old.yaml", id="a file in place of the directory"),
    ],
)
def test_what_cannot_be_done(reconciler: Run, work: Path, line: str, said: str) -> None:
    (work / "empty.yaml").write_text("a: 1\n", "utf-8")
    (work / "latin.yaml").write_bytes(b"a: 1\nb: \xfc\n")
    status, out, err = reconciler(line)
    assert (status, out) == (2, "")
    assert said in err
    assert not (work / "x").exists()


def test_the_bundled_scenario(reconciler: Run, work: Path) -> None:
    source = EXAMPLES / "migration"
    status, _, err = reconciler(f"import --legacy {source}/metallb/config.txt --to config --secrets secrets.yaml")
    assert (status, err) == (0, "")
    written = {path.name: path.read_text("utf-8") for path in (work / "config").iterdir()}
    assert written == {path.name: path.read_text("utf-8") for path in (source / "config").iterdir()}
    status, out, err = reconciler(f"diff --config {source}/config --cluster dir:{source}/cluster")
    assert (status, err) == (0, "")
    assert out.endswith("No changes: 2 Services kept.\n")


def test_both_kinds_of_secrets_are_named(reconciler: Run, work: Path) -> None:
    peer = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: tor}\n"
    spec = "spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, passwordSecret: {name: tor}}\n"
    (work / "new.yaml").write_text(peer + spec, "utf-8")
    _, out, _ = reconciler("import new.yaml --to alone --secrets secrets.yaml")
    assert "passwords" not in out
    assert not (work / "secrets.yaml").exists()
    assert "to be copied from metallb-system to lb-reconciler: tor\n" in out
    _, out, _ = reconciler("import new.yaml old.yaml --to both --secrets secrets.yaml")
    assert "passwords: secrets.yaml" in out
    assert "to be copied from metallb-system to lb-reconciler: tor\n" in out


def test_every_finding_is_explained() -> None:
    root = Path(__file__).parents[2]
    said = set[str]()
    for path in (root / "reconciler/migration").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _SAYING:
                said |= {str(arg.value) for arg in call.args[1:2] if isinstance(arg, ast.Constant)}
    documented = set(re.findall(r"`([a-z-]+)`", (root / "docs/migration.md").read_text("utf-8")))
    assert len(said) > 10
    assert said <= documented
