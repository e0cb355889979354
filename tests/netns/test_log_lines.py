"""What a speaker has done to an address is one line: the Service, the address, the node and the revision."""

import re

from reconciler.model.desired import short_revision
from tests.netns.site import CONTROLLER, Site, until


async def test_an_address_that_comes_and_goes_is_two_lines_of_its_owner(site: Site) -> None:
    address = site.address("n2")
    name = await site.serve(address)
    await until(lambda: site.owners(address) == ["n2"], "n2 announces it")
    revision = short_revision(str(site.uses("n2")))
    assert len(revision) == 12
    fact = rf" services=\S+/{name} address={re.escape(address)} node=n2 "

    def lines(node: str, what: str) -> list[str]:
        found = re.findall(rf"^.*{fact}what={what} .*$", site.log(node), re.MULTILINE)
        return [line for line in found if line.endswith(f" revision={revision}")]

    await until(lambda: lines("n2", "announced"), "the line that it is announced")
    (given,) = await until(
        lambda: re.findall(rf"^.* service=\S+/{name} .*addresses={re.escape(address)} .*$", site.log(CONTROLLER), re.M),
        "the line that it was given",
    )
    assert f" revision={revision} " in given
    site.delete(name)
    await until(lambda: lines("n2", "withdrawn"), "the line that it is withdrawn, and whose it was")
    assert [len(lines("n2", what)) for what in ("announced", "withdrawn")] == [1, 1]
    assert address not in "\n".join(re.findall(r"^.* what=announced .*$", site.log("n1"), re.MULTILINE))
