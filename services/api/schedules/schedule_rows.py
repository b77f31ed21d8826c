"""Definitions into `schedules` rows: one a line, due at its next moment or never.

Locks are taken in one order everywhere: partner, browsers, job configurations by id, jobs by id, schedules by id,
scheduled jobs. The schedules come before the scheduled jobs because their lock shuts the planner out: its statement
compares the due moment it read, waits for us, then finds another one (or no row) and inserts nothing. What it had
inserted before, we see.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.schedules.definitions import Definition, Line, of_definitions, wanted_lines
from services.api.schedules.due_moments import forget_called_off, move_past, plan_between, plan_overdue
from shared.domain.schedule import NEVER, shard_of
from shared.ledger import end_not_run
from shared.models import JobConfiguration, Schedule, ScheduledJob

PRIORITIES = {"high": 0, "normal": 1}
UNCLAIMED = ScheduledJob.state.in_(("planned", "dispatched"))

# Jobs on their way that are not due yet follow an edit that leaves the timing alone. Run now keeps its own terms.
_FOLLOW = text("""
    UPDATE scheduled_jobs jobs
    SET overlap = CASE WHEN jobs.overlap = 'in_turn' AND schedules.overlap <> 'allow' THEN 'in_turn'
                       ELSE schedules.overlap END,
        priority = schedules.priority,
        start_by = jobs.due_at + schedules.start_deadline_seconds * interval '1 second'
    FROM schedules
    WHERE schedules.id = jobs.schedule_id AND schedules.id = ANY(CAST(:ids AS uuid[]))
      AND jobs.state = 'planned' AND jobs.origin = 'schedule'
""")

_OVER = text("""
    SELECT schedule_id, due_at, false AS called_off FROM scheduled_jobs
    WHERE schedule_id = ANY(CAST(:ids AS uuid[])) AND origin = 'schedule' AND due_at > :now
      AND (state = 'running' OR attempt > 0)
    UNION ALL
    SELECT schedule_id, due_at, outcome_code = 'cancelled' FROM job_results
    WHERE schedule_id = ANY(CAST(:ids AS uuid[])) AND origin = 'schedule' AND due_at > :now
""")


async def apply_definitions(session: AsyncSession, definitions: Sequence[Definition], reason: str) -> None:
    """Make the schedules say what the (locked, flushed) definitions say; `reason` is why any of them stops."""
    await session.flush()
    schedules = await _lock_schedules(session, definitions)
    now, over = await _shut_out_claims(session, schedules)
    await plan_overdue(session, schedules, now)
    lines = await wanted_lines(session, definitions)
    stopped, retimed, kept = [], [], []
    for definition in definitions:
        own = {row.browser: row for row in schedules if definition.id in (row.job_configuration_id, row.job_id)}
        for line in lines[definition.id]:
            row = own.pop(line.browser, None)
            if row is None:
                session.add(_new_row(definition, line, now))
                continue
            timing_before, never_before = row.timing(), row.never_due
            _write(row, definition)
            if not line.runs:
                row.next_due = NEVER
                stopped.append(row.id)
            elif row.timing() != timing_before or never_before:
                retimed.append((row, move_past(row, now, over[row.id])))
                await forget_called_off(session, row, over[row.id])
            else:
                kept.append(row.id)
        await _remove(session, own.values(), now, reason)
    await session.flush()
    retimed_ids = [row.id for row, _ in retimed]
    await _withdraw_future(session, [*stopped, *retimed_ids], now)
    await _end_due(session, stopped, reason)
    await plan_between(session, retimed)
    await session.execute(_FOLLOW, {"ids": sorted([*retimed_ids, *kept])})


async def remove_schedules(session: AsyncSession, definitions: Sequence[Definition], reason: str) -> None:
    schedules = await _lock_schedules(session, definitions)
    now, _ = await _shut_out_claims(session, schedules)
    await plan_overdue(session, schedules, now)
    await _remove(session, schedules, now, reason)


async def read_clock(session: AsyncSession) -> datetime:
    """Asked for after the locks: `now()`, the start of the transaction, may lie before what the planner did since."""
    moment: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return moment


async def _remove(session: AsyncSession, rows: Iterable[Schedule], now: datetime, reason: str) -> None:
    ids = [row.id for row in rows]
    if not ids:
        return
    # Shuts the planner out before its rows are taken back.
    await session.execute(update(Schedule).where(Schedule.id.in_(ids)).values(next_due=NEVER))
    await _withdraw_future(session, ids, now)
    await _end_due(session, ids, reason)
    await session.execute(delete(Schedule).where(Schedule.id.in_(ids)))


async def _lock_schedules(session: AsyncSession, definitions: Sequence[Definition]) -> list[Schedule]:
    query = select(Schedule).where(of_definitions(definitions)).order_by(Schedule.id)
    return list(await session.scalars(query.with_for_update().execution_options(populate_existing=True)))


async def _shut_out_claims(
    session: AsyncSession, schedules: Sequence[Schedule]
) -> tuple[datetime, dict[UUID, dict[datetime, bool]]]:
    """The time, once nothing more of these schedules can be claimed; and by schedule what is over already.

    A moment may be claimed just before it is due, or be cancelled long before. It is over with, although it lies ahead:
    planned anew it would run twice. Of each it is told whether it was called off (cancelled).
    """
    ids = [schedule.id for schedule in schedules]
    unclaimed = select(ScheduledJob.id).where(ScheduledJob.schedule_id.in_(ids), UNCLAIMED).order_by(ScheduledJob.id)
    await session.execute(unclaimed.with_for_update())
    now = await read_clock(session)
    over: dict[UUID, dict[datetime, bool]] = defaultdict(dict)
    for row in await session.execute(_OVER, {"ids": ids, "now": now}):
        over[row.schedule_id][row.due_at] = row.called_off
    return now, over


async def _withdraw_future(session: AsyncSession, schedule_ids: Sequence[UUID], now: datetime) -> None:
    """What is not due yet was only planned ahead; the new definition plans its own."""
    if not schedule_ids:
        return
    locked = (
        select(ScheduledJob.id)
        .where(
            ScheduledJob.schedule_id.in_(schedule_ids), UNCLAIMED, ScheduledJob.due_at > now, ScheduledJob.attempt == 0
        )
        .order_by(ScheduledJob.id)
        .with_for_update()
    )
    ids = list(await session.scalars(locked))
    await session.execute(delete(ScheduledJob).where(ScheduledJob.id.in_(ids)))


async def _end_due(session: AsyncSession, schedule_ids: Sequence[UUID], reason: str) -> None:
    if not schedule_ids:
        return
    due = (
        select(ScheduledJob.id)
        .where(ScheduledJob.schedule_id.in_(schedule_ids), UNCLAIMED)
        .order_by(ScheduledJob.id)
        .with_for_update()
    )
    await end_not_run(session, list(await session.scalars(due)), "cancelled", reason)


def _new_row(definition: Definition, line: Line, now: datetime) -> Schedule:
    row = Schedule(id=uuid4(), kind=line.kind, lane=line.lane, next_due=NEVER)
    row.shard = shard_of(row.id)
    row.partner = line.partner
    row.browser = line.browser
    if isinstance(definition, JobConfiguration):
        row.job_configuration_id = definition.id
    else:
        row.job_id = definition.id
    _write(row, definition)
    if line.runs:
        row.next_due = row.timing().due_after(now)
    return row


def _write(row: Schedule, definition: Definition) -> None:
    schedule: dict[str, Any] = definition.schedule
    row.interval_seconds = schedule.get("interval_seconds")
    row.fixed_delay = schedule.get("interval_mode") == "fixed_delay"
    row.cron = schedule.get("cron")
    row.timezone = schedule.get("timezone", "UTC")
    row.jitter_seconds = definition.jitter_seconds
    row.overlap = definition.overlap
    row.catch_up = definition.catch_up
    row.start_deadline_seconds = definition.start_deadline_seconds
    row.priority = PRIORITIES[definition.priority]
