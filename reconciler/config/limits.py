"""How much a file may ask of us. Far above what people write, far below what would hurt."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Bounds on one file.

    `octets`, `documents`, `broken` (documents that cannot be read) and `nodes` are for the file; `depth` (of nesting),
    `document_nodes` and `problems` for each document. Nodes count what an alias stands for every time it is used, and
    a long scalar as one node more per `SCALAR_CHUNK` characters. `scalar` is in characters, and so is
    `slowly`: how much of a file may be read by the parser in Python, six microseconds a character.
    """

    octets: int
    documents: int
    broken: int
    nodes: int
    document_nodes: int
    depth: int
    scalar: int
    problems: int
    slowly: int


SCALAR_CHUNK = 128

# Ten thousand typical documents in one file are 5 MB and half a million nodes.
CONFIGURATION = Limits(
    octets=8 << 20,
    documents=20_000,
    broken=100,
    nodes=1_000_000,
    document_nodes=250_000,
    depth=100,
    scalar=2 << 20,
    problems=100,
    slowly=256 << 10,
)

# A cluster with a hundred thousand Services in one List is one document.
CLUSTER = Limits(
    octets=1 << 30,
    documents=1_000_000,
    broken=100,
    nodes=20_000_000,
    document_nodes=20_000_000,
    depth=100,
    scalar=16 << 20,
    problems=100,
    slowly=2 << 20,
)

# A ConfigMap in a List in a ConfigMap in a List: nobody needs more.
CONTAINER_DEPTH = 4
