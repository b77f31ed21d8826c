from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Response

from services.api.auth import READ, RUN, WRITE, Author
from services.api.dependencies import NO_FIELDS, Session
from services.api.errors import problems
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.job_configurations.commands import (
    backfill_configuration,
    create_configuration,
    delete_configuration,
    edit_configuration,
    pause_configuration,
    resume_configuration,
    run_configuration,
)
from services.api.job_configurations.queries import configuration_view, find_configuration, list_configurations
from services.api.job_configurations.schemas import (
    ConfigurationBackfillSent,
    ConfigurationPage,
    ConfigurationQuery,
    ConfigurationSent,
    ConfigurationView,
    RunSent,
)
from services.api.merge_patch import patch_body
from services.api.scheduled_jobs.queries import scheduled_job_view
from services.api.scheduled_jobs.schemas import ScheduledJobsMade
from services.api.schedules.queries import read_next_runs
from services.api.schedules.schemas import Backfilled, NextRuns, NextRunsQuery, PauseSent

router = APIRouter(prefix="/job-configurations", tags=["job configurations"], route_class=IdempotentRoute)
Id = Annotated[UUID, Path(alias="id", description="The job configuration's id.")]


@router.get("", dependencies=[READ])
async def list_all(session: Session, asked: Annotated[ConfigurationQuery, Query()]) -> ConfigurationPage:
    """Job configurations, oldest first."""
    return await list_configurations(session, asked)


@router.post("", status_code=201, dependencies=[WRITE, IDEMPOTENT])
async def create(session: Session, sent: ConfigurationSent, response: Response) -> ConfigurationView:
    """Check a partner in these browsers on this schedule. The first due moments are visible at once."""
    configuration = await create_configuration(session, sent)
    response.headers["Location"] = f"/api/v1/job-configurations/{configuration.id}"
    return configuration_view(configuration)


@router.get("/{id}", dependencies=[READ], responses=problems(404))
async def read(session: Session, configuration_id: Id) -> ConfigurationView:
    """One job configuration, with who paused it and why."""
    return configuration_view(await find_configuration(session, configuration_id))


@router.patch(
    "/{id}",
    dependencies=[WRITE],
    responses=problems(404),
    openapi_extra=patch_body(ConfigurationSent, {"schedule": {"interval_seconds": 600, "cron": None}}),
)
async def edit(session: Session, configuration_id: Id, patch: Annotated[dict[str, Any], Body()]) -> ConfigurationView:
    """Change some fields (JSON merge patch); the whole is validated.

    What is due already runs under the new definition; what was planned ahead is planned anew. To go from CRON to an
    interval, or back, set the other to null.
    """
    return configuration_view(await edit_configuration(session, configuration_id, patch))


@router.delete("/{id}", status_code=204, dependencies=[WRITE], responses=problems(404))
async def delete(session: Session, configuration_id: Id) -> None:
    """Delete it with its schedules. Its results stay; what is due and not running is recorded as `cancelled`."""
    await delete_configuration(session, configuration_id)


@router.post("/{id}/pause", dependencies=[WRITE, IDEMPOTENT], responses=problems(404))
async def pause(session: Session, configuration_id: Id, sent: PauseSent, author: Author) -> ConfigurationView:
    """Stop it, with a reason; a second pause replaces the first. What is due and not running is `cancelled`."""
    return configuration_view(await pause_configuration(session, configuration_id, sent, author.name))


@router.post("/{id}/resume", dependencies=[WRITE, IDEMPOTENT, NO_FIELDS], responses=problems(404))
async def resume(session: Session, configuration_id: Id) -> ConfigurationView:
    """Let it run again, from its next moment on. Resuming what is not paused changes nothing."""
    return configuration_view(await resume_configuration(session, configuration_id))


@router.post("/{id}/run", status_code=202, dependencies=[RUN, IDEMPOTENT], responses=problems(404))
async def run(session: Session, configuration_id: Id, sent: RunSent | None = None) -> ScheduledJobsMade:
    """Run it now, ahead of others, also while it is paused. Its next due moment stays. Results have the same ids.

    Whatever `overlap` says, it starts beside a run that is under way; the next due moment counts it as the run before.
    """
    made = await run_configuration(session, configuration_id, sent or RunSent(browsers=None))
    return ScheduledJobsMade(scheduled_jobs=[scheduled_job_view(job) for job in made])


@router.get("/{id}/next-runs", dependencies=[READ], responses=problems(404))
async def next_runs(session: Session, configuration_id: Id, asked: Annotated[NextRunsQuery, Query()]) -> NextRuns:
    """When it runs next, over all its browsers, with the oddities of daylight saving."""
    return await read_next_runs(session, await find_configuration(session, configuration_id), asked.count)


@router.post("/{id}/backfill", status_code=202, dependencies=[RUN, IDEMPOTENT], responses=problems(404))
async def backfill(session: Session, configuration_id: Id, sent: ConfigurationBackfillSent) -> Backfilled:
    """Run the past moments of a range, at most 1,000, after all that is due. What was made before is not made again.

    Unless `overlap` is `allow`, each waits until no other run is under way, and a moment due meanwhile goes before the
    next. Not with a fixed delay, whose moments only its runs make.
    """
    return await backfill_configuration(session, configuration_id, sent)
