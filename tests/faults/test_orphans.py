"""A runner is killed while a page hangs in its browser, in a Grid with a password: no session is left in the Grid."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.end_to_end.processes import Stack, until
from tests.faults.load import Load
from tests.faults.sink import Sink
from tests.servers.grid import StandaloneGrid

pytestmark = pytest.mark.long
_IN_A_BROWSER = "SELECT browser_session->>'webdriver_url' AS url FROM scheduled_jobs WHERE browser_session IS NOT NULL"
_LOST = "SELECT 1 FROM attempts WHERE outcome_code = 'runner_lost'"


@pytest_asyncio.fixture
async def guarded(servers: Path) -> AsyncIterator[StandaloneGrid]:
    server = StandaloneGrid(
        servers / "guarded-grid", max_sessions=1, session_timeout_seconds=300, login="runner:s3cret"
    )
    await server.start()
    yield server
    await server.stop()


async def test_a_killed_runner_leaves_no_session_in_the_grid(
    servers: Path, guarded: StandaloneGrid, database_url: str, amqp_url: str, redis_url: str
) -> None:
    stack = Stack(servers / "faults-orphans", database_url, amqp_url, redis_url, guarded.url)
    load, runner = Load(stack), stack.runner(slots=1)
    try:
        with Sink() as sink:
            await asyncio.gather(stack.scheduler().start(), runner.start())
            await load.add(schedules=1, interval_seconds=3600, entry_point=sink.url("/hang"))
            (held,) = await stack.until(_IN_A_BROWSER)
            assert "s3cret" not in held["url"]
            await sink.await_at_once(1)
            await runner.kill()
            assert await busy(guarded) == 1
            # What was lost is not tried again: only the orphan is to be seen.
            await stack.fetch(
                "UPDATE job_configurations SET retry = jsonb_set(retry, '{infrastructure,attempts}', '1')"
            )
            await runner.start()
            await stack.until(_LOST)

            async def free() -> bool:
                return await busy(guarded) == 0

            await until(free, what="the Grid to have no session")
            assert "s3cret" not in runner.log
            assert await stack.fetch("SELECT 1 FROM orphan_sessions") == []
    finally:
        await stack.stop()


async def busy(grid: StandaloneGrid) -> int:
    status = await grid.status()
    return sum(slot["session"] is not None for node in status["nodes"] for slot in node["slots"])
