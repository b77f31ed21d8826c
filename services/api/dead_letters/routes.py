from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from services.api.auth import READ, RUN, WRITE, Author
from services.api.dead_letters.commands import drop, replay, replay_all
from services.api.dead_letters.queries import list_dead_letters
from services.api.dead_letters.schemas import BulkReplay, BulkReplaySent, DeadLetterPage, DeadLetterQuery
from services.api.dependencies import Session
from services.api.errors import problems
from services.api.idempotency import IDEMPOTENT, IdempotentRoute
from services.api.scheduled_jobs.queries import scheduled_job_view
from services.api.scheduled_jobs.schemas import ScheduledJobsMade

router = APIRouter(prefix="/dead-letters", tags=["dead letters"], route_class=IdempotentRoute)
Id = Annotated[UUID, Path(alias="id", description="The dead letter's id, which is its result's.")]


@router.get("", dependencies=[READ])
async def list_all(session: Session, asked: Annotated[DeadLetterQuery, Query()]) -> DeadLetterPage:
    """What jobs failed to deliver, after every retry, newest first."""
    return await list_dead_letters(session, asked)


@router.post("/replay", status_code=202, dependencies=[RUN, IDEMPOTENT])
async def replay_many(session: Session, sent: BulkReplaySent, author: Author) -> BulkReplay:
    """Send again everything of one job that was never replayed, or whose last replay has ended without success.

    At most 1,000 a call, those never replayed first, so repeat until it says 0; what fails again counts again.
    """
    return BulkReplay(replayed=await replay_all(session, sent, author.name))


@router.post("/{id}/replay", status_code=202, dependencies=[RUN, IDEMPOTENT], responses=problems(404, 409))
async def replay_one(session: Session, letter_id: Id, author: Author) -> ScheduledJobsMade:
    """Send it again now, under the job's present definition, with the `webhook-id` and due time it had.

    It may be replayed again once the replay has ended; before that, this answers 409.
    """
    made = await replay(session, letter_id, author.name)
    return ScheduledJobsMade(scheduled_jobs=[scheduled_job_view(made)])


# Of UUIDs only: else it would take the path of the bulk replay for an id.
@router.delete("/{id:uuid}", status_code=204, dependencies=[WRITE], responses=problems(404, 409))
async def delete(session: Session, letter_id: Id) -> None:
    """Drop one that is settled. Its result stays."""
    await drop(session, letter_id)
