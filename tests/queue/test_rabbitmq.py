"""What only a broker can do to us: garbage, a kill, deleted queues, and no broker at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from unittest.mock import patch
from urllib.parse import quote

import aio_pika
import pytest
import pytest_asyncio
from aio_pika.abc import AbstractChannel

from services.embedded.process import free_port
from shared.queue import PublishFailed, Unconfirmed
from shared.queue.message import queue_names
from shared.queue.rabbit_connection import BROKER_ERRORS, QUEUE_ARGUMENTS
from shared.queue.rabbit_subscription import RabbitSubscription
from shared.queue.rabbitmq import EXCHANGE, RabbitQueue
from tests.patience import PATIENCE_SECONDS
from tests.queue.test_queue import LANE, Inbox, message, publish, published_again
from tests.servers.rabbitmq import RabbitMQ

NORMAL = f"{LANE}.normal"


@pytest_asyncio.fixture
async def queue(amqp_url: str) -> AsyncIterator[RabbitQueue]:
    queue = RabbitQueue(amqp_url, watch_seconds=0.2)
    yield queue
    await queue.close()


@pytest.mark.parametrize(
    "garbage", [b"", b"garbage", b"\xff\xfe", b"[]", b"null", b'{"v": 2}', b'{"v": 1, "id": "x", "attempt": 0}']
)
async def test_garbage_is_acknowledged_and_the_next_message_is_delivered(
    queue: RabbitQueue, amqp_url: str, garbage: bytes
) -> None:
    inbox = Inbox()
    await queue.subscribe(LANE, 1, inbox.receive)
    await publish(queue, message())
    await inbox.until(1)
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE)
        await exchange.publish(aio_pika.Message(garbage), routing_key=NORMAL)
    await inbox.ack_all()
    sent = await publish(queue, message())
    assert (await inbox.until(2))[1:] == sent


async def test_confirmed_messages_survive_a_killed_broker_and_the_subscription_comes_back(
    queue: RabbitQueue, rabbitmq_server: RabbitMQ
) -> None:
    first, inbox = Inbox(), Inbox()
    lane = "browser.firefox"
    await queue.subscribe(lane, 5, first.receive)
    await publish(queue, message(lane=lane))
    await first.until(1)
    await first.ack_all()
    sent = await publish(queue, *(message() for _ in range(20)))
    await rabbitmq_server.settle()
    await rabbitmq_server.kill()
    with pytest.raises(PublishFailed):
        await queue.publish(message())
    await rabbitmq_server.start()
    await queue.subscribe(LANE, 20, inbox.receive)
    assert set(sent) <= set(await inbox.until(20))
    before = len(first.deliveries)
    await until_published(queue, lane)
    await first.until(before + 1)


async def until_published(queue: RabbitQueue, lane: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await queue.publish(message(lane=lane))
            except PublishFailed:
                continue


async def test_a_deleted_queue_is_declared_again(queue: RabbitQueue, amqp_url: str, rabbitmq_server: RabbitMQ) -> None:
    inbox = Inbox()
    await queue.subscribe(LANE, 5, inbox.receive)
    await publish(queue, message())
    await inbox.until(1)
    vhost = amqp_url.rpartition("/")[2]
    # The lane's queues are declared one after the other, and the first serves before the last is there.
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(await rabbitmq_server.api("GET", f"queues/{vhost}")) < len(queue_names(LANE)):
            await asyncio.sleep(0.1)
    for name in queue_names(LANE):
        await rabbitmq_server.api("DELETE", f"queues/{vhost}/{quote(name)}")
    sent = await published_again(queue)
    assert sent in await inbox.until(2)


async def test_a_message_that_no_queue_takes_is_not_confirmed(
    queue: RabbitQueue, amqp_url: str, rabbitmq_server: RabbitMQ
) -> None:
    await publish(queue, message())
    await rabbitmq_server.api("DELETE", f"queues/{amqp_url.rpartition('/')[2]}/{NORMAL}")
    with pytest.raises(PublishFailed):
        await queue.publish(message())
    assert await publish(queue, message())


async def test_without_a_broker_nothing_is_confirmed() -> None:
    queue = RabbitQueue(f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    with pytest.raises(Unconfirmed):
        await queue.publish(message())
    await queue.close()


async def test_what_waits_on_a_channel_that_is_closed_is_unconfirmed(amqp_url: str) -> None:
    queue = RabbitQueue(amqp_url)
    await queue.publish(message())
    exchange = queue._publisher._exchange
    assert exchange is not None
    # Its own way to say so: aiormq rejects the waiting futures without any reason.
    with patch.object(type(exchange), "publish", side_effect=Exception), pytest.raises(Unconfirmed):
        await queue.publish(message())
    assert await publish(queue, message())
    await queue.close()


async def test_a_subscription_that_finds_no_broker_can_be_cancelled() -> None:
    queue = RabbitQueue(f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    subscription = await queue.subscribe(LANE, 1, Inbox().receive)
    await subscription.cancel()
    await queue.close()


async def test_a_connection_that_is_dropped_by_who_tunes_it_is_no_end(amqp_url: str) -> None:
    subscription = RabbitSubscription(amqp_url, QUEUE_ARGUMENTS, 0.01, LANE, 1, lambda delivery: None)
    await subscription._consume()
    subscription._consuming = []  # so that nothing but the connection tells that it is gone
    connection, looking = subscription._connection, asyncio.Event()
    assert connection is not None
    open_channel = connection.channel

    async def channel() -> AbstractChannel:
        opened = await open_channel()
        looking.set()
        return opened

    with patch.object(connection, "channel", channel):
        watching = asyncio.create_task(subscription._watch())
        await looking.wait()
        await subscription._drop_connection()
        with suppress(*BROKER_ERRORS):  # after which it begins anew as well
            await watching
    await subscription.close()
