import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import FieldProblem, InvalidRequest, NotFound
from services.api.fields import SLUG_PATTERN
from services.api.job_configurations.schedule_rows import apply_definition, lock_configurations, remove_schedules
from services.api.job_configurations.schemas import ConfigurationSent, PauseSent, RunSent
from services.api.merge_patch import validate_merged
from shared.domain.schedule import Origin, scheduled_job_id
from shared.models import Browser, JobConfiguration, Partner, Schedule, ScheduledJob

RUN_NOW_PRIORITY = 0


async def create_configuration(session: AsyncSession, sent: ConfigurationSent) -> JobConfiguration:
    """With its schedules. Raises `InvalidRequest` for an unknown partner or browser."""
    await _require_known(session, sent)
    configuration = JobConfiguration(id=uuid4(), **sent.columns())
    session.add(configuration)
    await apply_definition(session, [configuration], "")
    await session.refresh(configuration)
    return configuration


async def edit_configuration(session: AsyncSession, configuration_id: UUID, patch: dict[str, Any]) -> JobConfiguration:
    """Merge, validate the whole, write, and make the schedules follow. Raises `NotFound`, `InvalidRequest`."""
    await _share_what_it_names(session, configuration_id, patch)
    configuration = await _lock_configuration(session, configuration_id)
    before = {name: getattr(configuration, name) for name in ConfigurationSent.model_fields}
    sent = validate_merged(ConfigurationSent, before, patch)
    if sent.partner != configuration.partner:
        raise InvalidRequest(FieldProblem(field="partner", message="never changes"))
    await _require_known(session, sent)
    for name, value in sent.columns().items():
        setattr(configuration, name, value)
    return await _apply(session, configuration, "The job configuration was changed: it no longer runs.")


async def delete_configuration(session: AsyncSession, configuration_id: UUID) -> None:
    """With its schedules; results stay. Raises `NotFound`."""
    configuration = await _lock_configuration(session, configuration_id)
    await delete_configurations(session, [configuration], "The job configuration was deleted.")


async def delete_configurations(session: AsyncSession, configurations: Sequence[JobConfiguration], reason: str) -> None:
    """Those that the caller has locked."""
    await remove_schedules(session, configurations, reason)
    ids = [configuration.id for configuration in configurations]
    await session.execute(delete(JobConfiguration).where(JobConfiguration.id.in_(ids)))


async def pause(session: AsyncSession, configuration_id: UUID, sent: PauseSent, author: str) -> JobConfiguration:
    """Raises `NotFound`, and `InvalidRequest` for an end that is over."""
    configuration = await _lock_configuration(session, configuration_id)
    now = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    if sent.until is not None and sent.until <= now:
        raise InvalidRequest(FieldProblem(field="until", message="must lie in the future"))
    configuration.paused_reason = sent.reason
    configuration.paused_by = author
    configuration.paused_at = now
    configuration.paused_until = sent.until
    return await _apply(session, configuration, f"Paused by {author}: {sent.reason}")


async def resume(session: AsyncSession, configuration_id: UUID) -> JobConfiguration:
    """Due next at the first moment from now. Raises `NotFound`."""
    configuration = await _lock_configuration(session, configuration_id)
    configuration.paused_reason = configuration.paused_by = None
    configuration.paused_at = configuration.paused_until = None
    return await _apply(session, configuration, "It does not run.")


async def run_now(session: AsyncSession, configuration_id: UUID, sent: RunSent) -> list[ScheduledJob]:
    """One scheduled job a browser, due at once, ahead of others. Raises `NotFound`, `InvalidRequest`."""
    shared = select(JobConfiguration).where(JobConfiguration.id == configuration_id).with_for_update(read=True)
    configuration = await session.scalar(shared)
    if configuration is None:
        raise _not_found(configuration_id)
    browsers = configuration.browsers if sent.browsers is None else sent.browsers
    _require_among(browsers, configuration.browsers)
    of_browsers = select(Schedule).where(
        Schedule.job_configuration_id == configuration_id, Schedule.browser.in_(browsers)
    )
    schedules = await session.scalars(of_browsers.order_by(Schedule.browser))
    due_at = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    rows = [_manual_row(schedule, due_at) for schedule in schedules]
    await session.execute(insert(ScheduledJob).values(rows).on_conflict_do_nothing())
    made = select(ScheduledJob).where(ScheduledJob.id.in_([row["id"] for row in rows])).order_by(ScheduledJob.browser)
    return list(await session.scalars(made))


def _manual_row(schedule: Schedule, due_at: datetime) -> dict[str, Any]:
    return {
        "id": scheduled_job_id(schedule.id, Origin.MANUAL, due_at),
        "schedule_id": schedule.id,
        "origin": Origin.MANUAL,
        "due_at": due_at,
        "run_after": due_at,
        "start_by": due_at + timedelta(seconds=schedule.start_deadline_seconds),
        "kind": schedule.kind,
        "shard": schedule.shard,
        "lane": schedule.lane,
        "priority": RUN_NOW_PRIORITY,
        "overlap": "allow",
        "job_configuration_id": schedule.job_configuration_id,
        "partner": schedule.partner,
        "browser": schedule.browser,
    }


async def _apply(session: AsyncSession, configuration: JobConfiguration, reason: str) -> JobConfiguration:
    configuration.updated_at = func.now()
    await apply_definition(session, [configuration], reason)
    await session.refresh(configuration)
    return configuration


async def _lock_configuration(session: AsyncSession, configuration_id: UUID) -> JobConfiguration:
    found = await lock_configurations(session, JobConfiguration.id == configuration_id)
    if not found:
        raise _not_found(configuration_id)
    return found[0]


async def _share_what_it_names(session: AsyncSession, configuration_id: UUID, patch: dict[str, Any]) -> None:
    """Partner and browsers are locked before job configurations, everywhere; else edits could block each other."""
    configuration = await session.get(JobConfiguration, configuration_id)
    if configuration is None:
        raise _not_found(configuration_id)
    named = patch.get("browsers")
    added = (
        {name for name in named if isinstance(name, str) and re.match(SLUG_PATTERN, name)}
        if isinstance(named, list)
        else set()
    )
    await _share(session, configuration.partner, {*configuration.browsers, *added})


async def _share(session: AsyncSession, partner: str, browsers: Collection[str]) -> tuple[bool, set[str]]:
    """Whether the partner exists, and which of the browsers do; none can be deleted or switched off until we commit."""
    code = await session.scalar(select(Partner.code).where(Partner.code == partner).with_for_update(read=True))
    names = select(Browser.name).where(Browser.name.in_(browsers)).order_by(Browser.name)
    return code is not None, set(await session.scalars(names.with_for_update(read=True)))


def _not_found(configuration_id: UUID) -> NotFound:
    return NotFound(f"There is no job configuration {configuration_id}.")


async def _require_known(session: AsyncSession, sent: ConfigurationSent) -> None:
    partner_exists, known = await _share(session, sent.partner, sent.browsers)
    if not partner_exists:
        raise InvalidRequest(FieldProblem(field="partner", message="no partner has this code"))
    unknown = [
        FieldProblem(field=f"browsers.{position}", message="no browser has this name")
        for position, name in enumerate(sent.browsers)
        if name not in known
    ]
    if unknown:
        raise InvalidRequest(*unknown)


def _require_among(asked: Sequence[str], configured: Sequence[str]) -> None:
    foreign = [
        FieldProblem(field=f"browsers.{position}", message="the job configuration does not run in this browser")
        for position, name in enumerate(asked)
        if name not in configured
    ]
    if foreign:
        raise InvalidRequest(*foreign)
