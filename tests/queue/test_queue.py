"""One suite for both queues: what the embedded one promises, RabbitMQ promises too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from shared.queue import Delivery, Message, PublishFailed, Queue, Subscription
from shared.queue.memory import MemoryQueue
from shared.queue.rabbitmq import RabbitQueue
from tests.patience import PATIENCE_SECONDS
from tests.servers.rabbitmq import RabbitMQ

LANE = "browser.chromium"
FULL = 3


@dataclass
class Inbox:
    """What was delivered, in order."""

    deliveries: list[Delivery] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self._arrived.set()

    @property
    def ids(self) -> list[UUID]:
        return [delivery.message.scheduled_job_id for delivery in self.deliveries]

    async def until(self, count: int) -> list[UUID]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.deliveries) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.ids

    async def ack_all(self) -> None:
        for delivery in self.deliveries:
            await delivery.ack()


@dataclass
class Kind:
    """One of the two queues, and how to break it."""

    make: Callable[..., Queue]
    lose: Callable[[Queue, Subscription], Awaitable[None]]


async def lose_in_memory(_: Queue, subscription: Subscription) -> None:
    subscription.lose()  # type: ignore[attr-defined]


@pytest.fixture(params=["memory", "rabbitmq"])
def unclosed(request: pytest.FixtureRequest) -> Kind:
    if request.param == "memory":
        memory = MemoryQueue(max_length=FULL)
        # Every client of an embedded queue holds the same object.
        return Kind(lambda: memory, lose_in_memory)
    url: str = request.getfixturevalue("amqp_url")
    server: RabbitMQ = request.getfixturevalue("rabbitmq_server")

    async def close_connections(_: Queue, __: Subscription) -> None:
        await server.ctl("close_all_connections", "--vhost", url.rpartition("/")[2], "test")

    return Kind(lambda: RabbitQueue(url, max_length=FULL, watch_seconds=0.2), close_connections)


@pytest_asyncio.fixture
async def kind(unclosed: Kind) -> AsyncIterator[Kind]:
    made: list[Queue] = []

    def keep() -> Queue:
        made.append(unclosed.make())
        return made[-1]

    yield Kind(keep, unclosed.lose)
    for queue in made:
        await queue.close()


@pytest.fixture
def queue(kind: Kind) -> Queue:
    return kind.make()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def message(priority: int = 1, lane: str = LANE) -> Message:
    return Message(uuid4(), 0, lane, priority)


async def publish(queue: Queue, *messages: Message) -> list[UUID]:
    for each in messages:
        await queue.publish(each)
    return [each.scheduled_job_id for each in messages]


async def until_waiting(queue: Queue, name: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await queue.depths([LANE])).get(name) != count:
            await asyncio.sleep(0.02)


async def test_a_confirmed_message_is_delivered_once(queue: Queue, inbox: Inbox) -> None:
    sent = await publish(queue, message(), message())
    await queue.subscribe(LANE, 5, inbox.receive)
    assert sorted(await inbox.until(2)) == sorted(sent)
    await inbox.ack_all()
    last = await publish(queue, message())
    assert (await inbox.until(3))[2:] == last


async def test_the_message_arrives_as_it_was_sent(queue: Queue, inbox: Inbox) -> None:
    sent = Message(uuid4(), 7, LANE, 0)
    await queue.subscribe(LANE, 5, inbox.receive)
    await queue.publish(sent)
    await inbox.until(1)
    assert inbox.deliveries[0].message == sent


async def test_every_priority_class_of_the_lane_are_delivered_and_no_other_lane(queue: Queue, inbox: Inbox) -> None:
    await publish(queue, message(lane="browser.firefox"))
    sent = await publish(queue, *(message(priority) for priority in range(3)))
    await queue.subscribe(LANE, 1, inbox.receive)
    assert set(await inbox.until(3)) == set(sent)
    assert {delivery.message.priority for delivery in inbox.deliveries} == {0, 1, 2}


async def test_no_more_than_the_prefetch_is_in_hand(queue: Queue, inbox: Inbox) -> None:
    await publish(queue, message(), message(), message())
    await queue.subscribe(LANE, 2, inbox.receive)
    await inbox.until(2)
    await until_waiting(queue, f"{LANE}.normal", 1)
    assert len(inbox.deliveries) == 2
    await inbox.deliveries[0].ack()
    assert len(set(await inbox.until(3))) == 3


async def test_a_prefetch_that_grows_takes_so_many_more_at_once(queue: Queue, inbox: Inbox) -> None:
    subscription = await queue.subscribe(LANE, 1, inbox.receive)
    await publish(queue, message(), message(), message())
    await inbox.until(1)
    await subscription.resize(2)
    await inbox.until(2)
    await until_waiting(queue, f"{LANE}.normal", 1)
    assert len(inbox.deliveries) == 2
    await inbox.deliveries[0].ack()
    assert len(set(await inbox.until(3))) == 3


async def test_a_prefetch_that_shrinks_takes_no_more_until_so_few_are_in_hand(queue: Queue, inbox: Inbox) -> None:
    subscription = await queue.subscribe(LANE, 3, inbox.receive)
    await publish(queue, message(), message(), message())
    await inbox.until(3)
    await subscription.resize(1)
    await publish(queue, message(), message())
    for delivery in inbox.deliveries[:2]:
        await delivery.ack()
    await until_waiting(queue, f"{LANE}.normal", 2)
    assert len(inbox.deliveries) == 3
    await inbox.deliveries[2].ack()
    await inbox.until(4)
    await until_waiting(queue, f"{LANE}.normal", 1)
    assert len(inbox.deliveries) == 4


async def test_with_a_prefetch_of_none_messages_stay_with_the_queue_until_there_is_room(
    kind: Kind, queue: Queue, inbox: Inbox
) -> None:
    subscription = await queue.subscribe(LANE, 1, inbox.receive)
    [first] = await publish(queue, message())
    await inbox.until(1)
    await subscription.resize(0)
    sent = await publish(queue, message(), message())
    await inbox.ack_all()
    await until_waiting(queue, f"{LANE}.normal", 2)
    other = Inbox()
    second = await kind.make().subscribe(LANE, 1, other.receive)
    assert await other.until(1) == sent[:1]
    await second.cancel()
    await subscription.resize(1)
    assert await inbox.until(2) == [first, sent[1]]


async def test_what_was_not_acknowledged_comes_again_after_a_loss(kind: Kind, queue: Queue, inbox: Inbox) -> None:
    sent = await publish(queue, message(), message())
    subscription = await queue.subscribe(LANE, 5, inbox.receive)
    await inbox.until(2)
    kept, acknowledged = inbox.deliveries
    await acknowledged.ack()
    await until_waiting(queue, f"{LANE}.normal", 0)
    await kind.lose(queue, subscription)
    assert set(sent) == {kept.message.scheduled_job_id, acknowledged.message.scheduled_job_id}
    assert kept.message.scheduled_job_id in (await inbox.until(3))[2:]


async def test_the_ack_of_a_lost_delivery_is_harmless(kind: Kind, queue: Queue, inbox: Inbox) -> None:
    await publish(queue, message())
    subscription = await queue.subscribe(LANE, 5, inbox.receive)
    await inbox.until(1)
    await kind.lose(queue, subscription)
    await inbox.until(2)
    await inbox.ack_all()
    sent = await published_again(queue)
    assert (await inbox.until(3))[2:] == [sent]


async def published_again(queue: Queue) -> UUID:
    """As the dispatcher does it: what is not confirmed is published again."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            each = message()
            try:
                await queue.publish(each)
                return each.scheduled_job_id
            except PublishFailed:
                continue


async def test_after_a_cancel_nothing_comes_but_what_is_in_hand_can_be_acknowledged(kind: Kind, queue: Queue) -> None:
    first, second = Inbox(), Inbox()
    await publish(queue, message())
    subscription = await queue.subscribe(LANE, 5, first.receive)
    await first.until(1)
    await subscription.cancel()
    late = await publish(queue, message())
    await until_waiting(queue, f"{LANE}.normal", 1)
    await first.ack_all()
    await kind.lose(queue, subscription)
    other = kind.make()
    await other.subscribe(LANE, 5, second.receive)
    assert await second.until(1) == late
    assert len(first.deliveries) == 1


async def test_a_full_queue_refuses_and_takes_again_once_there_is_room(queue: Queue, inbox: Inbox) -> None:
    taken, refused = 0, False
    while not refused:
        try:
            await queue.publish(message())
            taken += 1
        except PublishFailed:
            refused = True
    # RabbitMQ lets a few more in than it was told.
    assert FULL <= taken <= FULL + 2
    await publish(queue, message(priority=0))
    await queue.subscribe(LANE, 10, inbox.receive)
    await inbox.until(taken + 1)
    await inbox.ack_all()
    sent = await published_again(queue)
    assert (await inbox.until(taken + 2))[-1] == sent


async def test_a_closed_queue_takes_nothing_in_memory() -> None:
    queue = MemoryQueue()
    await queue.close()
    with pytest.raises(PublishFailed):
        await queue.publish(message())


async def test_depths_tell_what_waits_and_leave_out_what_does_not_exist(queue: Queue) -> None:
    assert await queue.depths([LANE]) == {}
    await publish(queue, message(), message())
    await until_waiting(queue, f"{LANE}.normal", 2)
    assert await queue.depths([LANE]) == {f"{LANE}.normal": 2}
