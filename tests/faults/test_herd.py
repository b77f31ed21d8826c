"""Thousands due at one moment: all are recorded, and what is run now meanwhile does not stand in line behind them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.schedules.commands import run_now
from shared.database import connect
from shared.models import Schedule
from tests.end_to_end.processes import Stack
from tests.faults.load import Load
from tests.faults.sink import Sink

SLOTS = 50
URGENT = 5
DAY = 86_400

_DISPATCHED = """
    SELECT count(*) FROM scheduled_jobs WHERE origin = 'manual' AND state = 'dispatched' HAVING count(*) = $1
"""
_ALL_DONE = "SELECT count(*) FROM job_results WHERE outcome_code = 'success' HAVING count(*) >= $1"
_ORDER = """
    SELECT origin, started_at FROM attempts JOIN job_results ON job_results.id = scheduled_job_id
    ORDER BY started_at
"""


@pytest.mark.parametrize(
    ("size", "due_in"), [(2_000, 5), pytest.param(20_000, 60, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
async def test_a_herd_is_recorded_and_run_now_passes_it(stack: Stack, load: Load, size: int, due_in: float) -> None:
    with Sink() as sink:
        # The slots are full of callbacks that hang, so what starts next shows the order of all that wait.
        rules: dict[str, Any] = {"interval_seconds": DAY, "first_due_in": due_in, "quiet": (0, 3_600)}
        await load.add_callbacks(jobs=size, url=sink.url("/hang"), **rules)
        quiet = await load.add_callbacks(jobs=URGENT, interval_seconds=DAY, url=sink.url(), first_due_in=DAY)
        runner = stack.runner(PARAKEET_CALLBACK_SLOTS=str(SLOTS))
        await asyncio.gather(stack.scheduler().start(), runner.start())
        await sink.await_at_once(SLOTS, seconds=due_in + 60)
        await run_all_now(stack, quiet)
        await stack.until(_DISPATCHED, URGENT)
        sink.release()
        await stack.until(_ALL_DONE, size + URGENT, seconds=300)
        found = await load.findings(sink)
        found.assert_none()
        assert (found.due, found.outcomes, found.amplification) == (size, {"success": size}, 1.0)
        started = [row["origin"] for row in await stack.fetch(_ORDER)]
        urgent = [place for place, origin in enumerate(started) if origin == "manual"]
        print(f"{size} due at once; run now was started at the places {urgent}")
        # After those that hung already, and beside those that began in the same moment.
        assert len(urgent) == URGENT
        assert max(urgent) < 4 * SLOTS


async def run_all_now(stack: Stack, schedules: list[UUID]) -> None:
    engine = connect(stack.database_url, application_name="parakeet test")
    try:
        async with AsyncSession(engine) as session, session.begin():
            await run_now(session, list(await session.scalars(select(Schedule).where(Schedule.id.in_(schedules)))))
    finally:
        await engine.dispose()
