"""`validate` of many documents as a whole process, beside a process that only parses the same files."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, median_run, reconciler

SIZES = (1_000, 10_000)
_DOCUMENTS_PER_FILE = 50

_FLOOR = """
import sys, pathlib
from ruamel.yaml import YAML
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    for event in YAML(typ="safe").parse(path.read_bytes()):
        pass
"""


def rows() -> Iterator[Row]:
    """One row a size."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write_configuration(Path(folder), size)
            measured = median_run(reconciler("validate", folder))
            floor = median_run([sys.executable, "-c", _FLOOR, folder])
        yield Row("validate, whole process", size, measured.seconds, floor.seconds, measured.peak_mib)


def write_configuration(folder: Path, documents: int) -> None:
    """Half pools, half advertisements of them, fifty documents a file."""
    texts = [_pool(n) if n % 2 == 0 else _advertisement(n - 1) for n in range(documents)]
    for first in range(0, documents, _DOCUMENTS_PER_FILE):
        text = "---\n".join(texts[first : first + _DOCUMENTS_PER_FILE])
        (folder / f"part-{first:06}.yaml").write_text(text, encoding="utf-8")


def _pool(number: int) -> str:
    network = f"10.{number >> 8 & 255}.{number & 255}"
    return f"""\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: pool-{number}
  namespace: metallb-system
  labels:
    tier: "{number % 7}"
spec:
  addresses:
    - {network}.0/25
    - {network}.128-{network}.200
  autoAssign: true
  avoidBuggyIPs: true
  serviceAllocation:
    priority: {number % 50}
    namespaces:
      - team-{number % 100}
    namespaceSelectors:
      - matchLabels:
          tier: front
"""


def _advertisement(pool: int) -> str:
    return f"""\
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: advertisement-{pool}
  namespace: metallb-system
spec:
  ipAddressPools:
    - pool-{pool}
  nodeSelectors:
    - matchLabels:
        rack: "{pool % 10}"
    - matchExpressions:
        - key: kubernetes.io/hostname
          operator: In
          values: [worker-1, worker-2]
  interfaces:
    - eth0
    - eth1
"""
