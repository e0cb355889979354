"""The cluster that a command line names, read once."""

from reconciler.cli.options import ClusterChoice
from reconciler.cli.progress import Progress
from reconciler.cluster.directory import read_snapshot
from reconciler.model.observed import ObservedState


def observe(choice: ClusterChoice) -> ObservedState:
    """
    Everything that a decision may depend on.

    Raises:
        ClusterError: The cluster cannot be read.
    """
    with Progress() as progress:
        progress.doing("reading the cluster")
        if choice.directory is not None:
            return read_snapshot(choice.directory, namespace=choice.namespace)
        from reconciler.cluster.live import Target, observe_live  # noqa: PLC0415 - heavy, and offline work needs none

        return observe_live(Target(choice.kubeconfig, choice.context), namespace=choice.namespace)
