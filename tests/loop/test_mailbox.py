"""What others say waits in order, and nobody can fill this node's memory by talking."""

from reconciler.loop.mailbox import Mailbox
from reconciler.membership.messages import Adopted, TakeOver, encode
from reconciler.model.observed import NodeName

_ONE, _TWO = NodeName("n1"), NodeName("n2")


async def test_messages_come_in_their_order_and_nonsense_not_at_all() -> None:
    mailbox = Mailbox()
    mailbox.put(_ONE, encode(Adopted("a")))
    mailbox.put(_TWO, b"nonsense")
    mailbox.put(_TWO, encode(Adopted("b")))
    assert [await mailbox.get(), await mailbox.get()] == [(_ONE, Adopted("a")), (_TWO, Adopted("b"))]


async def test_who_talks_too_much_is_not_listened_to_and_others_are() -> None:
    mailbox = Mailbox()
    for number in range(1000):
        mailbox.put(_ONE, encode(Adopted(str(number))))
    mailbox.put(_TWO, encode(Adopted("x")))
    heard = [await mailbox.get()]
    while heard[-1][0] != _TWO:
        heard.append(await mailbox.get())
    assert [message for node, message in heard if node == _ONE] == [Adopted(str(n)) for n in range(len(heard) - 1)]
    assert len(heard) < 100
    mailbox.put(_ONE, encode(Adopted("again")))
    assert await mailbox.get() == (_ONE, Adopted("again"))


async def test_large_messages_of_many_are_bounded_together() -> None:
    mailbox = Mailbox()
    large = encode(TakeOver(tuple(bytes((number >> 8, number & 255, 0, 0)) for number in range(3000))))
    senders = [NodeName(f"n{number}") for number in range(2 * (8 << 20) // len(large))]
    for sender in senders:
        mailbox.put(sender, large)
    last = NodeName("last")
    for _ in senders[: len(senders) // 4]:
        await mailbox.get()
    mailbox.put(last, large)
    heard = NodeName("")
    count = 0
    while heard != last:
        heard, _ = await mailbox.get()
        count += 1
    assert count < len(senders) // 2
