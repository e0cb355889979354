"""Claims from the thread to the loop: each is told, none twice in a row, and a flood of them is bounded."""

import asyncio

import pytest

from reconciler.l2.claim_box import ClaimBox
from reconciler.l2.port import Claim, ClaimKind
from tests.l2.addresses import CLIENT, VIP


def claim(number: int = 0, frame: bytes = b"") -> Claim:
    return Claim(VIP, CLIENT[:2] + number.to_bytes(4, "big"), ClaimKind.ARP_REPLY, "eth0", frame)


async def told(heard: list[Claim], count: int) -> None:
    async with asyncio.timeout(10):
        while len(heard) < count:
            await asyncio.sleep(0.001)


async def test_a_claim_from_another_thread_is_told_in_the_loop() -> None:
    heard: list[Claim] = []
    box = ClaimBox(asyncio.get_running_loop(), heard.append)
    await asyncio.to_thread(box.put, [claim()])
    await told(heard, 1)
    await asyncio.to_thread(box.put, [claim(1)])
    await told(heard, 2)
    assert heard == [claim(), claim(1)]


async def test_the_same_claim_waits_once_with_its_newest_frame() -> None:
    heard: list[Claim] = []
    box = ClaimBox(asyncio.get_running_loop(), heard.append)
    box.put([claim(frame=b"first"), claim(1)])
    box.put([claim(frame=b"second")])
    await told(heard, 2)
    assert heard == [claim(frame=b"second"), claim(1)]


async def test_a_flood_is_dropped_and_counted() -> None:
    heard: list[Claim] = []
    box = ClaimBox(asyncio.get_running_loop(), heard.append)
    box.put(claim(number) for number in range(1000))
    await told(heard, 64)
    assert len(heard) == 64
    assert box.dropped == 1000 - 64


async def test_nothing_is_told_after_closing() -> None:
    heard: list[Claim] = []
    box = ClaimBox(asyncio.get_running_loop(), heard.append)
    box.put([claim()])
    box.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert heard == []


async def test_a_listener_that_closes_hears_no_more() -> None:
    heard: list[Claim] = []

    def close(first: Claim) -> None:
        heard.append(first)
        box.close()

    box = ClaimBox(asyncio.get_running_loop(), close)
    box.put([claim(), claim(1)])
    await told(heard, 1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert heard == [claim()]


@pytest.mark.parametrize("times", [1, 2])
def test_a_loop_that_is_closed_wants_no_claims(times: int) -> None:
    loop = asyncio.new_event_loop()
    box = ClaimBox(loop, lambda _: pytest.fail("nobody is there"))
    loop.close()
    for _ in range(times):
        box.put([claim()])
