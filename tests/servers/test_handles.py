"""Each handle gives the real server, and brings it back after a kill."""

import asyncio
from typing import Any

import aio_pika
import asyncpg
import pytest
import redis.asyncio
from selenium.webdriver import ChromeOptions, Remote

from tests.servers.grid import Grid, StandaloneGrid
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.valkey import ValkeyServer

PAGE = "data:text/html,<title>Open</title>"


async def ask(database_url: str, query: str) -> Any:
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def title(webdriver_url: str, profile: str | None = None) -> str:
    options = ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(flag)
    if profile:
        options.set_capability("pk:profile", profile)
    driver = Remote(webdriver_url, options=options)
    try:
        driver.get(PAGE)
        return driver.title
    finally:
        driver.quit()


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_gets_a_migrated_database_of_its_own(database_url: str, turn: int) -> None:
    assert await ask(database_url, "SELECT count(*) FROM alembic_version") == 1
    assert await ask(database_url, "SELECT to_regclass('made_by_a_test')") is None
    await ask(database_url, "CREATE TABLE made_by_a_test ()")


async def test_commits_survive_a_killed_postgres(database_url: str, postgres_server: PostgresServer) -> None:
    await ask(database_url, "CREATE TABLE kept AS SELECT 1")
    await postgres_server.kill()
    await postgres_server.start()
    assert await ask(database_url, "SELECT count(*) FROM kept") == 1


async def test_valkey_is_empty_and_can_be_killed(redis_url: str, valkey_server: ValkeyServer) -> None:
    async with redis.asyncio.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        await client.set("key", "1")
    await valkey_server.kill()
    await valkey_server.start()
    async with redis.asyncio.from_url(redis_url) as client:
        assert await client.ping()


async def test_confirmed_messages_survive_a_killed_rabbitmq(amqp_url: str, rabbitmq_server: RabbitMQ) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"here", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key="kept")
    await rabbitmq_server.settle()
    await rabbitmq_server.kill()
    await rabbitmq_server.start()
    async with await aio_pika.connect(amqp_url) as connection:
        queue = await (await connection.channel()).declare_queue("kept", passive=True)
        async with queue.iterator() as messages:
            received = await anext(messages)
            assert received.body == b"here"
            await received.ack()


async def test_every_test_gets_a_virtual_host_of_its_own(amqp_url: str, rabbitmq_server: RabbitMQ) -> None:
    assert await rabbitmq_server.api("GET", f"queues/{amqp_url.rpartition('/')[2]}") == []
    assert "parakeet" in await rabbitmq_server.ctl("list_vhosts", "cluster_state")


def test_chromedriver_opens_a_browser(webdriver_url: str) -> None:
    assert title(webdriver_url) == "Open"


async def test_a_killed_node_comes_back_to_the_grid(grid: Grid) -> None:
    assert await asyncio.to_thread(title, grid.url, "desktop") == "Open"
    await grid.kill_node()
    await grid.start()
    assert await asyncio.to_thread(title, grid.url, "desktop") == "Open"


async def test_the_standalone_grid_has_a_mobile_profile(standalone_grid: StandaloneGrid) -> None:
    assert await asyncio.to_thread(title, standalone_grid.url, "mobile") == "Open"
