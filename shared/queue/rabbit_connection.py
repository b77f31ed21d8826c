"""The connection to RabbitMQ and what both ends of it declare: quorum queues behind one direct exchange."""

import asyncio
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue

EXCHANGE = "parakeet"
DEAD_LETTERS = "parakeet.dead"
CONNECT_TIMEOUT_SECONDS = 5
QUEUE_ARGUMENTS: dict[str, Any] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 20,
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": DEAD_LETTERS,
}
# All that a broker or its connection can raise; aio-pika lets those of the layers below it through.
BROKER_ERRORS = (aio_pika.exceptions.AMQPError, OSError, RuntimeError, TimeoutError, asyncio.InvalidStateError)


async def connect(url: str, purpose: str) -> AbstractConnection:
    # The broker's answer is bounded by `timeout`; the heartbeat of 5 s finds a broker that went silent.
    return await aio_pika.connect(
        url, timeout=CONNECT_TIMEOUT_SECONDS, heartbeat=5, client_properties={"connection_name": f"parakeet {purpose}"}
    )


async def declare(
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


async def close_quietly(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            await connection.close()
    except BROKER_ERRORS:
        pass  # it was broken already, which is why it is closed
