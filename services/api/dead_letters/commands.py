"""Sending again what failed for good. Locks are taken in the order of everywhere: job, then what belongs to it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.dead_letters.queries import UNDELIVERED
from services.api.dead_letters.schemas import MAX_REPLAYED, BulkReplaySent
from services.api.errors import AlreadyRunning, FieldProblem, InvalidRequest, NotFound
from shared.domain.schedule import Origin, scheduled_job_id
from shared.models import DeadLetter, Job, Schedule, ScheduledJob

REPLAY_PRIORITY = 0
_MICROSECOND = timedelta(microseconds=1)


async def replay(session: AsyncSession, letter_id: UUID, author: str) -> ScheduledJob:
    """Due at once, ahead of others. Raises `NotFound`, `AlreadyRunning`."""
    job_id = await session.scalar(select(DeadLetter.job_id).where(DeadLetter.id == letter_id))
    schedule = await _share_schedule(session, job_id) if job_id is not None else None
    letter = await _lock_letter(session, letter_id) if schedule is not None else None
    if schedule is None or letter is None:
        raise NotFound(f"There is no dead letter {letter_id} (its job may have been deleted).")
    await _require_ended(session, letter)
    made = await _send_again(session, schedule, [letter], author)
    if not made:
        raise AlreadyRunning("This job was asked to run at the very same moment; try again.")
    return made[0]


async def replay_all(session: AsyncSession, sent: BulkReplaySent, author: str) -> int:
    """How many of one job were sent again: the undelivered ones. Raises `InvalidRequest` for an unknown job."""
    schedule = await _share_schedule(session, sent.job)
    if schedule is None:
        raise InvalidRequest(FieldProblem(field="job", message="no job has this id"))
    chosen = select(DeadLetter.id).where(DeadLetter.job_id == sent.job, UNDELIVERED)
    if sent.since is not None:
        chosen = chosen.where(DeadLetter.died_at >= sent.since)
    if sent.until is not None:
        chosen = chosen.where(DeadLetter.died_at < sent.until)
    # Those never replayed first, so that a thousand that fail again and again hold up none. Locked in an order that no
    # replay changes, so that two who ask at once do not wait for each other.
    chosen = chosen.order_by(DeadLetter.replayed_at.nulls_first(), DeadLetter.died_at, DeadLetter.id)
    locked = select(DeadLetter).where(DeadLetter.id.in_(chosen.limit(MAX_REPLAYED)), UNDELIVERED)
    letters = await session.scalars(locked.order_by(DeadLetter.died_at, DeadLetter.id).with_for_update())
    return len(await _send_again(session, schedule, list(letters), author))


async def drop(session: AsyncSession, letter_id: UUID) -> None:
    """Raises `NotFound`, and `AlreadyRunning` while its replay has not ended."""
    letter = await _lock_letter(session, letter_id)
    if letter is None:
        raise NotFound(f"There is no dead letter {letter_id}.")
    await _require_ended(session, letter)
    await session.delete(letter)


async def _share_schedule(session: AsyncSession, job_id: UUID) -> Schedule | None:
    """None when the job is gone; else it can't be deleted until we commit."""
    shared = select(Job.id).where(Job.id == job_id).with_for_update(read=True)
    if await session.scalar(shared) is None:
        return None
    found: Schedule | None = await session.scalar(select(Schedule).where(Schedule.job_id == job_id))
    return found


async def _lock_letter(session: AsyncSession, letter_id: UUID) -> DeadLetter | None:
    found: DeadLetter | None = await session.scalar(
        select(DeadLetter).where(DeadLetter.id == letter_id).with_for_update()
    )
    return found


async def _require_ended(session: AsyncSession, letter: DeadLetter) -> None:
    if letter.replay_id is not None and await session.get(ScheduledJob, letter.replay_id) is not None:
        raise AlreadyRunning(f"Its replay {letter.replay_id} has not ended yet.")


async def _send_again(
    session: AsyncSession, schedule: Schedule, letters: Sequence[DeadLetter], author: str
) -> list[ScheduledJob]:
    """The scheduled jobs made, noted on their letters. One whose due moment is taken is left as it was."""
    if not letters:
        return []
    now: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    # A due moment is what tells the scheduled jobs of a schedule apart, so each has a microsecond of its own.
    rows = [_row(schedule, letter, now + place * _MICROSECOND) for place, letter in enumerate(letters)]
    statement = insert(ScheduledJob).on_conflict_do_nothing().returning(ScheduledJob)
    made = {job.replay_of: job for job in await session.scalars(statement, rows)}
    for letter in letters:
        if letter.id in made:
            letter.replayed_at, letter.replayed_by, letter.replay_id = now, author, made[letter.id].id
            letter.replay_outcome_code = letter.replay_outcome_class = letter.replay_message = None
    return list(made.values())


def _row(schedule: Schedule, letter: DeadLetter, due_at: datetime) -> dict[str, Any]:
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
        "priority": REPLAY_PRIORITY,
        "overlap": "allow",
        "job_id": schedule.job_id,
        "replay_of": letter.id,
        "replay_due_at": letter.due_at,
    }
