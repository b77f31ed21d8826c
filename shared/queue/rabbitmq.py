"""RabbitMQ, 3.10 and 4.x: quorum queues, one for each lane and priority class, behind one direct exchange.

Publishing and consuming have connections of their own, so that a broker that blocks publishers still takes acks.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage, AbstractQueue

from shared.queue import Delivery, Message, PublishFailed, Unconfirmed, UnreadableMessage
from shared.queue.message import queue_names

log = structlog.get_logger(__name__)

EXCHANGE = "parakeet"
DEAD_LETTERS = "parakeet.dead"
PUBLISH_TIMEOUT_SECONDS = 3
CONNECT_TIMEOUT_SECONDS = 5
WATCH_SECONDS = 5.0
# So often in a row the watch sees messages that wait although there is room for them, and that none comes.
STALLED_LOOKS = 2
MAX_LENGTH = 200_000
QUEUE_ARGUMENTS: dict[str, Any] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 20,
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": DEAD_LETTERS,
}
# All that a broker or its connection can raise; aio-pika lets those of the layers below it through.
BROKER_ERRORS = (aio_pika.exceptions.AMQPError, OSError, RuntimeError, TimeoutError, asyncio.InvalidStateError)


class RabbitQueue:
    def __init__(self, url: str, *, max_length: int = MAX_LENGTH, watch_seconds: float = WATCH_SECONDS) -> None:
        """`max_length` is fixed for a queue's life: the broker refuses to declare it again with another."""
        self._url = url
        self._arguments = {**QUEUE_ARGUMENTS, "x-max-length": max_length}
        self._watch_seconds = watch_seconds
        self._publisher = _Publisher(url, self._arguments)
        self._subscriptions: list[_RabbitSubscription] = []

    async def publish(self, message: Message) -> None:
        await self._publisher.publish(message)

    async def subscribe(self, lane: str, prefetch: int, receive: Callable[[Delivery], None]) -> "_RabbitSubscription":
        subscription = _RabbitSubscription(self._url, self._arguments, self._watch_seconds, lane, prefetch, receive)
        subscription.start()
        self._subscriptions = [each for each in self._subscriptions if not each.closed] + [subscription]
        return subscription

    async def depths(self, lanes: list[str]) -> dict[str, int]:
        return await self._publisher.depths([name for lane in lanes for name in queue_names(lane)])

    async def close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.close()
        await self._publisher.close()


async def _connect(url: str, purpose: str) -> AbstractConnection:
    # The broker's answer is bounded by `timeout`; the heartbeat of 5 s finds a broker that went silent.
    return await aio_pika.connect(
        url, timeout=CONNECT_TIMEOUT_SECONDS, heartbeat=5, client_properties={"connection_name": f"parakeet {purpose}"}
    )


async def _declare(
    channel: AbstractChannel, names: list[str], arguments: dict[str, Any]
) -> tuple[AbstractExchange, list[AbstractQueue]]:
    dead = await channel.declare_exchange(DEAD_LETTERS, aio_pika.ExchangeType.FANOUT, durable=True)
    await (await channel.declare_queue(DEAD_LETTERS, durable=True)).bind(dead)
    exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.DIRECT, durable=True)
    queues = []
    for name in names:
        queue = await channel.declare_queue(name, durable=True, arguments=arguments)
        await queue.bind(exchange, routing_key=name)
        queues.append(queue)
    return exchange, queues


class _Publisher:
    """One confirming channel. After any doubt it is thrown away, and the next publish begins anew."""

    def __init__(self, url: str, arguments: dict[str, Any]) -> None:
        self._url = url
        self._arguments = arguments
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._declared: set[str] = set()

    async def publish(self, message: Message) -> None:
        used = self._connection
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                exchange = await self._ready(message.queue_name)
                used = self._connection
                await exchange.publish(
                    aio_pika.Message(message.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT),
                    routing_key=message.queue_name,
                    mandatory=True,
                )
        except aio_pika.exceptions.DeliveryError as error:
            # Refused (the queue is full) or unroutable (the queue or its binding is gone): declare it again.
            self._declared.discard(message.queue_name)
            raise PublishFailed(f"{message.queue_name} did not take the message") from error
        except Exception as error:
            # Whatever it is, there is no confirm; a channel that is closed rejects what waits with a bare Exception.
            # Of many that fail together only the first closes; the others would close its successor.
            if used is self._connection:
                await self.close()
            raise Unconfirmed(type(error).__name__) from error

    async def _ready(self, name: str) -> AbstractExchange:
        async with self._opening:
            if self._channel is None or self._channel.is_closed or self._exchange is None:
                await self._open()
            assert self._channel is not None and self._exchange is not None
            if name not in self._declared:
                await _declare(self._channel, [name], self._arguments)
                self._declared.add(name)
            return self._exchange

    async def _open(self) -> None:
        await self.close()  # of an opening that ended half-way
        self._declared.clear()
        self._connection = await _connect(self._url, "publish")
        self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self._exchange, _ = await _declare(self._channel, [], self._arguments)

    async def depths(self, names: list[str]) -> dict[str, int]:
        found = {}
        async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS), await _connect(self._url, "depths") as connection:
            for name in names:
                channel = await connection.channel()
                try:
                    queue = await channel.declare_queue(name, passive=True)
                except aio_pika.exceptions.ChannelClosed:
                    continue  # there is no such queue yet
                found[name] = queue.declaration_result.message_count or 0
                await channel.close()
        return found

    async def close(self) -> None:
        connection, self._connection, self._channel, self._exchange = self._connection, None, None, None
        if connection is not None:
            await _close_quietly(connection)


@dataclass(eq=False, slots=True)
class _Consumer:
    """Of one queue, on one connection."""

    queue: AbstractQueue
    priority: int
    tag: str = ""
    delivered: int = 0
    in_hand: int = 0
    _delivered_before: int = 0
    _looks: int = 0

    def stalled(self, waiting: int, prefetch: int) -> bool:
        """To be asked at each look. A queue deleted and declared again may count a consumer that it never serves."""
        idle = waiting > 0 and self.in_hand < prefetch and self.delivered == self._delivered_before
        self._looks = self._looks + 1 if idle else 0
        self._delivered_before = self.delivered
        return self._looks >= STALLED_LOOKS


class _RabbitSubscription:
    """Consumes one lane on its own connection, and begins anew whenever the connection or a queue is lost."""

    def __init__(
        self,
        url: str,
        arguments: dict[str, Any],
        watch_seconds: float,
        lane: str,
        prefetch: int,
        receive: Callable[[Delivery], None],
    ) -> None:
        self._url = url
        self._arguments = arguments
        self._watch_seconds = watch_seconds
        self._lane = lane
        self._prefetch = prefetch
        self._receive = receive
        self._consuming: list[_Consumer] = []
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        return self._task is None and self._connection is None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_consuming(), name=f"consume {self._lane}")

    async def _keep_consuming(self) -> None:
        wait = 0.2
        while True:
            try:
                await self._consume()
                wait = 0.2
                await self._watch()
            except BROKER_ERRORS as error:
                log.warning("queue_lost", lane=self._lane, error=type(error).__name__, again_in_seconds=wait)
            await self._drop_connection()
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5)

    async def _consume(self) -> None:
        self._connection = await _connect(self._url, f"consume {self._lane}")
        self._consuming = []
        # A broker that was just restarted may never answer for a queue: then begin anew.
        async with asyncio.timeout(2 * CONNECT_TIMEOUT_SECONDS):
            await self._open_channels(self._connection)

    async def _open_channels(self, connection: AbstractConnection) -> None:
        for priority, name in enumerate(queue_names(self._lane)):
            # A channel for each queue: prefetch then counts for each priority class by itself.
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=self._prefetch)
            _, (queue,) = await _declare(channel, [name], self._arguments)
            consumer = _Consumer(queue, priority)
            consumer.tag = await queue.consume(partial(self._hand_over, consumer=consumer))
            self._consuming.append(consumer)

    async def _watch(self) -> None:
        """Returns when the connection ended; raises when a queue was deleted under us: the broker then just stops."""
        assert self._connection is not None
        channel = await self._connection.channel()
        while not self._connection.is_closed:
            await asyncio.sleep(self._watch_seconds)
            for consumer in self._consuming:
                name = consumer.queue.name
                async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                    seen = (await channel.declare_queue(name, passive=True)).declaration_result
                if not seen.consumer_count:
                    raise RuntimeError(f"{name} has no consumer")
                if consumer.stalled(seen.message_count or 0, self._prefetch):
                    raise RuntimeError(f"{name} delivers nothing")

    async def _hand_over(self, incoming: AbstractIncomingMessage, consumer: _Consumer) -> None:
        consumer.delivered += 1
        consumer.in_hand += 1

        async def ack() -> None:
            consumer.in_hand -= 1
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):  # a connection that is lost may never say so
                    await incoming.ack()
            except BROKER_ERRORS:
                # Normal after a reconnect: the message comes again and finds nothing to claim.
                log.info("ack_lost", lane=self._lane)

        try:
            message = Message.decode(incoming.body, self._lane, consumer.priority)
        except UnreadableMessage as error:
            log.error("unreadable_message", lane=self._lane, reason=str(error))
            await ack()
            return
        self._receive(Delivery(message, ack))

    async def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for consumer in self._consuming:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                    await consumer.queue.cancel(consumer.tag)
            except BROKER_ERRORS:
                pass  # the connection is gone, and the consumer with it
        self._consuming = []

    async def close(self) -> None:
        await self.cancel()
        await self._drop_connection()

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _close_quietly(connection)


async def _close_quietly(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            await connection.close()
    except BROKER_ERRORS:
        pass  # it was broken already, which is why it is closed
