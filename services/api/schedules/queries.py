import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.schedules.definitions import Definition, read_schedules
from services.api.schedules.schedule_rows import read_clock
from services.api.schedules.schemas import ChosenView, NextRun, NextRuns, Preview, PreviewMoment
from shared.domain.cron import CronMoment, InvalidCron, parse_cron
from shared.domain.schedule import Origin, Timing
from shared.models import Job, JobConfiguration, Schedule, ScheduledJob

_MICROSECOND = timedelta(microseconds=1)


def preview(expression: str, zone: str, count: int, now: datetime) -> Preview:
    cron = parse_cron(expression, zone)
    items: list[PreviewMoment] = []
    moment = now
    while len(items) < count:
        try:
            found = cron.after(moment)
        except InvalidCron:
            break
        moment = found.due_at
        local_time = moment.astimezone(cron.zone).isoformat()
        items.append(PreviewMoment(due_at=moment, local_time=local_time, oddity=found.oddity))
    return Preview(items=items)


async def read_next_runs(session: AsyncSession, definition: Definition, count: int) -> NextRuns:
    """The nearest moments over all its lines, those that are planned already included."""
    schedules = await read_schedules(session, definition)
    now = await read_clock(session)
    planned = await _planned_ahead(session, schedules, now)
    lines = [_upcoming(schedule, planned.get(schedule.id, ()), now) for schedule in schedules]
    return NextRuns(items=list(islice(heapq.merge(*lines, key=lambda run: run.due_at), count)))


async def _planned_ahead(
    session: AsyncSession, schedules: Sequence[Schedule], now: datetime
) -> dict[UUID, list[datetime]]:
    """The planner moves a schedule on shortly before its moment: until then only the scheduled job stands for it."""
    ahead = (
        select(ScheduledJob.schedule_id, ScheduledJob.due_at)
        .where(ScheduledJob.schedule_id.in_([schedule.id for schedule in schedules]))
        .where(ScheduledJob.origin == Origin.SCHEDULE, ScheduledJob.due_at > now)
        .order_by(ScheduledJob.due_at)
    )
    found: dict[UUID, list[datetime]] = {}
    for schedule_id, due_at in await session.execute(ahead):
        found.setdefault(schedule_id, []).append(due_at)
    return found


def _upcoming(schedule: Schedule, planned: Sequence[datetime], now: datetime) -> Iterator[NextRun]:
    timing = schedule.timing()
    for due_at in planned:
        found = _moment_from(timing, due_at)
        yield _next_run(schedule, timing, found if found and found.due_at == due_at else CronMoment(due_at))
    if schedule.never_due:
        return
    if timing.fixed_delay:
        # At the earliest: the end of the run before moves it on.
        if not planned:
            yield _next_run(schedule, timing, CronMoment(max(schedule.next_due, now)))
        return
    moment = _moment_from(timing, max(schedule.next_due, now))
    while moment is not None:
        if moment.due_at not in planned:
            yield _next_run(schedule, timing, moment)
        moment = _moment_from(timing, moment.due_at + _MICROSECOND)


def _next_run(schedule: Schedule, timing: Timing, moment: CronMoment) -> NextRun:
    return NextRun(
        browser=schedule.browser,
        due_at=moment.due_at,
        run_after=timing.run_after(moment.due_at),
        oddity=moment.oddity,
    )


def _moment_from(timing: Timing, moment: datetime) -> CronMoment | None:
    """The first due moment at or after `moment`, with its oddity; None when none comes."""
    if timing.fixed_delay:
        return CronMoment(moment)
    if timing.cron is None:
        return CronMoment(timing.due_after(moment - _MICROSECOND))
    try:
        return parse_cron(timing.cron, timing.timezone).after(moment - _MICROSECOND)
    except InvalidCron:
        return None


def paused_view(definition: Definition) -> dict[str, Any] | None:
    """The members of `PausedView`; None when it is not paused."""
    if definition.paused_at is None:
        return None
    return {
        "reason": definition.paused_reason,
        "by": definition.paused_by,
        "at": definition.paused_at,
        "until": definition.paused_until,
    }


def chosen_view(definitions: Sequence[Definition]) -> ChosenView:
    return ChosenView(
        job_configurations=[item.id for item in definitions if isinstance(item, JobConfiguration)],
        jobs=[item.id for item in definitions if isinstance(item, Job)],
    )
