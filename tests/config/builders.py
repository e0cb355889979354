"""Configurations as texts, so that a row of a table is a few lines of YAML."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

from reconciler.config.files import SourceFile, SourceSet
from reconciler.config.load import Loaded, load_sources
from reconciler.model.desired import DesiredState
from reconciler.model.origin import Problem, Severity

EVERYWHERE = "apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: everywhere}\n"


def manifest(kind: str, name: str, spec: str = "", *, api_version: str = "metallb.io/v1beta1", labels: str = "") -> str:
    """A document; `spec` is YAML of any indentation, `labels` a flow mapping."""
    labelled = f", labels: {labels}" if labels else ""
    body = indent(dedent(spec).strip(), "  ")
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}{labelled}}}\n" + (
        f"spec:\n{body}\n" if body else ""
    )


def pool(name: str, *entries: str, labels: str = "", extra: str = "") -> str:
    """An IPAddressPool; `extra` are further fields of its spec."""
    addresses = "".join(f'\n- "{entry}"' for entry in entries)
    spec = f"{dedent(extra).strip()}\naddresses:{addresses if entries else ' []'}"
    return manifest("IPAddressPool", name, spec, labels=labels)


def peer(name: str, spec: str = "") -> str:
    """A BGPPeer of AS 64500, of which `spec` may say more."""
    return manifest("BGPPeer", name, f"myASN: 64512\n{dedent(spec).strip()}", api_version="metallb.io/v1beta2")


def session(name: str, address: str = "192.0.2.254", more: str = "") -> str:
    """A BGPPeer that is complete."""
    return peer(name, f"peerASN: 64500\npeerAddress: {address}\n{dedent(more).strip()}")


def load_texts(*documents: str) -> Loaded:
    """What the documents, in one file `config.yaml`, say."""
    return load_files({"config.yaml": "---\n".join(documents)})


def load_files(texts: Mapping[str, str]) -> Loaded:
    """What files, by path, say."""
    sources = tuple(SourceFile(path, text.encode()) for path, text in texts.items())
    return load_sources(SourceSet(sources, "sha256:" + "0" * 64))


def load_folder(path: Path) -> Loaded:
    """What a file or all files of a directory say."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in {".yaml", ".yml", ".json"})
    root = path.parent if path.is_file() else path
    return load_files({file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files})


def desired(*documents: str) -> DesiredState:
    """The state of documents without an error."""
    loaded = load_texts(*documents)
    assert loaded.desired is not None, written(loaded.problems)
    return loaded.desired


def errors(*documents: str) -> list[Problem]:
    """The errors in documents."""
    return [problem for problem in load_texts(*documents).problems if problem.severity is Severity.ERROR]


def written(problems: tuple[Problem, ...]) -> list[str]:
    """Problems as lines, for comparing and for failing tests."""
    return [f"{p.origin} {p.severity.value} {p.code} {p.message}" for p in problems]
