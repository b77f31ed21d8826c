from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.dead_letters.schemas import DeadLetterPage, DeadLetterQuery, DeadLetterView, NamedJob, Replayed
from services.api.fields import outcome_view
from services.api.pagination import moment_cursor, write_cursor
from shared.domain.outcome import OutcomeClass
from shared.models import DeadLetter, Job

# Never replayed, or the last replay has ended without success. While one is under way it has no class.
UNDELIVERED: ColumnElement[bool] = func.coalesce(
    DeadLetter.replay_outcome_class.not_in([OutcomeClass.PASSED, OutcomeClass.DEGRADED]),
    DeadLetter.replayed_at.is_(None),
)


async def list_dead_letters(session: AsyncSession, asked: DeadLetterQuery) -> DeadLetterPage:
    """Newest first. Those of a job that was deleted have nothing to be sent again, so they are not shown."""
    query = (
        select(DeadLetter, Job.name)
        .join(Job, Job.id == DeadLetter.job_id)
        .where(*_conditions(asked))
        .order_by(DeadLetter.died_at.desc(), DeadLetter.id.desc())
    )
    after = moment_cursor(asked.cursor)
    if after is not None:
        query = query.where(tuple_(DeadLetter.died_at, DeadLetter.id) < after)
    found = (await session.execute(query.limit(asked.limit + 1))).all()
    items = [_view(letter, name) for letter, name in found[: asked.limit]]
    following = write_cursor((items[-1].died_at, items[-1].id)) if len(found) > asked.limit else None
    return DeadLetterPage(items=items, next_cursor=following)


def _conditions(asked: DeadLetterQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.job is not None:
        conditions.append(DeadLetter.job_id == asked.job)
    if asked.replayed is not None:
        conditions.append(UNDELIVERED if asked.replayed == "false" else ~UNDELIVERED)
    if asked.since is not None:
        conditions.append(DeadLetter.died_at >= asked.since)
    if asked.until is not None:
        conditions.append(DeadLetter.died_at < asked.until)
    return conditions


def _view(letter: DeadLetter, job_name: str) -> DeadLetterView:
    replayed = None
    if letter.replayed_at is not None and letter.replay_id is not None:
        code, message, outcome_class = letter.replay_outcome_code, letter.replay_message, letter.replay_outcome_class
        replayed = Replayed(
            at=letter.replayed_at,
            by=letter.replayed_by or "",
            id=letter.replay_id,
            outcome=outcome_view(code, message, outcome_class) if code is not None else None,
        )
    return DeadLetterView(
        id=letter.id,
        job=NamedJob(id=letter.job_id, name=job_name),
        due_at=letter.due_at,
        died_at=letter.died_at,
        outcome=outcome_view(letter.outcome_code, letter.message),
        attempt_count=letter.attempts,
        replayed=replayed,
    )
