"""RabbitMQ, 3.10 and 4.x: quorum queues, one for each lane and priority class, behind one direct exchange.

Publishing and consuming have connections of their own, so that a broker that blocks publishers still takes acks.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange

from shared.queue import Delivery, Message, PublishFailed, Unconfirmed
from shared.queue.message import queue_names
from shared.queue.rabbit_connection import EXCHANGE, QUEUE_ARGUMENTS, close_quietly, connect, declare
from shared.queue.rabbit_subscription import RabbitSubscription

__all__ = ["EXCHANGE", "RabbitQueue"]

PUBLISH_TIMEOUT_SECONDS = 3
WATCH_SECONDS = 5.0
MAX_LENGTH = 200_000


class RabbitQueue:
    def __init__(self, url: str, *, max_length: int = MAX_LENGTH, watch_seconds: float = WATCH_SECONDS) -> None:
        """`max_length` is fixed for a queue's life: the broker refuses to declare it again with another."""
        self._url = url
        self._arguments = {**QUEUE_ARGUMENTS, "x-max-length": max_length}
        self._watch_seconds = watch_seconds
        self._publisher = _Publisher(url, self._arguments)
        self._subscriptions: list[RabbitSubscription] = []

    async def publish(self, message: Message) -> None:
        await self._publisher.publish(message)

    async def subscribe(self, lane: str, prefetch: int, receive: Callable[[Delivery], None]) -> "RabbitSubscription":
        subscription = RabbitSubscription(self._url, self._arguments, self._watch_seconds, lane, prefetch, receive)
        subscription.start()
        self._subscriptions = [each for each in self._subscriptions if not each.closed] + [subscription]
        return subscription

    async def depths(self, lanes: list[str]) -> dict[str, int]:
        return await self._publisher.depths([name for lane in lanes for name in queue_names(lane)])

    async def close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.close()
        await self._publisher.close()


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
                await declare(self._channel, [name], self._arguments)
                self._declared.add(name)
            return self._exchange

    async def _open(self) -> None:
        await self.close()  # of an opening that ended half-way
        self._declared.clear()
        self._connection = await connect(self._url, "publish")
        self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self._exchange, _ = await declare(self._channel, [], self._arguments)

    async def depths(self, names: list[str]) -> dict[str, int]:
        found = {}
        async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS), await connect(self._url, "depths") as connection:
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
            await close_quietly(connection)
