"""
The BFD sessions of this node's BGP peers: one endpoint for each port and VRF, open while it has sessions.

Two peers at one address share a session, because there is one path to watch (RFC 5882 section 2).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.announcers.bgp_parameters import Track, most_demanding
from reconciler.bfd.intervals import Parameters
from reconciler.bfd.packets import State
from reconciler.bfd.session import Event
from reconciler.bfd.sockets import SocketError
from reconciler.bfd.transport import Counts, Endpoint, Neighbor

OnEvent = Callable[[Event], None]


class Watch:
    """One peer's share in a BFD session."""

    def __init__(self, shared: "_Shared", parameters: Parameters, on_event: OnEvent) -> None:
        self._shared = shared
        self.parameters = parameters
        self.on_event = on_event

    @property
    def track(self) -> Track:
        """Where the packets go."""
        return self._shared.track

    @property
    def state(self) -> State:
        """Of the session at this moment."""
        return self._shared.neighbor.state

    def counts(self) -> Counts:
        """Packets of the session, whoever shares it."""
        return self._shared.neighbor.counts()

    def change(self, parameters: Parameters) -> None:
        """Keep it by other parameters; it goes on."""
        if parameters != self.parameters:
            self.parameters = parameters
            self._shared.adjust()

    def close(self) -> None:
        """Not needed any more: the last one to say so ends the session, which tells the other side that it is over."""
        self._shared.leave(self)


@dataclass(slots=True, eq=False)
class _Shared:
    sessions: "BFDSessions"
    track: Track
    watches: list[Watch] = field(default_factory=list)
    neighbor: Neighbor = field(init=False)

    def parameters(self) -> Parameters:
        return most_demanding(tuple(watch.parameters for watch in self.watches))

    def report(self, event: Event) -> None:
        for watch in tuple(self.watches):
            watch.on_event(event)

    def adjust(self) -> None:
        self.neighbor.change(self.parameters())

    def leave(self, watch: Watch) -> None:
        if watch not in self.watches:
            return
        self.watches.remove(watch)
        if self.watches:
            self.adjust()
        else:
            self.neighbor.close()
            self.sessions.forget(self.track)


class BFDSessions:
    """All of them; used in the event loop."""

    def __init__(self, open_endpoint: Callable[[int, str | None], Endpoint] | None = None) -> None:
        """
        Args:
            open_endpoint: Listens on a port, in a VRF or None; raises SocketError.
        """
        self._open_endpoint = open_endpoint or _open_endpoint
        self._endpoints: dict[tuple[int, str | None], Endpoint] = {}
        self._shared: dict[Track, _Shared] = {}

    def watch(self, track: Track, parameters: Parameters, on_event: OnEvent) -> Watch:
        """
        Have a path watched.

        Args:
            track: The path.
            parameters: As this peer wants them; whoever wants more gets more.
            on_event: Called in the event loop. Of a session that exists already only what follows is told.

        Raises:
            SocketError: The port is taken, or no socket can be had toward the peer.
            PathError: Another session could not be told from this one.
        """
        shared = self._shared.get(track)
        if shared is not None:
            watch = Watch(shared, parameters, on_event)
            shared.watches.append(watch)
            shared.adjust()
            return watch
        shared = _Shared(self, track)
        watch = Watch(shared, parameters, on_event)
        shared.watches.append(watch)
        endpoint = self._endpoint(track)
        try:
            shared.neighbor = endpoint.open(track.path, parameters, shared.report)
        except BaseException:
            self._close_unused()
            raise
        self._shared[track] = shared
        return watch

    def forget(self, track: Track) -> None:
        """A session has ended."""
        self._shared.pop(track, None)
        self._close_unused()

    def close(self) -> None:
        """End every session, and give the ports back."""
        self._shared.clear()
        self._close_unused()

    def _endpoint(self, track: Track) -> Endpoint:
        key = track.port, track.device
        endpoint = self._endpoints.get(key)
        if endpoint is None:
            endpoint = self._endpoints[key] = self._open_endpoint(*key)
        return endpoint

    def _close_unused(self) -> None:
        used = {(track.port, track.device) for track in self._shared}
        for key in [key for key in self._endpoints if key not in used]:
            self._endpoints.pop(key).close()


def _open_endpoint(port: int, device: str | None) -> Endpoint:
    try:
        return Endpoint(port, device=device)
    except SocketError as exc:
        advice = "another program on this node has it, such as FRR's bfdd or BIRD"
        raise SocketError(f"{exc}: {advice}" if "in use" in str(exc) else str(exc)) from exc
