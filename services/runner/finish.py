"""The third write of a runner: results in, scheduled jobs out (or back to planned), states folded; one commit."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runner.accounts import settle_accounts
from services.runner.claim import Claimed
from services.runner.definition import Hints, when_to_retry
from services.runner.performed import Performed
from services.runner.states import Recorded, fold_states
from shared.domain.outcome import CATALOGUE, Outcome
from shared.domain.retry import NEVER_REPEATED
from shared.domain.schedule import Origin
from shared.ledger import AttemptRecord, Ending, end_attempts, retry_bounds

log = structlog.get_logger(__name__)

GIVE_UP_AFTER_SECONDS = 120

_LANDED = text("""
    SELECT attempts.token FROM attempts
    JOIN unnest(CAST(:ids AS uuid[]), CAST(:due_ats AS timestamptz[]), CAST(:tokens AS uuid[])) AS a(id, due_at, token)
      ON attempts.scheduled_job_id = a.id AND attempts.due_at = a.due_at AND attempts.token = a.token
    UNION ALL
    SELECT token FROM tries WHERE id = ANY(CAST(:ids AS uuid[])) AND token = ANY(CAST(:tokens AS uuid[]))
""")


@dataclass(frozen=True, slots=True)
class Finish:
    claimed: Claimed
    performed: Performed


async def finish_all(engine: AsyncEngine, finishes: Sequence[Finish]) -> list[bool]:
    """True for each that is recorded; False where another has taken the job over: then nothing of ours is kept.

    Tried again while the database is away. After a commit without an answer, the tokens say whether it landed. One
    that the database refuses does not hold up the others.
    """
    wait, tries, recorded = 0.2, 0, set[UUID]()
    async with asyncio.timeout(GIVE_UP_AFTER_SECONDS):
        while True:
            try:
                async with engine.begin() as connection:
                    if tries:
                        recorded = await _landed(connection, finishes)
                    tries += 1
                    left = [each for each in finishes if each.claimed.token not in recorded]
                    recorded |= await _record(connection, left)
                return [each.claimed.token in recorded for each in finishes]
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("finish_failed", jobs=len(finishes), error=type(error).__name__, again_in_seconds=wait)
                if _refused(error) and len(finishes) > 1:
                    return [(await finish_all(engine, [each]))[0] for each in finishes]
                if _refused(error):
                    finishes = [_unrecordable(finishes[0], error)]
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5)


async def _landed(connection: AsyncConnection, finishes: Sequence[Finish]) -> set[UUID]:
    asked = {
        "ids": [each.claimed.id for each in finishes],
        "due_ats": [each.claimed.due_at for each in finishes],
        "tokens": [each.claimed.token for each in finishes],
    }
    return set((await connection.execute(_LANDED, asked)).scalars())


async def _record(connection: AsyncConnection, finishes: Sequence[Finish]) -> set[UUID]:
    now = (await connection.execute(text("SELECT now()"))).scalar_one()
    failed = [each for each in finishes if not CATALOGUE[each.performed.record.outcome.code].success]
    moments = [(each.claimed.schedule_id, each.claimed.origin, each.claimed.due_at) for each in failed]
    bounds = await retry_bounds(connection, moments)
    again = {each.claimed.token: _retry_at(each, now, bound) for each, bound in zip(failed, bounds, strict=True)}
    # Sorted, so that two batches never lock rows in opposite orders.
    endings = [
        Ending(each.claimed.id, each.claimed.token, each.performed.record, again.get(each.claimed.token))
        for each in sorted(finishes, key=lambda each: each.claimed.id)
    ]
    recorded = await end_attempts(connection, endings)
    final = [
        Recorded(each.claimed, each.performed.verdicts)
        for each in finishes
        if each.claimed.token in recorded and again.get(each.claimed.token) is None
    ]
    await fold_states(connection, [each for each in final if each.claimed.origin != Origin.TRY], now)
    await settle_accounts(connection, [news for each in finishes for news in each.performed.accounts])
    return recorded


def _hints(performed: Performed) -> Hints:
    """One check may have found out what must never be tried again, whatever became of the attempt as a whole."""
    never = any(verdict.outcome.code in NEVER_REPEATED for verdict in performed.verdicts)
    return replace(performed.hints, forbidden=performed.hints.forbidden or never)


def _retry_at(finish: Finish, now: datetime, bound: datetime) -> datetime | None:
    claimed, performed = finish.claimed, finish.performed
    return when_to_retry(
        claimed.definition,
        performed.record.outcome,
        claimed.failures,
        _hints(performed),
        since=claimed.since,
        now=now,
        bound=bound,
    )


def _refused(error: Exception) -> bool:
    """The database answered, and would answer the same each time."""
    state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
    return state[:2] in ("22", "23")


def _unrecordable(finish: Finish, error: Exception) -> Finish:
    """What the database can't hold must not keep the result from being recorded."""
    log.error("record_refused", job=str(finish.claimed.id), error=type(error).__name__)
    outcome = Outcome("internal_error", "What the attempt found out could not be stored.")
    record = AttemptRecord(outcome, finish.performed.record.started_at, finish.performed.record.duration_seconds)
    performed = Performed(record, hints=_hints(finish.performed), accounts=finish.performed.accounts)
    return replace(finish, performed=performed)
