"""
What was seen of the API server from outside, as a record of who held which address: read from raw events. No I/O.

Nothing of the program under test is used here, neither its code nor its word.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pool:
    """What the files say of one pool."""

    name: str
    addresses: frozenset[str]
    auto: bool = True


@dataclass(frozen=True, slots=True)
class Files:
    """One state of the files, in force from `revision` on at the earliest; one that is `held` takes nothing away."""

    revision: int
    pools: tuple[Pool, ...]
    held: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What a Service asks for, as far as its addresses depend on it; `is_ours`: of the type and the class."""

    is_ours: bool = True
    families: tuple[str, ...] = ("IPv4",)
    pool: str = ""
    addresses: frozenset[str] = frozenset()
    key: str = ""
    ports: frozenset[tuple[str, int]] = frozenset({("TCP", 80)})


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a Service. `created` is when, in whole seconds as the API server writes them."""

    name: str
    created: str
    demand: Demand
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A Service was made, written or deleted: `after` is None then. `seconds` is when we learned of it."""

    revision: int
    seconds: float
    uid: str
    before: Version | None
    after: Version | None


@dataclass(frozen=True, slots=True)
class Reign:
    """Somebody else holds the Lease from now on; `holder` is empty when nobody does."""

    revision: int
    seconds: float
    holder: str


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that was seen, each in order of revision."""

    changes: tuple[Change, ...] = ()
    files: tuple[Files, ...] = ()
    reigns: tuple[Reign, ...] = ()

    def standing(self) -> dict[str, Version]:
        """The last version of each Service that is there, by uid."""
        found: dict[str, Version] = {}
        for change in self.changes:
            play(change, found)
        return found


# Reading


def record_of(seen: Iterable[tuple[float, Object]], lb_class: str) -> Record:
    """
    Args:
        seen: Events of watches on Services, on the Lease and on ConfigMaps whose `data` is what `files_data` makes,
            each with the second in which it was seen; in any order.
        lb_class: That of the controller; Services of others are recorded as not ours.
    """
    events = sorted(seen, key=lambda item: _revision(item[1]))
    changes: list[Change] = []
    reigns: list[Reign] = []
    files: list[Files] = []
    known: dict[str, Version] = {}
    for seconds, event in events:
        body = event["object"]
        match body["kind"]:
            case "Service":
                uid = body["metadata"]["uid"]
                after = None if event["type"] == "DELETED" else _version(body, lb_class)
                change = Change(_revision(event), seconds, uid, known.get(uid), after)
                play(change, known)
                changes.append(change)
            case "Lease":
                holder = body["spec"].get("holderIdentity") or ""
                if not reigns or reigns[-1].holder != holder:
                    reigns.append(Reign(_revision(event), seconds, holder))
            case "ConfigMap" if "pools" in body.get("data", {}):
                files.append(_files(_revision(event), body["data"]))
    return Record(tuple(changes), tuple(files), tuple(reigns))


def files_data(pools: Iterable[Pool], *, held: bool = False) -> dict[str, str]:
    """The `data` of a ConfigMap that says what the files will say; written before they do."""
    lines = (f"{pool.name} {'auto' if pool.auto else 'asked'} {' '.join(sorted(pool.addresses))}" for pool in pools)
    return {"pools": "\n".join(lines), "held": "true" if held else "false"}


def _files(revision: int, data: dict[str, str]) -> Files:
    words = [line.split() for line in data["pools"].splitlines()]
    pools = tuple(Pool(name, frozenset(addresses), auto == "auto") for name, auto, *addresses in words)
    return Files(revision, pools, held=data["held"] == "true")


def _version(body: Object, lb_class: str) -> Version:
    metadata, spec = body["metadata"], body["spec"]
    marks = metadata.get("annotations", {})
    asked = marks.get("metallb.io/loadBalancerIPs", "")
    demand = Demand(
        is_ours=spec["type"] == "LoadBalancer" and spec.get("loadBalancerClass") == lb_class,
        families=tuple(spec["ipFamilies"]),
        pool=marks.get("metallb.io/address-pool", ""),
        addresses=frozenset(filter(None, asked.split(","))),
        key=marks.get("metallb.io/allow-shared-ip", ""),
        ports=frozenset((port["protocol"], port["port"]) for port in spec["ports"]),
    )
    ingress = body["status"]["loadBalancer"].get("ingress", [])
    return Version(metadata["name"], metadata["creationTimestamp"], demand, tuple(entry["ip"] for entry in ingress))


def _revision(event: Object) -> int:
    return int(event["object"]["metadata"]["resourceVersion"])


def play(change: Change, standing: dict[str, Version]) -> None:
    if change.after is None:
        standing.pop(change.uid, None)
    else:
        standing[change.uid] = change.after
