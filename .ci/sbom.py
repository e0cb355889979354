"""Lists what an environment has installed, as CycloneDX: `python .ci/sbom.py SITE-PACKAGES FILE`."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

_PROGRAM = "lb-reconciler"


def bill_of_materials(site: Path) -> Bom:
    """The program, what is installed beside it, and who needs whom."""
    found = {_name(each): each for each in distributions(path=[str(site)])}
    components = {name: _component(name, each) for name, each in found.items()}
    bom = Bom(components=[each for name, each in components.items() if name != _PROGRAM])
    bom.metadata.component = components[_PROGRAM]
    for name, each in found.items():
        bom.register_dependency(components[name], [components[need] for need in _needs(each) if need in components])
    # Neither the hour nor chance is of any interest: two runs give the same octets.
    versions = " ".join(sorted(f"{name}=={each.version}" for name, each in found.items()))
    bom.serial_number = uuid5(NAMESPACE_URL, versions)
    return bom


def written(bom: Bom) -> str:
    """As JSON, without the time at which it was made."""
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    return re.sub(r',?\n\s*"timestamp": "[^"]*"', "", text)


def _component(name: str, distribution: Distribution) -> Component:
    licence = distribution.metadata.json.get("license_expression")
    return Component(
        name=name,
        version=distribution.version,
        type=ComponentType.APPLICATION if name == _PROGRAM else ComponentType.LIBRARY,
        bom_ref=f"{name}=={distribution.version}",
        purl=PackageURL("pypi", name=name, version=distribution.version),
        licenses=[LicenseFactory().make_from_string(licence)] if isinstance(licence, str) else [],
    )


def _name(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def _needs(distribution: Distribution) -> Iterator[str]:
    for requirement in distribution.requires or ():
        # What belongs to an extra may be there for another reason; only what is needed anyway counts.
        if "extra ==" not in requirement:
            yield re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(written(bill_of_materials(Path(sys.argv[1]))) + "\n", encoding="utf-8")
