"""What the roles of a cluster have published of themselves, as far as a command wants it beside its own findings."""

from pathlib import Path
from urllib.parse import unquote

from reconciler.cli.options import ClusterChoice
from reconciler.cluster.directory import status_directory
from reconciler.cluster.port import ClusterError
from reconciler.telemetry.speaker_condition import speakers_among
from reconciler.telemetry.speaker_status import SpeakerStatus


def published_below(directory: str) -> dict[str, bytes]:
    """
    The documents beside plain manifests, by name.

    Raises:
        ClusterError: One of them cannot be read.
    """
    try:
        found = status_directory(Path(directory)).glob("[!.]*.json")
        return {unquote(path.stem): path.read_bytes() for path in found}
    except OSError as exc:
        raise ClusterError(f"{exc.filename}: {exc.strerror}") from exc


def speakers_of(choice: ClusterChoice) -> tuple[SpeakerStatus, ...]:
    """
    What the speakers of that class have published, by node; what is no document of theirs is passed over.

    Raises:
        ClusterError: The cluster cannot be read.
    """
    if choice.directory is not None:
        documents = published_below(choice.directory)
    else:
        from reconciler.cluster.live import Target, published_live  # noqa: PLC0415 - heavy

        documents = dict(published_live(Target(choice.kubeconfig, choice.context), namespace=choice.namespace))
    found = speakers_among(documents.values())
    return tuple(sorted((s for s in found if s.lb_class == choice.lb_class), key=lambda status: status.node))
