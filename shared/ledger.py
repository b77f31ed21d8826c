"""How a scheduled job ends: out of `scheduled_jobs` and into `job_results` in one statement, or not at all.

Needed by all three services: the runner records what it did, the scheduler what was lost or missed, the API a cancel.
Each function runs in the caller's transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared.domain.outcome import CATALOGUE, OutcomeClass

_END_NOT_RUN = text("""
    WITH ended AS (
        DELETE FROM scheduled_jobs
        WHERE id = ANY(CAST(:ids AS uuid[])) AND state IN ('planned', 'dispatched')
          AND (CAST(:start_by AS timestamptz) IS NULL OR start_by < :start_by)
        RETURNING *
    )
    INSERT INTO job_results (id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser,
                             outcome_code, outcome_class, message, attempts)
    SELECT id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser,
           :code, 'not_run', :message, attempt
    FROM ended
    ON CONFLICT DO NOTHING
    RETURNING id
""")


async def end_not_run(
    connection: AsyncConnection | AsyncSession,
    ids: Sequence[UUID],
    code: str,
    message: str,
    *,
    start_by_before: datetime | None = None,
) -> list[UUID]:
    """End those of `ids` that no runner has claimed with a `not_run` outcome. Returns the ids that were ended.

    With `start_by_before`, only those whose start deadline lies before it. A job that is running is left alone: its
    runner holds the token and will record it.
    """
    if CATALOGUE[code].outcome_class is not OutcomeClass.NOT_RUN:
        raise ValueError(f"{code} is not an outcome of something that did not run")
    if not ids:
        return []
    rows = await connection.execute(
        _END_NOT_RUN, {"ids": sorted(ids), "code": code, "message": message, "start_by": start_by_before}
    )
    return list(rows.scalars())
