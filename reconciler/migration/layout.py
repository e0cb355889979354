"""Which object goes into which file, and in which order."""

from collections.abc import Iterable, Mapping

from reconciler.migration.manifests import Manifest, Text, write

# In the order in which a reader asks: which addresses, announced how, to whom.
FILES: Mapping[str, str] = {
    "IPAddressPool": "pools.yaml",
    "L2Advertisement": "l2-advertisements.yaml",
    "BGPAdvertisement": "bgp-advertisements.yaml",
    "BGPPeer": "peers.yaml",
    "BFDProfile": "bfd-profiles.yaml",
    "Community": "communities.yaml",
}


def lay_out(manifests: Iterable[Manifest]) -> dict[str, tuple[Manifest, ...]]:
    """The objects of each file, by its name; within a file they keep their order."""
    found = tuple(manifests)
    by_file = {file: tuple(m for m in found if m.kind == kind) for kind, file in FILES.items()}
    return {file: of_file for file, of_file in by_file.items() if of_file}


def write_files(manifests: Iterable[Manifest]) -> dict[str, Text]:
    """The text of each file, by its name."""
    return {file: write(of_file) for file, of_file in lay_out(manifests).items()}
