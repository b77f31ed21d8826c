"""Due moments that the API plans itself, since an edit would hide them from the planner.

After an outage: an edit moves the next due moment on, and then nobody would find those before it any more; yet each
must end in a result. And where old and new timing meet: see `plan_ahead`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.scheduled_jobs.rows import scheduled_job_row
from shared.domain.schedule import CatchUp, Origin, Overlap, plan, scheduled_job_id
from shared.ledger import end_not_run
from shared.models import JobResult, Schedule, ScheduledJob

MISSED = "The scheduler did not get round to it in time."

_RUN_BEFORE = text("""
    SELECT EXISTS (SELECT 1 FROM scheduled_jobs WHERE schedule_id = :id AND origin = 'schedule') AS live,
           (SELECT recorded_at FROM job_results WHERE schedule_id = :id AND origin = 'schedule'
            ORDER BY due_at DESC LIMIT 1) AS ended_at
""")


async def plan_overdue(session: AsyncSession, schedules: Sequence[Schedule], now: datetime) -> None:
    """By the rule that the scheduler follows, for schedules whose rows the caller has locked."""
    for schedule in schedules:
        if schedule.fixed_delay and not schedule.never_due and await _run_before_is_live(session, schedule):
            continue
        while not schedule.never_due and schedule.next_due <= now:
            await _plan_some(session, schedule, now)


async def plan_between(session: AsyncSession, retimed: Sequence[tuple[Schedule, Sequence[datetime]]]) -> None:
    """Plan the given moments: due by a new timing before one that the old timing had, and that is over already."""
    rows = [scheduled_job_row(schedule, Origin.SCHEDULE, due_at) for schedule, moments in retimed for due_at in moments]
    if rows:
        await session.execute(insert(ScheduledJob).values(rows).on_conflict_do_nothing())


def move_past(schedule: Schedule, now: datetime, over: Mapping[datetime, bool]) -> list[datetime]:
    """Due next at the first moment after all that are `over`; returns those from now on that lie between them.

    What is over is at most two seconds ahead, so they are few; but what was called off (so `over` says) may be any time
    ahead. Of that only what is next without a gap is passed by: see `forget_called_off`.
    """
    timing = schedule.timing()
    moments, moment = [], timing.due_after(now)
    taken = max((each for each, called_off in over.items() if not called_off), default=now)
    while moment <= taken or moment in over:
        moments.append(moment)
        moment = timing.due_after(moment)
    schedule.next_due = moment
    return [each for each in moments if each not in over]


async def forget_called_off(session: AsyncSession, schedule: Schedule, over: Mapping[datetime, bool]) -> None:
    """Those from the next moment on: a new timing that is due before them would come by what has its result already."""
    if not any(called_off and moment >= schedule.next_due for moment, called_off in over.items()):
        return
    called_off = (
        JobResult.schedule_id == schedule.id,
        JobResult.origin == Origin.SCHEDULE,
        JobResult.outcome_code == "cancelled",
        JobResult.due_at >= schedule.next_due,
    )
    await session.execute(delete(JobResult).where(*called_off))


async def _run_before_is_live(session: AsyncSession, schedule: Schedule) -> bool:
    """Whether nothing is due yet, with a fixed delay. Once it has ended, the next due moment counts from its end."""
    before = (await session.execute(_RUN_BEFORE, {"id": schedule.id})).one()
    if before.ended_at is not None and not before.live:
        schedule.next_due = max(schedule.next_due, schedule.timing().due_after(before.ended_at))
    return bool(before.live)


async def _plan_some(session: AsyncSession, schedule: Schedule, now: datetime) -> None:
    deadline = timedelta(seconds=schedule.start_deadline_seconds)
    planned = plan(
        schedule.timing(), CatchUp(schedule.catch_up), deadline, next_due=schedule.next_due, now=now, until=now
    )
    rows = [scheduled_job_row(schedule, Origin.SCHEDULE, due_at) for due_at in (*planned.missed, *planned.run)]
    # What is caught up is wanted moment by moment, so those that overlap wait for each other.
    if schedule.overlap != Overlap.ALLOW:
        for row in rows[len(planned.missed) :][: planned.caught_up]:
            row["overlap"] = Overlap.IN_TURN
    if rows:
        await session.execute(insert(ScheduledJob).values(rows).on_conflict_do_nothing())
    missed = [scheduled_job_id(schedule.id, Origin.SCHEDULE, due_at) for due_at in planned.missed]
    await end_not_run(session, missed, "missed", MISSED)
    schedule.next_due = planned.next_due
