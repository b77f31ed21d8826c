"""Each process is killed in the middle of its work. Then no due moment may be lost, doubled, invented or early.

Checks in a browser are the load here; most of these faults have a quicker proof with callbacks in the files beside.
"""

import asyncio

import aiohttp
import pytest

from tests.end_to_end.processes import Stack, until
from tests.faults.load import Load
from tests.servers.rabbitmq import RabbitMQ

_SOME_DONE = "SELECT count(*) FROM job_results WHERE attempts > 0 HAVING count(*) >= $1"
_PLANNED_SINCE = "SELECT 1 FROM scheduled_jobs WHERE created_at > $1 LIMIT 1"
_NOW = "SELECT clock_timestamp() AS now"
_IN_A_BROWSER = "SELECT *, browser_session->>'id' AS session FROM scheduled_jobs WHERE browser_session IS NOT NULL"
_DISPATCHED = "SELECT 1 FROM scheduled_jobs WHERE state = 'dispatched' LIMIT 1"


@pytest.mark.long
async def test_a_killed_scheduler_loses_nothing(stack: Stack, load: Load) -> None:
    scheduler = stack.scheduler()
    await asyncio.gather(scheduler.start(), stack.runner().start())
    await load.add(schedules=8, interval_seconds=1)
    await load.add(schedules=1, interval_seconds=2, overlap="allow")
    for done in (1, 3):
        await stack.until(_SOME_DONE, done)
        await scheduler.kill()
        await scheduler.start()
    await stack.until(_SOME_DONE, 4)
    (await load.findings()).assert_none()


@pytest.mark.long
async def test_the_other_scheduler_takes_over_from_a_killed_one(stack: Stack, load: Load) -> None:
    first, second = stack.scheduler("scheduler-1"), stack.scheduler("scheduler-2")
    await first.start()
    await asyncio.gather(second.start(), stack.runner().start())
    identities = await load.add(schedules=10, interval_seconds=1)
    await stack.until(_SOME_DONE, 1)
    await first.kill()
    (row,) = await stack.fetch(_NOW)

    async def all_planned_since() -> bool:
        """The survivor owns the shard of every schedule when it has planned for each of them."""
        ended = "SELECT schedule_id FROM job_results WHERE due_at > $1::timestamptz + interval '2 seconds'"
        return {found["schedule_id"] for found in await stack.fetch(ended, row["now"])} >= set(identities)

    await until(all_planned_since, what="every schedule to be planned by the survivor")
    await first.start()
    (await load.findings()).assert_none()


async def test_a_check_of_a_killed_runner_is_repeated(stack: Stack, load: Load, webdriver_url: str) -> None:
    shop, runner = stack.shop(), stack.runner()
    await asyncio.gather(shop.start(), stack.scheduler().start(), runner.start())
    # Its log-in takes 6 s, so the browser is open for that long.
    await load.add(schedules=1, interval_seconds=3600, entry_point=f"{stack.shop_url}/slow/login")
    (job,) = await stack.until(_IN_A_BROWSER)
    assert await session_is_open(webdriver_url, job["session"])
    await runner.kill()
    await runner.start()
    # Looking for findings pauses the schedules, and what is paused is not tried again.
    await stack.until("SELECT id FROM job_results")
    found = await load.findings()
    found.assert_none()
    assert (found.due, found.outcomes) == (1, {"success": 1})
    attempts = await stack.fetch("SELECT number, outcome_code FROM attempts ORDER BY number")
    assert [tuple(attempt) for attempt in attempts] == [(1, "runner_lost"), (2, "success")]

    async def closed() -> bool:
        return not await session_is_open(webdriver_url, job["session"])

    await until(closed, what="the orphan session to be closed")


@pytest.mark.long
async def test_a_killed_rabbitmq_loses_nothing(stack: Stack, load: Load, rabbitmq_server: RabbitMQ) -> None:
    await asyncio.gather(stack.scheduler().start(), stack.runner().start())
    await load.add(schedules=8, interval_seconds=1)
    await stack.until(_SOME_DONE, 2)
    await rabbitmq_server.settle()
    await stack.until(_DISPATCHED)
    await rabbitmq_server.kill()
    (row,) = await stack.fetch(_NOW)
    # The planner goes on without the broker, so there is something to publish late.
    await stack.until(_PLANNED_SINCE, row["now"])
    await rabbitmq_server.start()
    await stack.until(
        "SELECT count(*) FROM job_results WHERE executed_at > $1::timestamptz HAVING count(*) >= 2", row["now"]
    )
    (await load.findings()).assert_none()


async def session_is_open(webdriver_url: str, session: str) -> bool:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
        http.get(f"{webdriver_url}/session/{session}/url") as answer,
    ):
        return answer.ok
