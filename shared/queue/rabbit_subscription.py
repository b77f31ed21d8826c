"""Consuming one lane from RabbitMQ, whatever becomes of the connection or the queues."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from shared.queue import Delivery, Message, UnreadableMessage
from shared.queue.message import queue_names
from shared.queue.rabbit_connection import BROKER_ERRORS, CONNECT_TIMEOUT_SECONDS, close_quietly, connect, declare

log = structlog.get_logger(__name__)

# So often in a row the watch sees messages that wait although there is room for them, and that none comes.
STALLED_LOOKS = 2


@dataclass(eq=False, slots=True)
class _Consumer:
    """Of one queue, on one channel. It takes what it was granted, by one or more consumer tags.

    The broker fixes a tag's prefetch when it begins. So room is granted to further tags, and to have less all tags end
    and begin anew, which leaves `before` messages in hand that count for no tag.
    """

    queue: AbstractQueue
    channel: AbstractChannel
    priority: int
    tags: set[str] = field(default_factory=set)
    granted: int = 0
    delivered: int = 0
    in_hand: int = 0
    before: int = 0
    _delivered_before: int = 0
    _looks: int = 0

    async def tune(self, prefetch: int, receive: Callable[[AbstractIncomingMessage], Any]) -> None:
        """Raises what the broker raises."""
        if self.granted + self.before > prefetch and self.tags:
            for tag in self.tags:
                await self.queue.cancel(tag)
            self.tags, self.granted, self.before = set(), 0, self.in_hand
        room = prefetch - self.granted - self.before
        if room > 0:
            self.granted += room
            await self.channel.set_qos(prefetch_count=room)
            self.tags.add(await self.queue.consume(receive))

    def acknowledge(self, tag: str | None) -> None:
        self.in_hand -= 1
        if tag not in self.tags:
            self.before = max(self.before - 1, 0)

    def stalled(self, waiting: int, prefetch: int) -> bool:
        """To be asked at each look. A queue deleted and declared again may count a consumer that it never serves."""
        idle = waiting > 0 and self.in_hand < prefetch and self.delivered == self._delivered_before
        self._looks = self._looks + 1 if idle else 0
        self._delivered_before = self.delivered
        return self._looks >= STALLED_LOOKS


class RabbitSubscription:
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
        self._tuning = asyncio.Lock()
        self._tunings: set[asyncio.Task[None]] = set()

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
        self._connection = await connect(self._url, f"consume {self._lane}")
        self._consuming = []
        # A broker that was just restarted may never answer for a queue: then begin anew.
        async with asyncio.timeout(2 * CONNECT_TIMEOUT_SECONDS):
            await self._open_channels(self._connection)

    async def _open_channels(self, connection: AbstractConnection) -> None:
        for priority, name in enumerate(queue_names(self._lane)):
            # A channel for each queue: prefetch then counts for each priority class by itself.
            channel = await connection.channel()
            _, (queue,) = await declare(channel, [name], self._arguments)
            consumer = _Consumer(queue, channel, priority)
            async with self._tuning:
                await consumer.tune(self._prefetch, partial(self._hand_over, consumer=consumer))
                self._consuming.append(consumer)

    async def _watch(self) -> None:
        """Returns when the connection ended; raises when a queue was deleted under us: the broker then just stops."""
        # Whoever tunes may drop it meanwhile; then the broker's own errors tell so.
        connection = self._connection
        if connection is None:
            return
        channel = await connection.channel()
        while not connection.is_closed:
            await asyncio.sleep(self._watch_seconds)
            for consumer in self._consuming:
                name = consumer.queue.name
                async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                    seen = (await channel.declare_queue(name, passive=True)).declaration_result
                if consumer.tags and not seen.consumer_count:
                    raise RuntimeError(f"{name} has no consumer")
                if consumer.stalled(seen.message_count or 0, self._prefetch):
                    raise RuntimeError(f"{name} delivers nothing")

    async def _hand_over(self, incoming: AbstractIncomingMessage, consumer: _Consumer) -> None:
        consumer.delivered += 1
        consumer.in_hand += 1

        async def ack() -> None:
            consumer.acknowledge(incoming.consumer_tag)
            if consumer.granted + consumer.before < self._prefetch:
                self._tune_soon()
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

    async def resize(self, prefetch: int) -> None:
        if prefetch != self._prefetch:
            self._prefetch = prefetch
            await self._tune()

    def _tune_soon(self) -> None:
        tuning = asyncio.create_task(self._tune(), name=f"tune {self._lane}")
        self._tunings.add(tuning)
        tuning.add_done_callback(self._tunings.discard)

    async def _tune(self) -> None:
        async with self._tuning:
            for consumer in self._consuming:
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                        await consumer.tune(self._prefetch, partial(self._hand_over, consumer=consumer))
                except BROKER_ERRORS:
                    # The connection is as good as lost; the next one begins with the new prefetch.
                    await self._drop_connection()
                    return

    async def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._prefetch = 0
        await self._tune()
        self._consuming = []

    async def close(self) -> None:
        await self.cancel()
        await self._drop_connection()

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await close_quietly(connection)
