from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.errors import AlreadyRunning, NotFound
from services.api.scheduled_jobs.next_moment import plan_next
from shared.domain.schedule import Origin
from shared.ledger import end_not_run
from shared.models import JobResult, ScheduledJob


async def cancel(session: AsyncSession, scheduled_job_id: UUID, author: str) -> JobResult:
    """Ends it unless a runner has claimed it, planned or not yet. Raises `AlreadyRunning`, `NotFound`."""
    origin = await session.scalar(select(ScheduledJob.origin).where(ScheduledJob.id == scheduled_job_id))
    if origin == Origin.TRY:
        raise NotFound(f"{scheduled_job_id} is a try, which no schedule knows of; it ends by itself.")
    if await _end(session, scheduled_job_id, author):
        return (await session.scalars(select(JobResult).where(JobResult.id == scheduled_job_id))).one()
    if await session.scalar(select(ScheduledJob.id).where(ScheduledJob.id == scheduled_job_id)):
        raise AlreadyRunning("A runner is at it; only what is not running can be cancelled.")
    raise NotFound(
        f"There is no scheduled job {scheduled_job_id} (it may have ended, or lie further ahead than the next)."
    )


async def _end(session: AsyncSession, scheduled_job_id: UUID, author: str) -> bool:
    message = f"Cancelled by {author}."
    if await end_not_run(session, [scheduled_job_id], "cancelled", message):
        return True
    # Planned now, by us or meanwhile by the planner, unless it is no next moment at all.
    await plan_next(session, scheduled_job_id)
    return bool(await end_not_run(session, [scheduled_job_id], "cancelled", message))
