"""Moments of the past, made again as scheduled jobs. The same range asked for twice makes each moment once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import FieldProblem, InvalidRequest
from services.api.scheduled_jobs.queries import scheduled_job_view
from services.api.scheduled_jobs.rows import scheduled_job_row
from services.api.schedules.schedule_rows import read_clock
from services.api.schedules.schemas import MAX_BACKFILLED, MAX_BACKFILLED_SHOWN, Backfilled, BackfillSent
from shared.domain.cron import InvalidCron
from shared.domain.schedule import Origin, Overlap, Timing
from shared.models import JobResult, Schedule, ScheduledJob

BACKFILL_PRIORITY = 2
FURTHEST = timedelta(days=366)
START_WITHIN = timedelta(days=7)


async def backfill(session: AsyncSession, schedules: Sequence[Schedule], sent: BackfillSent) -> Backfilled:
    """Of a definition that the caller has shared. Raises `InvalidRequest`."""
    now = await read_clock(session)
    _require_sensible(schedules, sent, now)
    moments = await _moments(schedules, sent)
    terms = {"run_after": now, "start_by": now + START_WITHIN, "priority": BACKFILL_PRIORITY}
    rows = [
        scheduled_job_row(schedule, Origin.BACKFILL, due_at, **terms, overlap=_overlap(schedule))
        for due_at, schedule in moments
    ]
    made = await _insert_new(session, rows, sent)
    return Backfilled(
        scheduled_jobs_count=len(made),
        already_there=len(rows) - len(made),
        scheduled_jobs=[scheduled_job_view(job) for job in await _read_first(session, made)],
    )


def _overlap(schedule: Schedule) -> Overlap:
    """Each moment is wanted, so where runs must not overlap they wait for each other."""
    return Overlap.ALLOW if schedule.overlap == Overlap.ALLOW else Overlap.IN_TURN


def _require_sensible(schedules: Sequence[Schedule], sent: BackfillSent, now: datetime) -> None:
    if any(schedule.fixed_delay for schedule in schedules):
        message = "with a fixed delay only runs make due moments, so there are none to fill in"
        raise InvalidRequest(FieldProblem(field="body", message=message))
    if sent.until > now:
        raise InvalidRequest(FieldProblem(field="until", message="must not lie in the future"))
    if sent.since >= sent.until:
        raise InvalidRequest(FieldProblem(field="since", message="must lie before until"))
    if sent.since < now - FURTHEST:
        raise InvalidRequest(FieldProblem(field="since", message=f"must not lie more than {FURTHEST.days} days back"))


async def _moments(schedules: Sequence[Schedule], sent: BackfillSent) -> list[tuple[datetime, Schedule]]:
    """Of all lines together, the oldest first."""
    timings = [schedule.timing() for schedule in schedules]
    # In a thread: a CRON expression takes a while to walk.
    lines = await asyncio.to_thread(_walk, timings, sent.since, sent.until)
    found = [(due_at, schedule) for schedule, line in zip(schedules, lines, strict=True) for due_at in line]
    return sorted(found, key=lambda pair: (pair[0], pair[1].browser or ""))


def _walk(timings: Sequence[Timing], since: datetime, until: datetime) -> list[list[datetime]]:
    lines: list[list[datetime]] = []
    count = 0
    for timing in timings:
        line: list[datetime] = []
        moment = since - timedelta(microseconds=1)
        while True:
            try:
                moment = timing.due_after(moment)
            except InvalidCron:
                break
            if moment >= until:
                break
            count += 1
            if count > MAX_BACKFILLED:
                message = f"the range holds more than {MAX_BACKFILLED:,} due moments; ask for a shorter one"
                raise InvalidRequest(FieldProblem(field="since", message=message))
            line.append(moment)
        lines.append(line)
    return lines


async def _insert_new(session: AsyncSession, rows: list[dict[str, Any]], sent: BackfillSent) -> list[UUID]:
    """The ids of those that neither wait or run, nor have a result."""
    if not rows:
        return []
    made = insert(ScheduledJob).values(rows).on_conflict_do_nothing().returning(ScheduledJob.id)
    ids = list(await session.scalars(made))
    # Only now: one that ended while we inserted has left the scheduled jobs, and has its result for certain.
    ended = and_(JobResult.id == ScheduledJob.id, JobResult.due_at >= sent.since, JobResult.due_at < sent.until)
    again = delete(ScheduledJob).where(ScheduledJob.id.in_(ids), exists().where(ended)).returning(ScheduledJob.id)
    had_ended = set(await session.scalars(again))
    return [id_ for id_ in ids if id_ not in had_ended]


async def _read_first(session: AsyncSession, ids: Sequence[UUID]) -> list[ScheduledJob]:
    query = select(ScheduledJob).where(ScheduledJob.id.in_(ids)).order_by(ScheduledJob.due_at, ScheduledJob.browser)
    return list(await session.scalars(query.limit(MAX_BACKFILLED_SHOWN)))
