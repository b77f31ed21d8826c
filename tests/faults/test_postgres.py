"""PostgreSQL goes away, dies in the middle, keeps an answer to itself, or is out of reach of one process alone."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.end_to_end.processes import ServiceProcess, Stack, until
from tests.faults.load import Load, change_jobs
from tests.faults.proxy import LOOPBACK, Proxy
from tests.faults.sink import Sink
from tests.servers.postgres import PostgresServer

RESTARTS = 5
_NOW = "SELECT clock_timestamp() AS now"
_DONE_SINCE = "SELECT count(*) FROM job_results WHERE executed_at > $1::timestamptz HAVING count(*) >= $2"
_OF_ALL_SINCE = """
    SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM schedules WHERE NOT EXISTS (
        SELECT 1 FROM job_results WHERE schedule_id = schedules.id
        AND due_at > $1::timestamptz + make_interval(secs => $2) AND executed_at IS NOT NULL))
"""
_NONE_FROM_BEFORE = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM scheduled_jobs WHERE due_at < $1::timestamptz)"
# A callback takes 20 ms here, so these are in nobody's hands; waiting 15 s for the end of their leases shows no more.
_END_LEASES = change_jobs("lease_until = now()", "state = 'running' AND due_at < $1::timestamptz")
_REPORTS_AGAIN = """
    SELECT 1 FROM replicas WHERE renewed_at > $1::timestamptz AND kind = $2 HAVING count(*) >= 2
"""


@pytest_asyncio.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    """In front of PostgreSQL, for whom it is given to."""
    async with Proxy(LOOPBACK, urlsplit(database_url).port or 0) as made:
        yield made


async def done(stack: Stack, count: int) -> None:
    """Until so many more callbacks have been sent and recorded."""
    (row,) = await stack.fetch(_NOW)
    await stack.until(_DONE_SINCE, row["now"], count)


async def test_restarts_and_a_kill_under_load_lose_nothing(
    stack: Stack, load: Load, postgres_server: PostgresServer
) -> None:
    with Sink() as sink:
        await asyncio.gather(stack.scheduler("scheduler-1").start(), stack.runner().start())
        await stack.scheduler("scheduler-2").start()
        await load.add_callbacks(jobs=15, interval_seconds=1, url=sink.url("/after/20"))
        for _ in range(RESTARTS):
            await done(stack, 15)
            await postgres_server.restart()
        await done(stack, 15)
        await postgres_server.kill()
        await postgres_server.start()
        await done(stack, 15)
        (await load.findings()).assert_none()


async def test_a_commit_whose_answer_was_lost_counts_once(stack: Stack, load: Load, proxy: Proxy) -> None:
    """Cut right after a COMMIT was sent: it may have landed. Claims, results and plans are hit alike."""
    url = proxy.in_front_of(stack.database_url)
    scheduler, runner = stack.scheduler(PARAKEET_DATABASE_URL=url), stack.runner(PARAKEET_DATABASE_URL=url)
    with Sink() as sink:
        await asyncio.gather(scheduler.start(), runner.start())
        await load.add_callbacks(jobs=10, interval_seconds=1, url=sink.url("/after/20"))
        await done(stack, 10)

        async def all_were_hit() -> bool:
            proxy.has_cut.clear()
            proxy.cut_after(b"COMMIT", "up")
            await proxy.has_cut.wait()
            hit = runner.log.count('"finish_failed"'), runner.log.count('"claim_failed"'), failed(scheduler, "plan")
            return all(hit)

        await until(all_were_hit, what="a finish, a claim and a plan to be cut after their commit")
        # A schedule that is stopped tries nothing again, so what was claimed by nobody has to end before.
        (row,) = await stack.fetch(_NOW)
        await done(stack, 20)
        await stack.fetch(_END_LEASES, row["now"])
        await stack.until(_NONE_FROM_BEFORE, row["now"])
        found = await load.findings()
        found.assert_none()
        # A finish that landed is known by its token, and a claim that nobody knows of has sent nothing.
        assert {len(requests) for requests in sink.requests_by_message_id().values()} == {1}
        assert found.outcomes == {"success": found.due}


def failed(process: ServiceProcess, duty: str) -> bool:
    return any('"duty_failed"' in line and f'"{duty}"' in line for line in process.log.splitlines())


@pytest.mark.long
async def test_who_alone_is_cut_off_is_stood_in_for_and_comes_back(stack: Stack, load: Load, proxy: Proxy) -> None:
    url = proxy.in_front_of(stack.database_url)
    scheduler, runner = (
        stack.scheduler("scheduler-1", PARAKEET_DATABASE_URL=url),
        stack.runner("runner-1", PARAKEET_DATABASE_URL=url),
    )
    with Sink() as sink:
        await asyncio.gather(scheduler.start(), runner.start())
        await stack.scheduler("scheduler-2").start()
        await stack.runner("runner-2").start()
        await load.add_callbacks(jobs=12, interval_seconds=1, url=sink.url())
        await done(stack, 24)
        proxy.swallow()
        (row,) = await stack.fetch(_NOW)
        # The other scheduler owns all shards after 2 s; what the runner had taken goes back to the queue after 5.
        await stack.until(_OF_ALL_SINCE, row["now"], 6.0)
        assert '"pulse_missed"' in scheduler.log
        assert '"stepped_aside"' in runner.log
        await until(lambda: nothing_waits(stack), what="what the runner held to be done by the other")
        await proxy.pass_all()
        proxy.reset()  # what was sent into the hole will not be answered any more
        (row,) = await stack.fetch(_NOW)
        for kind in ("scheduler", "runner"):
            await stack.until(_REPORTS_AGAIN, row["now"], kind)
        (await load.findings()).assert_none()


async def nothing_waits(stack: Stack) -> bool:
    """Nothing that was due is in the hands of somebody who can't claim it."""
    return not await stack.fetch(
        "SELECT 1 FROM scheduled_jobs WHERE state = 'dispatched' AND run_after < now() - interval '3 seconds'"
    )
