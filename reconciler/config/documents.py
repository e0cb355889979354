"""
Turns the octets of a file into documents whose every value knows its line and column.

What the documents mean is left to `kinds`; which files there are is the business of `files`.
"""

from reconciler.config.containers import Opened, open_containers
from reconciler.config.document import Document, Parsed
from reconciler.config.limits import CLUSTER, CONFIGURATION
from reconciler.config.parser import parse_text
from reconciler.config.positions import Positions
from reconciler.config.stream import decode
from reconciler.model.origin import Origin, Problem

__all__ = ["Document", "Opened", "Parsed", "open_containers", "parse_documents"]


def parse_documents(path: str, data: bytes, *, strict: bool = True) -> Parsed:
    """
    Read every document of a YAML or JSON file. Empty documents are left out.

    Args:
        path: Named in every origin.
        data: The file; UTF-8.
        strict: Report scalars and keys that YAML 1.1 and 1.2 read differently. Manifests of a cluster are not ours
            to complain about; for them it is off, and they may be larger.
    """
    limits = CONFIGURATION if strict else CLUSTER
    if len(data) > limits.octets:
        message = f"this file has {len(data)} octets; at most {limits.octets} are allowed"
        return Parsed((), (Problem(Origin(path, 1, 1), "yaml-too-large", message),))
    text, findings = decode(data)
    return parse_text(Positions(path, text), findings, strict=strict, limits=limits)
