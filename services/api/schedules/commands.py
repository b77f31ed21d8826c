"""What is done to schedules of every kind. The caller has locked the definitions, or shared the one that it runs."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import FieldProblem, InvalidRequest
from services.api.scheduled_jobs.rows import scheduled_job_row
from services.api.schedules.accounts import let_accounts_try
from services.api.schedules.definitions import Definition, lock_configurations, lock_jobs
from services.api.schedules.schedule_rows import apply_definitions, read_clock
from services.api.schedules.schemas import Chosen, ChosenPauseSent, PauseSent
from shared.domain.schedule import Origin
from shared.models import Job, JobConfiguration, Partner, Schedule, ScheduledJob

RUN_NOW_PRIORITY = 0


async def apply_changed(session: AsyncSession, definitions: Sequence[Definition], reason: str) -> None:
    """Make the schedules follow; `reason` is why any of them stops."""
    for definition in definitions:
        definition.updated_at = func.now()
    await apply_definitions(session, definitions, reason)


async def pause(session: AsyncSession, definitions: Sequence[Definition], sent: PauseSent, author: str) -> None:
    """Raises `InvalidRequest` for an end that is over."""
    now = await read_clock(session)
    if sent.until is not None and sent.until <= now:
        raise InvalidRequest(FieldProblem(field="until", message="must lie in the future"))
    for definition in definitions:
        definition.paused_reason = sent.reason
        definition.paused_by = author
        definition.paused_at = now
        definition.paused_until = sent.until
    await apply_changed(session, definitions, f"Paused by {author}: {sent.reason}")


async def resume(session: AsyncSession, definitions: Sequence[Definition]) -> None:
    """Due next at the first moment from now. A stopped account gets one log-in to show that it works again."""
    for definition in definitions:
        definition.paused_reason = definition.paused_by = None
        definition.paused_at = definition.paused_until = None
    await let_accounts_try(session, [each for each in definitions if isinstance(each, JobConfiguration)])
    await apply_changed(session, definitions, "It does not run.")


async def pause_chosen(session: AsyncSession, sent: ChosenPauseSent, author: str) -> list[Definition]:
    """Raises `InvalidRequest` for an unknown partner or tag, and for an end that is over."""
    chosen = await _lock_chosen(session, sent)
    await pause(session, chosen, sent, author)
    return chosen


async def resume_chosen(session: AsyncSession, sent: Chosen) -> list[Definition]:
    """Those that were paused. Raises `InvalidRequest` for an unknown partner or tag."""
    paused = [definition for definition in await _lock_chosen(session, sent) if definition.paused_at is not None]
    await resume(session, paused)
    return paused


async def run_now(session: AsyncSession, schedules: Sequence[Schedule]) -> list[ScheduledJob]:
    """One scheduled job a line, due at once, ahead of others."""
    due_at = await read_clock(session)
    terms = {"run_after": due_at, "priority": RUN_NOW_PRIORITY, "overlap": "allow"}
    rows = [scheduled_job_row(schedule, Origin.MANUAL, due_at, **terms) for schedule in schedules]
    await session.execute(insert(ScheduledJob).values(rows).on_conflict_do_nothing())
    made = select(ScheduledJob).where(ScheduledJob.id.in_([row["id"] for row in rows])).order_by(ScheduledJob.browser)
    return list(await session.scalars(made))


async def _lock_chosen(session: AsyncSession, sent: Chosen) -> list[Definition]:
    if sent.partner is not None:
        if await session.get(Partner, sent.partner) is None:
            raise InvalidRequest(FieldProblem(field="partner", message="no partner has this code"))
        return [*await lock_configurations(session, JobConfiguration.partner == sent.partner)]
    tagged = select(Partner.code).where(Partner.tags.contains([sent.tag]))
    configurations = await lock_configurations(session, JobConfiguration.partner.in_(tagged))
    jobs = await lock_jobs(session, Job.tags.contains([sent.tag]))
    if not configurations and not jobs and await session.scalar(tagged.limit(1)) is None:
        raise InvalidRequest(FieldProblem(field="tag", message="no partner and no job has this tag"))
    return [*configurations, *jobs]
