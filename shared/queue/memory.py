"""The queue of the embedded default: same promises as the broker while the process lives.

What it forgets when the process ends is published again from the rows, as after a wiped broker.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from shared.queue import Delivery, Message, PublishFailed
from shared.queue.message import queue_names


class MemoryQueue:
    def __init__(self, max_length: int = 200_000) -> None:
        self._max_length = max_length
        self._waiting: dict[str, deque[Message]] = {}
        self._subscriptions: dict[str, list[_MemorySubscription]] = {}
        self._closed = False

    async def publish(self, message: Message) -> None:
        if self._closed:
            raise PublishFailed("the queue is closed")
        waiting = self._waiting.setdefault(message.queue_name, deque())
        if len(waiting) >= self._max_length:
            raise PublishFailed(f"{message.queue_name} is full")
        waiting.append(message)
        self.deliver(message.queue_name)

    async def subscribe(self, lane: str, prefetch: int, receive: Callable[[Delivery], None]) -> "_MemorySubscription":
        subscription = _MemorySubscription(self, queue_names(lane), prefetch, receive)
        for name in subscription.names:
            self._subscriptions.setdefault(name, []).append(subscription)
            self.deliver(name)
        return subscription

    def unsubscribe(self, subscription: "_MemorySubscription") -> None:
        for name in subscription.names:
            self._subscriptions[name].remove(subscription)

    async def depths(self, lanes: list[str]) -> dict[str, int]:
        names = [name for lane in lanes for name in queue_names(lane)]
        return {name: len(self._waiting[name]) for name in names if name in self._waiting}

    async def close(self) -> None:
        self._closed = True

    def put_back(self, messages: list[Message]) -> None:
        for message in messages:
            self._waiting.setdefault(message.queue_name, deque()).appendleft(message)
            self.deliver(message.queue_name)

    def deliver(self, name: str) -> None:
        waiting = self._waiting.get(name)
        for subscription in self._subscriptions.get(name, []):
            while waiting and subscription.has_room(name):
                subscription.hand_over(name, waiting.popleft())


class _MemorySubscription:
    def __init__(
        self, queue: MemoryQueue, names: list[str], prefetch: int, receive: Callable[[Delivery], None]
    ) -> None:
        self.names = names
        self._queue = queue
        self._prefetch = prefetch
        self._receive = receive
        self._unacknowledged: dict[str, dict[object, Message]] = {name: {} for name in names}

    def has_room(self, name: str) -> bool:
        return len(self._unacknowledged[name]) < self._prefetch

    def hand_over(self, name: str, message: Message) -> None:
        tag = object()
        self._unacknowledged[name][tag] = message

        async def ack() -> None:
            self._unacknowledged[name].pop(tag, None)
            self._queue.deliver(name)

        # From the loop, as a broker would: the publisher's call has returned by then.
        asyncio.get_running_loop().call_soon(self._receive, Delivery(message, ack))

    async def resize(self, prefetch: int) -> None:
        self._prefetch = prefetch
        for name in self.names:
            self._queue.deliver(name)

    async def cancel(self) -> None:
        self._queue.unsubscribe(self)

    async def close(self) -> None:
        await self.cancel()
        self.lose()

    def lose(self) -> None:
        """What a broken connection does: everything unacknowledged goes back."""
        for unacknowledged in self._unacknowledged.values():
            messages = list(unacknowledged.values())
            unacknowledged.clear()
            self._queue.put_back(messages)
