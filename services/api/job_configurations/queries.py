import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import NotFound
from services.api.job_configurations.schemas import (
    ConfigurationPage,
    ConfigurationQuery,
    ConfigurationView,
    NextRun,
    NextRuns,
)
from services.api.pagination import moment_cursor, write_cursor
from shared.domain.cron import CronMoment, InvalidCron, parse_cron
from shared.domain.schedule import Timing
from shared.models import JobConfiguration, Schedule


async def find_configuration(session: AsyncSession, configuration_id: UUID) -> JobConfiguration:
    """Raises `NotFound`."""
    configuration = await session.get(JobConfiguration, configuration_id)
    if configuration is None:
        raise NotFound(f"There is no job configuration {configuration_id}.")
    return configuration


async def list_configurations(session: AsyncSession, asked: ConfigurationQuery) -> ConfigurationPage:
    key = tuple_(JobConfiguration.created_at, JobConfiguration.id)
    query = select(JobConfiguration).order_by(JobConfiguration.created_at, JobConfiguration.id).limit(asked.limit + 1)
    if asked.partner is not None:
        query = query.where(JobConfiguration.partner == asked.partner)
    if asked.browser is not None:
        query = query.where(JobConfiguration.browsers.contains([asked.browser]))
    after = moment_cursor(asked.cursor)
    if after is not None:
        query = query.where(key > after)
    found = list(await session.scalars(query))
    items = [configuration_view(configuration) for configuration in found[: asked.limit]]
    following = write_cursor((items[-1].created_at, items[-1].id)) if len(found) > asked.limit else None
    return ConfigurationPage(items=items, next_cursor=following)


async def read_next_runs(session: AsyncSession, configuration_id: UUID, count: int) -> NextRuns:
    """The nearest moments over all its browsers. Raises `NotFound`."""
    await find_configuration(session, configuration_id)
    of_configuration = select(Schedule).where(Schedule.job_configuration_id == configuration_id)
    schedules = list(await session.scalars(of_configuration.order_by(Schedule.browser)))
    now = (await session.execute(text("SELECT now()"))).scalar_one()
    lines = [_upcoming(schedule, now) for schedule in schedules if not schedule.never_due]
    return NextRuns(items=list(islice(heapq.merge(*lines, key=lambda run: run.due_at), count)))


def _upcoming(schedule: Schedule, now: datetime) -> Iterator[NextRun]:
    timing = schedule.timing()
    # A moment before, so that the next due moment itself comes first, with its oddity.
    moment = max(schedule.next_due, now) - timedelta(microseconds=1)
    while True:
        try:
            found = _moment_after(timing, moment)
        except InvalidCron:
            return
        moment = found.due_at
        yield NextRun(
            browser=schedule.browser or "",
            due_at=found.due_at,
            run_after=timing.run_after(found.due_at),
            oddity=found.oddity,
        )


def _moment_after(timing: Timing, moment: datetime) -> CronMoment:
    if timing.cron is None:
        return CronMoment(timing.due_after(moment))
    return parse_cron(timing.cron, timing.timezone).after(moment)


def configuration_view(configuration: JobConfiguration) -> ConfigurationView:
    paused = None
    if configuration.paused_at is not None:
        paused = {
            "reason": configuration.paused_reason,
            "by": configuration.paused_by,
            "at": configuration.paused_at,
            "until": configuration.paused_until,
        }
    stored = {name: getattr(configuration, name) for name in ConfigurationView.model_fields if name != "paused"}
    return ConfigurationView.model_validate({**stored, "paused": paused})
