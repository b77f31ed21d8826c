import re
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import FieldProblem, InvalidRequest
from services.api.fields import SLUG_PATTERN
from services.api.job_configurations.queries import find_configuration, no_configuration
from services.api.job_configurations.schemas import ConfigurationBackfillSent, ConfigurationSent, RunSent
from services.api.merge_patch import validate_merged
from services.api.schedules.backfill import backfill
from services.api.schedules.commands import apply_changed, pause, resume, run_now
from services.api.schedules.definitions import lock_configurations, read_schedules
from services.api.schedules.schedule_rows import apply_definitions, remove_schedules
from services.api.schedules.schemas import Backfilled, PauseSent
from shared.models import Browser, JobConfiguration, Partner, ScheduledJob


async def create_configuration(session: AsyncSession, sent: ConfigurationSent) -> JobConfiguration:
    """With its schedules. Raises `InvalidRequest` for an unknown partner or browser."""
    await _require_known(session, sent)
    configuration = JobConfiguration(id=uuid4(), **sent.columns())
    session.add(configuration)
    await apply_definitions(session, [configuration], "")
    await session.refresh(configuration)
    return configuration


async def edit_configuration(session: AsyncSession, configuration_id: UUID, patch: dict[str, Any]) -> JobConfiguration:
    """Merge, validate the whole, write, and make the schedules follow. Raises `NotFound`, `InvalidRequest`."""
    await _share_what_it_names(session, configuration_id, patch)
    configuration = await _lock_configuration(session, configuration_id)
    before = {name: getattr(configuration, name) for name in ConfigurationSent.model_fields}
    before["schedule"] = _without_the_other_kind(before["schedule"], patch.get("schedule"))
    sent = validate_merged(ConfigurationSent, before, patch)
    if sent.partner != configuration.partner:
        raise InvalidRequest(FieldProblem(field="partner", message="never changes"))
    await _require_known(session, sent)
    for name, value in sent.columns().items():
        setattr(configuration, name, value)
    await apply_changed(session, [configuration], "The job configuration was changed: it no longer runs.")
    await session.refresh(configuration)
    return configuration


async def delete_configuration(session: AsyncSession, configuration_id: UUID) -> None:
    """With its schedules; results stay. Raises `NotFound`."""
    configuration = await _lock_configuration(session, configuration_id)
    await delete_configurations(session, [configuration], "The job configuration was deleted.")


async def delete_configurations(session: AsyncSession, configurations: Sequence[JobConfiguration], reason: str) -> None:
    """Those that the caller has locked."""
    await remove_schedules(session, configurations, reason)
    ids = [configuration.id for configuration in configurations]
    await session.execute(delete(JobConfiguration).where(JobConfiguration.id.in_(ids)))


async def pause_configuration(
    session: AsyncSession, configuration_id: UUID, sent: PauseSent, author: str
) -> JobConfiguration:
    """Raises `NotFound`, and `InvalidRequest` for an end that is over."""
    configuration = await _lock_configuration(session, configuration_id)
    await pause(session, [configuration], sent, author)
    await session.refresh(configuration)
    return configuration


async def resume_configuration(session: AsyncSession, configuration_id: UUID) -> JobConfiguration:
    """Due next at the first moment from now. Raises `NotFound`."""
    configuration = await _lock_configuration(session, configuration_id)
    await resume(session, [configuration])
    await session.refresh(configuration)
    return configuration


async def run_configuration(session: AsyncSession, configuration_id: UUID, sent: RunSent) -> list[ScheduledJob]:
    """One scheduled job a browser, due at once, ahead of others. Raises `NotFound`, `InvalidRequest`."""
    configuration = await find_configuration(session, configuration_id, shared=True)
    return await run_now(session, await read_schedules(session, configuration, sent.browsers))


async def backfill_configuration(
    session: AsyncSession, configuration_id: UUID, sent: ConfigurationBackfillSent
) -> Backfilled:
    """Raises `NotFound`, `InvalidRequest`."""
    configuration = await find_configuration(session, configuration_id, shared=True)
    return await backfill(session, await read_schedules(session, configuration, sent.browsers), sent)


async def _lock_configuration(session: AsyncSession, configuration_id: UUID) -> JobConfiguration:
    found = await lock_configurations(session, JobConfiguration.id == configuration_id)
    if not found:
        raise no_configuration(configuration_id)
    return found[0]


async def _share_what_it_names(session: AsyncSession, configuration_id: UUID, patch: dict[str, Any]) -> None:
    """Partner and browsers are locked before job configurations, everywhere; else edits could block each other."""
    configuration = await find_configuration(session, configuration_id)
    named = patch.get("browsers")
    added = (
        {name for name in named if isinstance(name, str) and re.match(SLUG_PATTERN, name)}
        if isinstance(named, list)
        else set()
    )
    await _share(session, configuration.partner, {*configuration.browsers, *added})


async def _share(session: AsyncSession, code: str, browsers: Collection[str]) -> tuple[Partner | None, set[str]]:
    """The partner, and which of the browsers exist; none can be deleted or switched off until we commit."""
    partner = await session.scalar(select(Partner).where(Partner.code == code).with_for_update(read=True))
    names = select(Browser.name).where(Browser.name.in_(browsers)).order_by(Browser.name)
    return partner, set(await session.scalars(names.with_for_update(read=True)))


async def _require_known(session: AsyncSession, sent: ConfigurationSent) -> None:
    partner, known = await _share(session, sent.partner, sent.browsers)
    if partner is None:
        raise InvalidRequest(FieldProblem(field="partner", message="no partner has this code"))
    unknown = [
        FieldProblem(field=f"browsers.{position}", message="no browser has this name")
        for position, name in enumerate(sent.browsers)
        if name not in known
    ]
    missing = partner.checks_missing()
    unknown += [
        FieldProblem(field=f"checks.{position}", message=f"the partner has no {check}: PATCH /partners/{partner.code}")
        for position, check in enumerate(sent.checks)
        if check in missing
    ]
    if unknown:
        raise InvalidRequest(*unknown)


def _without_the_other_kind(before: dict[str, Any], patch: Any) -> dict[str, Any]:
    """From CRON to an interval or back: what was kept, though it says nothing there, contradicts nothing."""
    if not isinstance(patch, dict):
        return before
    over = set()
    if patch.get("interval_seconds") is not None:
        over.add("timezone")
    if patch.get("cron") is not None and before.get("interval_mode") == "fixed_rate":
        over.add("interval_mode")
    return {name: value for name, value in before.items() if name not in over}
