"""The queue between dispatcher and runner: RabbitMQ, or the one in memory when everything is one process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from shared.queue.message import Message, UnreadableMessage

__all__ = ["Delivery", "Message", "PublishFailed", "Queue", "Subscription", "Unconfirmed", "UnreadableMessage"]


class PublishFailed(Exception):
    """The queue did not confirm. Whether it holds the message is unknown, so its row must stay planned."""


class Unconfirmed(PublishFailed):
    """The queue did not answer in time: it is away, or slower than it is sent to."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in hand. It comes again, here or elsewhere, unless `ack` is awaited. `ack` never raises."""

    message: Message
    ack: Callable[[], Awaitable[None]] = field(repr=False)


class Subscription(Protocol):
    async def resize(self, prefetch: int) -> None:
        """From now on at most so many in hand in each priority class; with 0 nothing more is taken until the next call.

        What is in hand stays, and counts.
        """

    async def cancel(self) -> None:
        """Take no more messages. Those in hand can still be acknowledged until the queue is closed."""

    async def close(self) -> None:
        """Take no more messages; those in hand go back to the queue, for others, and acking them then does nothing."""


class Queue(Protocol):
    async def publish(self, message: Message) -> None:
        """Returns once the message is safe with the queue. Raises `PublishFailed` in every other case."""

    async def subscribe(self, lane: str, prefetch: int, receive: Callable[[Delivery], None]) -> Subscription:
        """Call `receive` for each message of the lane, at most `prefetch` unacknowledged in each priority class.

        `receive` only hands the delivery on; it must not block. Losing the queue is mended inside: the subscription
        lives until it is cancelled.
        """

    async def depths(self, lanes: list[str]) -> dict[str, int]:
        """Messages waiting, by queue name. Queues that do not exist are left out."""

    async def close(self) -> None: ...
