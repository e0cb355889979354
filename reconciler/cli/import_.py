"""`reconciler import`: MetalLB's objects, or the text of its former ConfigMap, to a directory of configuration."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from reconciler.cli.import_report import Outcome, write_outcome, write_problems
from reconciler.cli.options import wants_color
from reconciler.cli.places import Places
from reconciler.cli.report import Exit
from reconciler.cluster.live import Target
from reconciler.cluster.metallb import read_metallb
from reconciler.config.files import SourceFile, SourceSet, read_files
from reconciler.config.load import Loaded, load, load_sources
from reconciler.config.revision import digest
from reconciler.config.schema import load_schema
from reconciler.errors import ReconcilerError
from reconciler.migration.convert import Converted, convert
from reconciler.migration.findings import Findings
from reconciler.migration.layout import lay_out, write_files
from reconciler.migration.manifests import Manifest, Text, write
from reconciler.migration.nodes import Document, from_plain
from reconciler.migration.objects import VERSIONS, Schema
from reconciler.migration.reading import Source, read_documents
from reconciler.migration.secrets import clear_passwords, moved_apart, named_secrets
from reconciler.model.origin import Origin

STANDARD_STREAM = "-"
_OUR_NAMESPACE = "lb-reconciler"
_MODE, _SECRET_MODE = 0o666, 0o600  # less the umask


class MigrationError(ReconcilerError):
    """Nothing was written; the message says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """
    The command line.

    Without `files` and `legacy` the live cluster is read. `namespace` is our own, where Secrets will be;
    `metallb_namespace` is MetalLB's. `secrets` is a file for passwords that stand in clear text, None to leave them.
    """

    files: tuple[str, ...]
    legacy: str | None
    to: str
    secrets: str | None = None
    metallb_namespace: str = "metallb-system"
    namespace: str = _OUR_NAMESPACE
    kubeconfig: str | None = None
    context: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether the cluster is the source."""
        return not self.files and self.legacy is None


def run(options: Options) -> int:
    """
    Write the configuration, check it as `validate` would, and return the exit status: 1 where something is missing.

    Raises:
        ClusterError: The cluster cannot be read.
        FilesError: A source cannot be read.
        MigrationError: There is nothing to import, or something is in the way of what would be written.
    """
    findings = Findings()
    documents = _live(options) if options.is_live else _read(options, findings)
    found = convert(documents, schemas=_schema, namespace=options.metallb_namespace, findings=findings)
    if not found.manifests:
        _nothing(found, options)
    manifests, secrets = found.manifests, tuple[Manifest, ...]()
    if options.secrets is not None:
        manifests, secrets = moved_apart(manifests, options.namespace)
    elif options.to == STANDARD_STREAM and (peers := clear_passwords(manifests)):
        raise MigrationError(
            f"{peers[0]} has its password in clear text, which is never printed: write it apart with --secrets FILE, "
            "or write to a directory"
        )
    texts = write_files(manifests)
    if options.to == STANDARD_STREAM:
        _store_secrets(options, secrets)
        outcome = _outcome(options, replace(found, manifests=manifests), secrets, texts, _load_texts(texts))
        sys.stdout.write("---\n".join(text.text for text in texts.values()))
        write_outcome(outcome, sys.stderr, color=wants_color(sys.stderr))
    else:
        _refuse_overwriting(Path(options.to), texts)
        _store_secrets(options, secrets)
        _store(Path(options.to), texts)
        outcome = _outcome(options, replace(found, manifests=manifests), secrets, texts, load([options.to]))
        write_outcome(outcome, sys.stdout, color=wants_color(sys.stdout))
    return Exit.NOTHING if outcome.is_complete else Exit.FOUND


def _schema(kind: str) -> Schema:
    version = VERSIONS[kind][0].partition("/")[2]
    return load_schema(f"{kind.lower()}_{version}.json")


def _live(options: Options) -> list[Document]:
    target = Target(options.kubeconfig, options.context)
    found = []
    for made in read_metallb(target, namespace=options.metallb_namespace):
        name = f"{made['kind']} {options.metallb_namespace}/{made['metadata']['name']}"
        found.append(Document(from_plain(made, Origin(name, 0, 0))))
    return found


def _read(options: Options, findings: Findings) -> list[Document]:
    """Every document of the files, in the order of the command line, those of a directory by path."""
    paths = (*options.files, *(() if options.legacy is None else (options.legacy,)))
    found: list[Document] = []
    for path in paths:
        read = read_files([path])
        findings.add(read.problems)
        places = Places([path])
        for file in read.files:
            text = _decoded(file, places)
            found += read_documents(Source(places.find(file.path), text), findings)
    return found


def _decoded(file: SourceFile, places: Places) -> str:
    try:
        return file.data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = file.data[: exc.start].count(b"\n") + 1
        raise MigrationError(f"{places.find(file.path)}:{line}: not UTF-8: save the file as UTF-8") from exc


def _nothing(found: Converted, options: Options) -> None:
    write_problems(found.problems, sys.stderr, color=wants_color(sys.stderr))
    sources = (*options.files, *filter(None, (options.legacy,)))
    where = f"namespace {options.metallb_namespace}" if options.is_live else ", ".join(sources)
    hint = "; --metallb-namespace names another" if options.is_live else ""
    raise MigrationError(f"there is no configuration of MetalLB in {where}{hint}")


def _load_texts(texts: dict[str, Text]) -> Loaded:
    files = tuple(SourceFile(name, text.text.encode()) for name, text in sorted(texts.items()))
    return load_sources(SourceSet(files, digest(files)))


def _outcome(
    options: Options, found: Converted, secrets: Sequence[Manifest], texts: dict[str, Text], loaded: Loaded
) -> Outcome:
    """The report; `found` with the objects as they were written, `secrets` those that were written apart."""
    clear = (peer.spec.entry("password") for peer in clear_passwords(found.manifests))
    apart = {made.name for made in secrets}
    return Outcome(
        found=found.problems,
        loaded=loaded,
        texts=texts,
        files={name: len(of_file) for name, of_file in lay_out(found.manifests).items()},
        foreign=found.foreign,
        to=options.to,
        clear_passwords=tuple(entry.origin for entry in clear if entry is not None),
        secrets_file=options.secrets if secrets else None,
        secrets=tuple(name for name in named_secrets(found.manifests) if name not in apart),
        namespace=options.namespace,
        metallb_namespace=options.metallb_namespace,
        cluster_options=_cluster_options(options),
    )


def _cluster_options(options: Options) -> str:
    """What `diff` has to be told to look at the same cluster."""
    named = (("--kubeconfig", options.kubeconfig), ("--context", options.context), ("--namespace", options.namespace))
    return "".join(f" {option} {quote(value)}" for option, value in named if value and value != _OUR_NAMESPACE)


def _refuse_overwriting(directory: Path, texts: dict[str, Text]) -> None:
    """Whoever imports twice gets the same, or is told what is in the way; nobody's work is written over."""
    try:
        differing = [
            str(directory / name)
            for name, text in texts.items()
            if (directory / name).exists() and (directory / name).read_bytes() != text.text.encode()
        ]
    except OSError as exc:
        raise MigrationError(f"{directory}: cannot be compared: {exc.strerror or exc}") from exc
    if directory.exists() and not directory.is_dir():
        raise MigrationError(f"{directory} is no directory")
    if differing:
        raise MigrationError(f"there already, and different: {', '.join(differing)}; nothing was written")


def _store(directory: Path, texts: dict[str, Text]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            if not (directory / name).exists():
                _write(directory / name, text.text, mode=_MODE)
    except OSError as exc:
        raise MigrationError(f"{exc.filename or directory}: cannot be written: {exc.strerror or exc}") from exc


def _store_secrets(options: Options, secrets: Sequence[Manifest]) -> None:
    if options.secrets is None or not secrets:
        return
    path, directory = Path(options.secrets).resolve(), Path(options.to).resolve()
    if options.to != STANDARD_STREAM and path.is_relative_to(directory):
        raise MigrationError(f"{options.secrets} is inside {options.to}: passwords stay out of the configuration")
    text = write(secrets).text
    try:
        if path.exists():
            if path.read_text(encoding="utf-8") == text:
                return
            raise MigrationError(f"there already, and different: {options.secrets}; nothing was written")
        _write(path, text, mode=_SECRET_MODE)
    except OSError as exc:
        raise MigrationError(f"{options.secrets}: cannot be written: {exc.strerror or exc}") from exc


def _write(path: Path, text: str, *, mode: int) -> None:
    """Only where nothing is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
