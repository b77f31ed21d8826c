from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from services.api.auth import READ, RUN, Author
from services.api.dependencies import Session
from services.api.errors import problems
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.job_results.queries import result_summary
from services.api.job_results.schemas import ResultSummary
from services.api.scheduled_jobs.commands import cancel
from services.api.scheduled_jobs.queries import list_scheduled_jobs
from services.api.scheduled_jobs.schemas import ScheduledJobPage, ScheduledJobQuery

router = APIRouter(prefix="/scheduled-jobs", tags=["scheduled jobs"], route_class=IdempotentRoute)


@router.get("", dependencies=[READ])
async def list_all(session: Session, asked: Annotated[ScheduledJobQuery, Query()]) -> ScheduledJobPage:
    """What has not ended yet, by the moment it may start, with the next moment of every schedule that is not paused."""
    return await list_scheduled_jobs(session, asked)


@router.post("/{id}/cancel", dependencies=[RUN, IDEMPOTENT], responses=problems(404, 409))
async def cancel_one(
    session: Session, scheduled_job_id: Annotated[UUID, Path(alias="id")], author: Author
) -> ResultSummary:
    """End it before it runs; answers with its result, `cancelled`. What follows stays due as it was.

    The next moment of a schedule (`planned: false`) can be cancelled as well, however far ahead, but not with a fixed
    delay, where it is certain only once the run before has ended. A new timing that is due before a cancelled moment
    plans anew, that moment included.
    """
    return result_summary(await cancel(session, scheduled_job_id, author.name))
