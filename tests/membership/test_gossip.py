"""The speakers' group on the loopback, with the library itself."""

import asyncio
import logging
import random
import socket
import threading
import time

import pytest

from reconciler.cluster.port import ClusterError
from reconciler.membership.facts import Facts
from reconciler.membership.gossip import GossipError
from reconciler.model.observed import InterfaceName, Link, NodeName
from tests.membership.group import PATIENCE, READY, Member, joined, started, until

LONG = "worker-" + "x" * 240


def free_port() -> int:
    """A port that nobody has at present, over TCP and UDP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        return port


async def test_members_know_each_other_by_name_address_and_run() -> None:
    n1, n2, n3 = Member("n1"), Member("n2"), Member("n3")
    async with joined(n1, n2, n3):
        for member in (n1, n2, n3):
            peers = member.gossip.peers()
            assert [peer.node for peer in peers] == ["n1", "n2", "n3"]
            assert {peer.address for peer in peers} == {"127.0.0.1"}
            assert all(peer.epoch > 0 and not peer.is_suspect for peer in peers)
            assert all(peer.facts == Facts() for peer in peers)
        assert n1.peer("n2") == n3.peer("n2") == n2.peer("n2")
        await until(lambda: "n3 joined" in n1.told.reasons)


async def test_a_node_of_any_name_is_a_member() -> None:
    n1, other = Member("n1"), Member(LONG)
    async with joined(n1, other):
        await other.gossip.publish(READY)
        await until(lambda: n1.facts(LONG) == READY)
        assert await n1.gossip.send(NodeName(LONG), b"hello")
        await until(lambda: bool(other.told.messages))


async def test_alone_at_once_where_there_is_nobody_else() -> None:
    n1 = Member("n1", join_timeout=60)
    async with started(n1):
        assert await asyncio.wait_for(n1.gossip.join(), 10)
        assert n1.names == ["n1"]


async def test_this_node_does_not_ask_itself() -> None:
    n1 = Member("n1", port=free_port(), join_timeout=60)
    async with started(n1):
        # Also where its own is a seed without a port.
        n1.seeds = [n1.gossip.address, "127.0.0.1"]
        assert await asyncio.wait_for(n1.gossip.join(), 10)


async def test_alone_with_a_warning_where_nobody_answers(caplog: pytest.LogCaptureFixture) -> None:
    n1 = Member("n1", seeds=[f"127.0.0.1:{free_port()}"], join_timeout=0.3)
    async with started(n1):
        assert not await n1.gossip.join()
        assert n1.names == ["n1"]
    assert "going on alone" in caplog.text


async def test_who_went_on_alone_finds_the_others_later() -> None:
    port = free_port()
    n1, n2 = Member("n1", seeds=[f"127.0.0.1:{port}"], join_timeout=0.2), Member("n2", port=port)
    async with started(n1):
        assert not await n1.gossip.join()
        async with started(n2):
            await until(lambda: n1.names == n2.names == ["n1", "n2"])


@pytest.mark.parametrize("error", [ClusterError("the API server is away"), OSError("no route"), TimeoutError()])
async def test_unreadable_seeds_are_read_again(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    n1, n2 = Member("n1"), Member("n2", join_timeout=30)
    async with started(n1, n2):
        n2.seeds = error
        joining = asyncio.create_task(n2.gossip.join())
        await until(lambda: n2.reads > 1)
        n2.seeds = [n1.gossip.address]
        assert await joining
    assert "seeds of the group cannot be read" in caplog.text


async def test_seeds_that_cannot_be_read_are_no_proof_that_nobody_is_there() -> None:
    n1 = Member("n1", join_timeout=0.2)
    n1.seeds = OSError("no route")
    async with started(n1):
        assert not await n1.gossip.join()


async def test_one_seed_that_answers_is_enough() -> None:
    n1, n2 = Member("n1"), Member("n2")
    silent = socket.create_server(("127.0.0.1", 0))
    with silent:
        async with started(n1, n2):
            nobody = f"127.0.0.1:{silent.getsockname()[1]}"
            n2.seeds = [nobody, "no-such-host.invalid", "nonsense:port:1", n1.gossip.address]
            assert await n2.gossip.join()
            assert n2.names == ["n1", "n2"]


async def test_facts_are_known_to_all() -> None:
    n1, n2, n3 = Member("n1"), Member("n2"), Member("n3")
    async with joined(n1, n2, n3):
        said = Facts(
            loaded="0123456789ab",
            in_use="ba9876543210",
            is_ready=True,
            restart_grace=2.5,
            links=frozenset({Link(InterfaceName("eth0"), carrier=False), Link(InterfaceName("eth1"))}),
            others_up=False,
            macs=frozenset({bytes(6)}),
        )
        await n1.gossip.publish(said)
        assert n1.facts("n1") == said
        await until(lambda: n2.facts("n1") == n3.facts("n1") == said)
        await until(lambda: "n1 has news of itself" in n2.told.reasons)


async def test_who_joins_later_knows_them_too() -> None:
    n1, n2 = Member("n1"), Member("n2")
    async with started(n1, n2):
        await n1.gossip.publish(READY)
        n2.seeds = [n1.gossip.address]
        assert await n2.gossip.join()
        assert n2.facts("n1") == READY


async def test_the_last_of_many_facts_stands() -> None:
    n1, n2 = Member("n1"), Member("n2")
    async with joined(n1, n2):
        for number in range(100):
            await n1.gossip.publish(Facts(loaded=f"{number:012}"))
        await until(lambda: n2.facts("n1") == Facts(loaded="000000000099"))
        # What was on its way is older, and changes nothing any more.
        await until(lambda: "n1 has news of itself" in n2.told.reasons)
        await asyncio.sleep(0.3)
        assert n2.facts("n1") == Facts(loaded="000000000099")
        assert n2.told.reasons.count("n1 has news of itself") <= 100


async def test_saying_the_same_again_is_no_news() -> None:
    n1, n2 = Member("n1"), Member("n2")
    async with joined(n1, n2):
        await n1.gossip.publish(READY)
        await n1.gossip.publish(READY)
        await n1.gossip.publish(Facts(loaded="0123456789ab"))
        await until(lambda: n2.facts("n1") == Facts(loaded="0123456789ab"))
        assert n2.told.reasons.count("n1 has news of itself") <= 2


async def test_messages_arrive_with_their_sender_and_its_run() -> None:
    n1, n2, n3 = Member("n1"), Member("n2"), Member("n3")
    async with joined(n1, n2, n3):
        peer = n2.peer("n1")
        assert peer is not None
        assert await n1.gossip.send(NodeName("n2"), b"to one")
        await until(lambda: n2.told.messages == [(NodeName("n1"), peer.epoch, b"to one")])
        await n1.gossip.send_all(b"to all")
        await until(lambda: (NodeName("n1"), peer.epoch, b"to all") in n2.told.messages)
        await until(lambda: n3.told.messages == [(NodeName("n1"), peer.epoch, b"to all")])
        assert n1.told.messages == []


async def test_a_large_message_arrives() -> None:
    n1, n2 = Member("n1"), Member("n2")
    async with joined(n1, n2):
        data = random.randbytes(60_000)  # noqa: S311
        assert await n1.gossip.send(NodeName("n2"), data)
        await until(lambda: [said for _, _, said in n2.told.messages] == [data])


async def test_nobody_is_told_anything_who_is_not_there() -> None:
    n1, n2 = Member("n1"), Member("n2")
    async with joined(n1, n2):
        assert not await n1.gossip.send(NodeName("n9"), b"hello")
        assert not await n1.gossip.send(NodeName("n1"), b"hello")
        await n2.gossip.leave(5)
        await until(lambda: n1.names == ["n1"])
        assert not await n1.gossip.send(NodeName("n2"), b"hello")
        await n1.gossip.send_all(b"hello")
        await n1.gossip.publish(READY)


async def test_who_leaves_is_known_to_have_left() -> None:
    n1, n2, n3 = Member("n1"), Member("n2"), Member("n3")
    async with joined(n1, n2, n3):
        await n2.gossip.publish(Facts(is_ready=True, restart_grace=60))
        await until(lambda: n1.facts("n2") == n3.facts("n2") == Facts(is_ready=True, restart_grace=60))
        await n2.gossip.leave(5)
        await until(lambda: n1.names == n3.names == ["n1", "n3"])
        await until(lambda: "n2 left" in n1.told.reasons and "n2 left" in n3.told.reasons)
        assert set(n1.gossip.attendance.absent) == {"n2"}
        assert n1.gossip.attendance.deadline(time.monotonic()) is not None
        assert n1.gossip.attendance.reunions == 0


async def test_who_leaves_counts_until_the_news_of_it_is_read() -> None:
    n1 = Member("n1")
    told, gone = threading.Event(), threading.Event()

    async def restart_at_once() -> None:
        n2 = Member("n2", seeds=[n1.gossip.address])
        async with started(n2):
            await n2.gossip.join()
            await n2.gossip.publish(Facts(is_ready=True, restart_grace=60))
            await asyncio.to_thread(told.wait)
            await n2.gossip.leave(5)

    def run() -> None:
        asyncio.run(restart_at_once())
        gone.set()

    async with started(n1):
        elsewhere = threading.Thread(target=run)
        elsewhere.start()
        await until(lambda: n1.facts("n2") == Facts(is_ready=True, restart_grace=60))
        await until(lambda: "n2 joined" in n1.told.reasons)
        told.set()
        # This loop stands still meanwhile, as it may for a moment before any pass.
        assert gone.wait(PATIENCE)
        assert n1.names == ["n1", "n2"]
        assert not n1.gossip.attendance.absent
        while n1.names != ["n1"]:
            await asyncio.sleep(0)
        assert set(n1.gossip.attendance.absent) == {"n2"}
        elsewhere.join()


async def test_who_stops_without_a_word_is_dead_and_comes_back_as_another_run() -> None:
    port = free_port()
    n1, n2 = Member("n1"), Member("n2", port=port)
    async with joined(n1, n2):
        before = n1.peer("n2")
        await n2.gossip.close()
        await until(lambda: "n2 is dead" in n1.told.reasons)
        assert n1.names == ["n1"]
        again = Member("n2", port=port)
        async with started(again):
            # It has no seeds: the others look for whoever died.
            await until(lambda: n1.names == again.names == ["n1", "n2"])
            after = n1.peer("n2")
            assert before is not None
            assert after is not None
            assert after.epoch > before.epoch
            await until(lambda: n1.gossip.attendance.reunions == 1)


async def test_a_restart_faster_than_its_discovery_is_seen() -> None:
    port = free_port()
    n1, n2 = Member("n1"), Member("n2", port=port)
    async with joined(n1, n2):
        await n2.gossip.publish(Facts(is_ready=True, loaded="0123456789ab"))
        await until(lambda: n1.facts("n2") == Facts(is_ready=True, loaded="0123456789ab"))
        await n2.gossip.close()
        again = Member("n2", port=port, seeds=[n1.gossip.address])
        async with started(again):
            assert await again.gossip.join()
            await until(lambda: n1.facts("n2") == Facts())
            await until(lambda: n1.told.reasons.count("n2 joined") == 2)
            assert "n2 is dead" not in n1.told.reasons


async def test_who_was_believed_dead_is_told_so() -> None:
    n1, n2 = Member("n1"), Member("n2")
    async with joined(n1, n2):
        await n2.gossip.publish(READY)
        await until(lambda: n1.facts("n2") == READY)
        # As if only one side had noticed: a process that was stopped for a while.
        n1.gossip.attendance.died(NodeName("n2"))
        peer = n1.gossip._cluster.member("n2")
        assert peer is not None
        n1.gossip._joined(peer)
        await until(lambda: "n1 believed this node dead" in n2.told.reasons)
        assert n1.gossip.attendance.reunions == 1
        # It is told more than once, and that counts once.
        await asyncio.sleep(1)
        assert n2.gossip.attendance.reunions == 1


async def test_two_speakers_of_one_name_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    n1, n2, double = Member("n1"), Member("n2"), Member("n2")
    async with joined(n1, n2), started(double):
        double.seeds = [n1.gossip.address]
        await double.gossip.join()
        await until(lambda: "two speakers call themselves n2" in n1.told.reasons)
        await until(lambda: "two speakers call themselves n2" in double.told.reasons)
        assert n1.names == ["n1", "n2"]
        await asyncio.sleep(1)
        assert n1.told.reasons.count("two speakers call themselves n2") == 1
    assert caplog.text.count(f"at {n2.gossip.address} and at {double.gossip.address}") == 1


async def test_a_wrong_key_opens_nothing() -> None:
    n1, n2, stranger = Member("n1"), Member("n2"), Member("n3", key=bytes(32), join_timeout=0.3)
    async with joined(n1, n2), started(stranger):
        stranger.seeds = [n1.gossip.address]
        assert not await stranger.gossip.join()
        assert n1.names == ["n1", "n2"]
        assert stranger.names == ["n3"]


async def test_lost_events_are_made_up_for() -> None:
    n1, n2, n3 = Member("n1"), Member("n2"), Member("n3")
    async with joined(n1, n2, n3):
        gossip = n1.gossip
        await until(lambda: set(gossip._known) == {"n2", "n3"})
        # A member of which nothing was heard, one that is no more, and one that has changed.
        del gossip._known[NodeName("n2")]
        gossip._known[NodeName("n8")] = (1, 1, READY)
        await n3.gossip.publish(READY)
        gossip._count_again()
        assert set(gossip._known) == {"n2", "n3"}
        assert n1.told.reasons[-2:] == ["n2 joined", "there was more news than could be read"]
        assert gossip.attendance.joined(NodeName("n8"), Facts(), time.monotonic())


async def test_a_restart_of_which_all_news_were_lost_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    n1, n2 = Member("n1"), Member("n2", port=port)
    async with joined(n1, n2):
        await n2.gossip.publish(Facts(is_ready=True, restart_grace=60))
        # The library knows it a moment before the news of it is read.
        await until(lambda: n1.gossip._known.get(NodeName("n2"), ())[2:] == (Facts(is_ready=True, restart_grace=60),))
        with monkeypatch.context() as lost:
            lost.setattr(n1.gossip, "_handle", lambda _: None)
            await n2.gossip.leave(5)
            await n2.gossip.close()
            again = Member("n2", port=port, seeds=[n1.gossip.address])
            async with started(again):
                assert await again.gossip.join()
                run = again.gossip._cluster.local.epoch
                await until(lambda: [one.epoch for one in n1.gossip._others()] == [run])
                n1.gossip._count_again()
                peer = n1.peer("n2")
                assert peer is not None
                assert (peer.epoch, peer.facts) == (run, Facts())
                assert set(n1.gossip.attendance.absent) == {"n2"}


async def test_random_datagrams_and_connections_change_nothing() -> None:
    n1, n2 = Member("n1"), Member("n2")
    async with joined(n1, n2):
        # They know each other a moment before they are told so.
        await until(lambda: "n2 joined" in n1.told.reasons)
        reasons = list(n1.told.reasons)
        host, _, port = n1.gossip.address.partition(":")
        chance = random.Random(1)  # noqa: S311
        with socket.socket(type=socket.SOCK_DGRAM) as hostile:
            for size in range(1500):
                # With and without the mark that every packet of the library begins with.
                start = b"kn" if size % 2 else b""
                hostile.sendto(start + chance.randbytes(size), (host, int(port)))
        for size in (0, 1, 4, 100, 5000):
            with socket.create_connection((host, int(port))) as stream:
                stream.sendall(chance.randbytes(size))
        await n2.gossip.publish(READY)
        # The facts may be readable a moment before the news of them is told.
        await until(lambda: len(n1.told.reasons) > len(reasons))
        assert n1.facts("n2") == READY
        assert n1.names == ["n1", "n2"]
        assert n1.told.reasons == [*reasons, "n2 has news of itself"]
        assert n1.told.messages == []


async def test_members_that_talk_nonsense_are_not_understood() -> None:
    n1, n2 = Member("n1"), Member("n2")
    async with joined(n1, n2):
        chance = random.Random(2)  # noqa: S311
        for size in range(200):
            await n2.gossip._cluster.send("n1", chance.randbytes(size))
        await n2.gossip._cluster.set_meta({"v": "1", "q": "9", "m": "?"})
        await until(lambda: n1.facts("n2") is None)
        await n2.gossip.send(NodeName("n1"), b"sense")
        await until(lambda: [said for _, _, said in n1.told.messages] == [b"sense"])
        assert n1.names == ["n1", "n2"]


@pytest.mark.parametrize(
    ("key", "bind"), [(b"short", "127.0.0.1:0"), (bytes(32), "nowhere"), (bytes(32), "127.0.0.1:99999")]
)
async def test_what_cannot_work_is_said_before_anything_is_opened(key: bytes, bind: str) -> None:
    with pytest.raises(GossipError):
        Member("n1", key=key, bind=bind)


async def test_a_port_that_is_taken() -> None:
    n1 = Member("n1")
    async with started(n1):
        taken = int(n1.gossip.address.rpartition(":")[2])
        with pytest.raises(GossipError, match=str(taken)):
            await Member("n2", port=taken).gossip.start()


async def test_the_library_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    n1, n2 = Member("n1"), Member("n2")
    async with joined(n1, n2):
        pass
    assert [record for record in caplog.records if record.name == "kinship"] == []
