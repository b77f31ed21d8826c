"""The load itself: what it stops is accounted for to the last due moment."""

import asyncio
from pathlib import Path

from tests.end_to_end.processes import Stack
from tests.faults.load import CLOSED, Load

_HOLD = "SELECT 1 FROM schedules FOR UPDATE"
_PLAN = "UPDATE schedules SET next_due = next_due + interval '1 minute' WHERE next_due <= clock_timestamp()"
_IS_DUE = "SELECT 1 FROM schedules WHERE next_due <= clock_timestamp()"
_IS_STOPPED = "SELECT 1 FROM schedules WHERE next_due = 'infinity'"
_WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_what_falls_due_while_the_load_is_being_stopped_is_left_to_the_planner(
    database_url: str, tmp_path: Path
) -> None:
    stack = Stack(folder=tmp_path, database_url=database_url, amqp_url="", redis_url="", webdriver_url="")
    load = Load(stack)
    await load.add_callbacks(jobs=1, interval_seconds=3600, url=CLOSED, first_due_in=2)
    async with stack.transaction() as planner:
        await planner.execute(_HOLD)
        stopping = asyncio.create_task(load.stop())
        await stack.until(_WAITS)
        await stack.until(_IS_DUE)
    # Nobody has planned it yet, so it must be left due.
    assert not await stack.fetch(_IS_STOPPED)
    await stack.fetch(_PLAN)
    (watched,) = await stopping
    assert len(watched.due_moments()) == 1
