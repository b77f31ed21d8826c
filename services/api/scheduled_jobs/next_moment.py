"""The next moment of a schedule, called off before it is planned.

It is planned for that, and the schedule moved past it, under the lock that shuts the planner out: so it is a scheduled
job like any other, which ends once.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import NotFound
from services.api.scheduled_jobs.rows import scheduled_job_row
from shared.domain.schedule import NEVER, Origin, scheduled_job_id
from shared.models import Schedule, ScheduledJob

AT_A_TIME = 1_000


async def plan_next(session: AsyncSession, job: UUID) -> None:
    """Plan the next moment of the schedule for which it would be this scheduled job, if there is one.

    Raises `NotFound` with a fixed delay: the end of the run before may move that moment on until it is planned.
    """
    schedule_id = await _whose_next(session, job)
    if schedule_id is None:
        return
    schedule = await session.get(Schedule, schedule_id, with_for_update=True, populate_existing=True)
    # While we waited for the lock, an edit may have moved it on, or the planner, which then has planned it.
    if schedule is None or schedule.never_due or _next_id(schedule_id, schedule.next_due) != job:
        return
    if schedule.fixed_delay:
        raise NotFound(f"{job} is not planned yet; with a fixed delay its moment is not certain before that.")
    row = scheduled_job_row(schedule, Origin.SCHEDULE, schedule.next_due)
    await session.execute(insert(ScheduledJob).values(row).on_conflict_do_nothing())
    schedule.next_due = schedule.timing().due_after(schedule.next_due)


async def _whose_next(session: AsyncSession, job: UUID) -> UUID | None:
    """An id can't be turned back into its moment, so those of all schedules are made: 100,000 take a second or two."""
    asked = select(Schedule.id, Schedule.next_due).where(Schedule.next_due < NEVER)
    rows = await session.stream(asked.execution_options(yield_per=AT_A_TIME))
    try:
        async for some in rows.partitions():
            for schedule_id, next_due in some:
                if _next_id(schedule_id, next_due) == job:
                    found: UUID = schedule_id
                    return found
    finally:
        await rows.close()
    return None


def _next_id(schedule_id: UUID, next_due: datetime) -> UUID:
    return scheduled_job_id(schedule_id, Origin.SCHEDULE, next_due)
