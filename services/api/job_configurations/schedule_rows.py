"""Definitions into `schedules` rows: one a browser, due at its next moment or never.

Locks are taken in one order everywhere: partner, browsers, job configurations by id, schedules by id, scheduled jobs.
The schedules come before the jobs because their lock shuts the planner out: its statement compares the due moment it
read, waits for us, then finds another one (or no row) and inserts nothing. What it had inserted before, we see.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.job_configurations.due_moments import plan_ahead, plan_overdue
from shared.domain.schedule import NEVER, shard_of
from shared.ledger import end_not_run
from shared.models import Browser, JobConfiguration, Partner, Schedule, ScheduledJob

PRIORITIES = {"high": 0, "normal": 1}
UNCLAIMED = ScheduledJob.state.in_(("planned", "dispatched"))

# Jobs on their way that are not due yet follow an edit that leaves the timing alone. Run now keeps its own terms.
_FOLLOW = text("""
    UPDATE scheduled_jobs jobs
    SET overlap = schedules.overlap, priority = schedules.priority,
        start_by = jobs.due_at + schedules.start_deadline_seconds * interval '1 second'
    FROM schedules
    WHERE schedules.id = jobs.schedule_id AND schedules.id = ANY(CAST(:ids AS uuid[]))
      AND jobs.state = 'planned' AND jobs.origin = 'schedule'
""")


async def lock_configurations(session: AsyncSession, condition: ColumnElement[bool]) -> list[JobConfiguration]:
    query = select(JobConfiguration).where(condition).order_by(JobConfiguration.id)
    return list(await session.scalars(query.with_for_update().execution_options(populate_existing=True)))


async def apply_definition(session: AsyncSession, configurations: Sequence[JobConfiguration], reason: str) -> None:
    """Make the schedules say what the (locked, flushed) configurations say; `reason` is why any of them stops."""
    await session.flush()
    schedules = await _lock_schedules(session, configurations)
    now = await _now(session)
    await plan_overdue(session, schedules, now)
    active_partners, enabled_browsers = await _what_runs(session, configurations)
    stopped, retimed, kept, unmoved = [], [], [], []
    for configuration in configurations:
        own = {row.browser: row for row in schedules if row.job_configuration_id == configuration.id}
        runs = configuration.enabled and configuration.paused_at is None and configuration.partner in active_partners
        for browser in configuration.browsers:
            row = own.pop(browser, None)
            due_when = now if runs and browser in enabled_browsers else None
            if row is None:
                session.add(_new_row(configuration, browser, due_when))
                continue
            timing_before, due_before, never_before = row.timing(), row.next_due, row.never_due
            _write(row, configuration)
            if due_when is None:
                row.next_due = NEVER
                stopped.append(row.id)
            elif row.timing() != timing_before or never_before:
                row.next_due = row.timing().due_after(now)
                retimed.append(row.id)
                if row.next_due == due_before:
                    unmoved.append(row)
            else:
                kept.append(row.id)
        await _remove(session, own.values(), now, reason)
    await session.flush()
    await _withdraw_future(session, [*stopped, *retimed], now)
    await _end_due(session, stopped, reason)
    await plan_ahead(session, unmoved)
    await session.execute(_FOLLOW, {"ids": sorted([*retimed, *kept])})


async def remove_schedules(session: AsyncSession, configurations: Sequence[JobConfiguration], reason: str) -> None:
    schedules = await _lock_schedules(session, configurations)
    now = await _now(session)
    await plan_overdue(session, schedules, now)
    await _remove(session, schedules, now, reason)


async def _remove(session: AsyncSession, rows: Iterable[Schedule], now: datetime, reason: str) -> None:
    ids = [row.id for row in rows]
    if not ids:
        return
    # Shuts the planner out before its rows are taken back.
    await session.execute(update(Schedule).where(Schedule.id.in_(ids)).values(next_due=NEVER))
    await _withdraw_future(session, ids, now)
    await _end_due(session, ids, reason)
    await session.execute(delete(Schedule).where(Schedule.id.in_(ids)))


async def _lock_schedules(session: AsyncSession, configurations: Sequence[JobConfiguration]) -> list[Schedule]:
    query = (
        select(Schedule)
        .where(Schedule.job_configuration_id.in_([configuration.id for configuration in configurations]))
        .order_by(Schedule.id)
    )
    return list(await session.scalars(query.with_for_update().execution_options(populate_existing=True)))


async def _now(session: AsyncSession) -> datetime:
    """Asked for after the locks: `now()`, the start of the transaction, may lie before what the planner did since."""
    moment: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return moment


async def _what_runs(
    session: AsyncSession, configurations: Sequence[JobConfiguration]
) -> tuple[frozenset[str], frozenset[str]]:
    codes = {configuration.partner for configuration in configurations}
    partners = await session.scalars(select(Partner.code).where(Partner.code.in_(codes), Partner.active))
    browsers = await session.scalars(select(Browser.name).where(Browser.enabled))
    return frozenset(partners), frozenset(browsers)


async def _withdraw_future(session: AsyncSession, schedule_ids: Sequence[UUID], now: datetime) -> None:
    """What is not due yet was only planned ahead; the new definition plans its own."""
    if not schedule_ids:
        return
    locked = (
        select(ScheduledJob.id)
        .where(ScheduledJob.schedule_id.in_(schedule_ids), UNCLAIMED, ScheduledJob.due_at > now)
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


def _new_row(configuration: JobConfiguration, browser: str, due_when: datetime | None) -> Schedule:
    row = Schedule(id=uuid4(), kind="check", job_configuration_id=configuration.id, browser=browser, next_due=NEVER)
    row.shard = shard_of(row.id)
    row.partner = configuration.partner
    row.lane = f"browser.{browser}"
    _write(row, configuration)
    if due_when is not None:
        row.next_due = row.timing().due_after(due_when)
    return row


def _write(row: Schedule, configuration: JobConfiguration) -> None:
    schedule: dict[str, Any] = configuration.schedule
    row.interval_seconds = schedule.get("interval_seconds")
    row.cron = schedule.get("cron")
    row.timezone = schedule.get("timezone", "UTC")
    row.jitter_seconds = configuration.jitter_seconds
    row.overlap = configuration.overlap
    row.catch_up = configuration.catch_up
    row.start_deadline_seconds = configuration.start_deadline_seconds
    row.priority = PRIORITIES[configuration.priority]
