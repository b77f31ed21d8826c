from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Response

from services.api.auth import READ, RUN, WRITE, Author
from services.api.dependencies import NO_FIELDS, Provided, Session
from services.api.errors import problems
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.jobs.commands import (
    backfill_job,
    create_job,
    delete_job,
    edit_job,
    pause_job,
    replace_job,
    resume_job,
    run_job,
)
from services.api.jobs.queries import find_job, list_jobs, read_job
from services.api.jobs.schemas import JobPage, JobQuery, JobSent, JobView
from services.api.merge_patch import patch_body
from services.api.scheduled_jobs.queries import scheduled_job_view
from services.api.scheduled_jobs.schemas import ScheduledJobsMade
from services.api.schedules.queries import read_next_runs
from services.api.schedules.schemas import Backfilled, BackfillSent, NextRuns, NextRunsQuery, PauseSent

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=IdempotentRoute)
Id = Annotated[UUID, Path(alias="id", description="The job's id.")]
PATCH_EXAMPLE = {"schedule": {"interval_seconds": 600}, "job": {"secret_headers": {"X-Old-Key": None}}}


@router.get("", dependencies=[READ])
async def list_all(session: Session, provided: Provided, asked: Annotated[JobQuery, Query()]) -> JobPage:
    """Jobs, oldest first. Secrets are never shown."""
    return await list_jobs(session, asked, provided.secret_box)


@router.post("", status_code=201, dependencies=[WRITE, IDEMPOTENT])
async def create(session: Session, provided: Provided, sent: JobSent, response: Response) -> JobView:
    """Call this URL on this schedule. The first due moment is visible at once."""
    job_id = await create_job(session, sent, provided.address_guard, provided.secret_box)
    response.headers["Location"] = f"/api/v1/jobs/{job_id}"
    return await read_job(session, job_id, provided.secret_box)


@router.get("/{id}", dependencies=[READ], responses=problems(404))
async def read(session: Session, provided: Provided, job_id: Id) -> JobView:
    """One job, with its state, and who paused it and why. Secrets are never shown."""
    return await read_job(session, job_id, provided.secret_box)


@router.put("/{id}", dependencies=[WRITE], responses=problems(404))
async def replace(session: Session, provided: Provided, job_id: Id, sent: JobSent) -> JobView:
    """Replace the whole: what is not sent gets its default. Only secrets that are not sent stay as they are.

    `secret_headers: null` and `signing_secrets: null` take them away. A pause stays.
    """
    await replace_job(session, job_id, sent, provided.address_guard, provided.secret_box)
    return await read_job(session, job_id, provided.secret_box)


@router.patch("/{id}", dependencies=[WRITE], responses=problems(404), openapi_extra=patch_body(JobSent, PATCH_EXAMPLE))
async def edit(session: Session, provided: Provided, job_id: Id, patch: Annotated[dict[str, Any], Body()]) -> JobView:
    """Change some fields (JSON merge patch); the whole is validated.

    What is due already runs under the new definition; what was planned ahead is planned anew. `payload`, `headers` and
    `secret_headers` are merged by name, null takes a name out; `signing_secrets` are replaced.
    """
    await edit_job(session, job_id, patch, provided.address_guard, provided.secret_box)
    return await read_job(session, job_id, provided.secret_box)


@router.delete("/{id}", status_code=204, dependencies=[WRITE], responses=problems(404))
async def delete(session: Session, job_id: Id) -> None:
    """Delete it with its state and dead letters. Results stay; what is due and not running becomes `cancelled`."""
    await delete_job(session, job_id)


@router.post("/{id}/pause", dependencies=[WRITE, IDEMPOTENT], responses=problems(404))
async def pause(session: Session, provided: Provided, job_id: Id, sent: PauseSent, author: Author) -> JobView:
    """Stop it, with a reason; a second pause replaces the first. What is due and not running is `cancelled`."""
    await pause_job(session, job_id, sent, author.name)
    return await read_job(session, job_id, provided.secret_box)


@router.post("/{id}/resume", dependencies=[WRITE, IDEMPOTENT, NO_FIELDS], responses=problems(404))
async def resume(session: Session, provided: Provided, job_id: Id) -> JobView:
    """Let it run again, from its next moment on. Resuming what is not paused changes nothing."""
    await resume_job(session, job_id)
    return await read_job(session, job_id, provided.secret_box)


@router.post("/{id}/run", status_code=202, dependencies=[RUN, IDEMPOTENT, NO_FIELDS], responses=problems(404))
async def run(session: Session, job_id: Id) -> ScheduledJobsMade:
    """Run it now, ahead of others, also while it is paused. Its next due moment stays. The result has the same id.

    Whatever `overlap` says, it starts beside a run that is under way; the next due moment counts it as the run before.
    """
    made = await run_job(session, job_id)
    return ScheduledJobsMade(scheduled_jobs=[scheduled_job_view(job) for job in made])


@router.get("/{id}/next-runs", dependencies=[READ], responses=problems(404))
async def next_runs(session: Session, job_id: Id, asked: Annotated[NextRunsQuery, Query()]) -> NextRuns:
    """When it runs next, with the oddities of daylight saving."""
    return await read_next_runs(session, await find_job(session, job_id), asked.count)


@router.post("/{id}/backfill", status_code=202, dependencies=[RUN, IDEMPOTENT], responses=problems(404))
async def backfill(session: Session, job_id: Id, sent: BackfillSent) -> Backfilled:
    """Run the past moments of a range, at most 1,000, after all that is due. What was made before is not made again.

    Unless `overlap` is `allow`, each waits until no other run is under way, and a moment due meanwhile goes before the
    next. Not with a fixed delay, whose moments only its runs make.
    """
    return await backfill_job(session, job_id, sent)
