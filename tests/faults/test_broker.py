"""RabbitMQ dies, forgets, refuses, or falls silent; its queues go, fill up, or hold what nobody can read."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import pytest
import pytest_asyncio

import services.runner.__main__ as runner_process
import services.scheduler.__main__ as scheduler_process
from services.runner.settings import RunnerSettings
from services.scheduler.settings import SchedulerSettings
from shared.queue.rabbitmq import EXCHANGE, RabbitQueue
from tests.end_to_end.processes import Stack, until
from tests.faults.load import Load, change_jobs
from tests.faults.proxy import LOOPBACK, Proxy
from tests.faults.sink import Sink
from tests.servers.rabbitmq import RabbitMQ

LANE, NORMAL = "http", "http.normal"
GARBAGE = [b"", b"{", b'{"v": 99, "id": "x", "attempt": 0}', b"[1]", b"\xff" * 1_000_000]
SEED = 7
_NOW = "SELECT clock_timestamp() AS now"
_DONE_SINCE = (
    "SELECT 1 FROM job_results WHERE due_at > $1::timestamptz AND outcome_code = 'success' HAVING count(*) >= $2"
)
_UNCLAIMED = "SELECT 1 FROM scheduled_jobs WHERE state = 'dispatched' HAVING count(*) >= $1"
_HELD_BACK = """
    SELECT 1 FROM scheduled_jobs WHERE state = 'planned' AND run_after < now() - interval '1 second'
    HAVING count(*) >= $1
"""
# The sweeper publishes again what nobody has claimed for 2 to 30 minutes. Nothing is gained by waiting for that here,
# so these rows are made to look as if that time had passed.
_HALF_AN_HOUR_LATER = change_jobs("dispatched_at = dispatched_at - interval '31 minutes'", "state = 'dispatched'")


@pytest_asyncio.fixture
async def proxy(amqp_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(LOOPBACK, urlsplit(amqp_url).port or 0) as made:
        yield made


async def done(stack: Stack, count: int) -> None:
    """Until so much of what is due from now on has been sent and recorded."""
    (row,) = await stack.fetch(_NOW)
    await stack.until(_DONE_SINCE, row["now"], count)


def vhost(stack: Stack) -> str:
    return stack.amqp_url.rpartition("/")[2]


@pytest.mark.long
@pytest.mark.parametrize("unclaimed", [60, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
async def test_queues_that_are_deleted_unbound_and_fed_garbage(
    stack: Stack, load: Load, rabbitmq_server: RabbitMQ, unclaimed: int
) -> None:
    runner = stack.runner()
    with Sink() as sink:
        await stack.scheduler().start()
        await load.add_callbacks(jobs=unclaimed // 5, interval_seconds=1, url=sink.url())
        await stack.until(_UNCLAIMED, unclaimed)
        await rabbitmq_server.api("DELETE", f"queues/{vhost(stack)}/{NORMAL}")
        await stack.fetch(_HALF_AN_HOUR_LATER)
        await runner.start()
        await done(stack, unclaimed // 5)

        # Under the consumer: it is not told in every case, and looks for itself.
        await rabbitmq_server.api("DELETE", f"queues/{vhost(stack)}/{NORMAL}")
        await done(stack, unclaimed // 5)

        binding = f"bindings/{vhost(stack)}/e/{EXCHANGE}/q/{NORMAL}/{NORMAL}"
        await rabbitmq_server.api("DELETE", binding)
        await done(stack, unclaimed // 5)
        assert await rabbitmq_server.api("GET", binding)

        await publish_garbage(stack)
        await until(lambda: unreadable(runner.log), what="all garbage to be acknowledged")
        await done(stack, unclaimed // 5)
        await stack.fetch(_HALF_AN_HOUR_LATER)
        (await load.findings()).assert_none()


async def publish_garbage(stack: Stack) -> None:
    async with await aio_pika.connect(stack.amqp_url) as connection:
        exchange = await (await connection.channel()).get_exchange(EXCHANGE)
        for body in GARBAGE:
            await exchange.publish(aio_pika.Message(body), routing_key=NORMAL)


async def unreadable(log: str) -> bool:
    return log.count('"unreadable_message"') == len(GARBAGE)


@pytest.mark.parametrize("kills", [0, pytest.param(3, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
async def test_a_broker_that_is_killed_and_then_wiped(
    stack: Stack, load: Load, rabbitmq_server: RabbitMQ, kills: int
) -> None:
    with Sink() as sink:
        await asyncio.gather(stack.scheduler().start(), stack.runner().start())
        await load.add_callbacks(jobs=15, interval_seconds=1, url=sink.url("/after/20"))
        for _ in range(kills):
            await done(stack, 15)
            await rabbitmq_server.settle()
            await rabbitmq_server.kill()
            await stack.until(_HELD_BACK, 15)
            await rabbitmq_server.start()
        await done(stack, 15)
        await rabbitmq_server.wipe()
        await rabbitmq_server.create_vhost(vhost(stack))
        await done(stack, 15)
        await stack.fetch(_HALF_AN_HOUR_LATER)
        (await load.findings()).assert_none()


@pytest.mark.long
async def test_silence_and_resets_between_us_and_the_broker(stack: Stack, load: Load, proxy: Proxy) -> None:
    print(f"seed {SEED}")
    seeded, url = random.Random(SEED), proxy.in_front_of(stack.amqp_url)
    scheduler, runner = stack.scheduler(PARAKEET_AMQP_URL=url), stack.runner(PARAKEET_AMQP_URL=url)
    with Sink() as sink:
        await asyncio.gather(scheduler.start(), runner.start())
        await load.add_callbacks(jobs=15, interval_seconds=1, url=sink.url("/after/20"))
        await done(stack, 15)
        for _ in range(2):
            proxy.has_cut.clear()
            proxy.cut_after_bytes(seeded.randrange(1, 2000), "up")  # some 200 bytes each, so in the middle of one
            await proxy.has_cut.wait()
            await done(stack, 5)

        before = runner.log.count('"queue_lost"')
        # The broker gets all that is published, and none of its answers come through.
        proxy.swallow("down")
        await stack.until(_HELD_BACK, 30)
        await until(lambda: more_were_lost(runner.log, before), what="the runner to miss the broker's heartbeats")
        assert '"broker_not_answering"' in scheduler.log
        await proxy.pass_all()
        await done(stack, 15)
        (await load.findings()).assert_none()
        # What was published without a confirm is published again: twice in the queue, but claimed once.
        assert {len(requests) for requests in sink.requests_by_message_id().values()} == {1}


async def more_were_lost(log: str, before: int) -> bool:
    return log.count('"queue_lost"') > before


async def fifty_wait(queue: RabbitQueue) -> bool:
    return (await queue.depths([LANE])).get(NORMAL, 0) >= 50


async def test_a_full_queue_holds_the_rest_back_until_there_is_room(stack: Stack, load: Load, tmp_path: Path) -> None:
    """In this process, as a queue's length is no setting of the processes."""
    queues = [RabbitQueue(stack.amqp_url, max_length=50) for _ in range(2)]
    shared = {"database_url": stack.database_url, "amqp_url": stack.amqp_url}
    scheduler = SchedulerSettings.model_validate({**shared, "redis_url": stack.redis_url})
    runner = RunnerSettings.model_validate(
        {
            **shared,
            "webdriver_url": stack.webdriver_url,
            "secret_keys": stack.secret_keys,
            "callback_allow": LOOPBACK,
            "evidence_dir": tmp_path,
        }
    )
    stop = asyncio.Event()
    with Sink() as sink:
        duties = [asyncio.create_task(scheduler_process.run(scheduler, queues[0], stop))]
        # Few a second, so that also a slow machine sends what comes due while it sends what was held back.
        await load.add_callbacks(jobs=15, interval_seconds=1, url=sink.url())
        try:
            await until(lambda: fifty_wait(queues[1]), what="the queue to fill up")
            # The broker takes what was on its way when it filled up, and from then on nothing.
            await stack.until(_HELD_BACK, 45)
            full = await queues[1].depths([LANE])
            await stack.until(_HELD_BACK, 90)
            assert await queues[1].depths([LANE]) == full
            assert not sink.requests
            duties.append(asyncio.create_task(runner_process.run(runner, queues[1], stop)))
            await done(stack, 50)
            (await load.findings(sink)).assert_none()
        finally:
            stop.set()
            await asyncio.gather(*duties)
            for queue in queues:
                await queue.close()


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_the_broker_takes_back_what_is_not_acknowledged_in_time(
    stack: Stack, load: Load, rabbitmq_server: RabbitMQ
) -> None:
    """A callback of 150 s under an ack timeout of 60 s: its message comes again, and finds nothing to claim."""
    await rabbitmq_server.ctl("eval", "application:set_env(rabbit, consumer_timeout, 60000).")
    try:
        with Sink() as sink:
            runner = stack.runner()
            await asyncio.gather(stack.scheduler().start(), runner.start())
            await load.add_callbacks(jobs=2, interval_seconds=3600, url=sink.url("/after/150000"))
            await stack.fetch("UPDATE jobs SET timeout_seconds = 200")
            await stack.until("SELECT 1 FROM job_results HAVING count(*) = 2", seconds=300)
            found = await load.findings()
            found.assert_none()
            assert found.outcomes == {"success": 2}
            assert len(sink.requests) == 2
            assert '"queue_lost"' in runner.log, "the broker has closed the channel"
    finally:
        await rabbitmq_server.ctl("eval", "application:set_env(rabbit, consumer_timeout, 1800000).")
