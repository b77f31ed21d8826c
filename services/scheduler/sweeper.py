"""Finds what is stuck by its row alone, and puts it back on the way. Every replica sweeps; none needs to own it.

Each update repeats its whole condition, so that a stale read changes nothing.
"""

from collections import Counter
from datetime import datetime

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.domain.outcome import CATALOGUE, Outcome
from shared.domain.retry import OUR_CALLBACK_FAILURES, retry_at
from shared.ledger import AttemptRecord, Ending, end_attempts, end_not_run, retry_bounds
from shared.models.job_configuration import retry_policy

log = structlog.get_logger(__name__)

BATCH = 500

# Unclaimed for 120 s, doubling with each new publication, at most 30 min: the broker may have lost it. What was given
# back to wait counts in hundreds.
_PUBLISH_AGAIN = text("""
    UPDATE scheduled_jobs SET state = 'planned', publication = publication + 1, dispatched_at = NULL
    WHERE state = 'dispatched' AND id IN (
        SELECT id FROM scheduled_jobs
        WHERE state = 'dispatched' AND dispatched_at < now() - interval '120 seconds'
          AND dispatched_at < now() - least(interval '120 seconds' * power(2, least(publication % 100, 4)),
                                            interval '30 minutes')
        LIMIT :batch FOR UPDATE SKIP LOCKED)
""")
_TOO_LATE = text("""
    SELECT id FROM scheduled_jobs
    WHERE state IN ('planned', 'dispatched') AND attempt = 0 AND start_by < now() AND run_after < now() LIMIT :batch
""")
_LEASELESS = text("""
    SELECT j.*, c.retry, k.id IS NOT NULL AS has_job, now() AS now FROM scheduled_jobs j
    LEFT JOIN job_configurations c ON c.id = j.job_configuration_id
    LEFT JOIN jobs k ON k.id = j.job_id
    WHERE j.state = 'running' AND j.lease_until < now() ORDER BY j.id LIMIT :batch FOR UPDATE OF j SKIP LOCKED
""")
_NOTE_ORPHAN = text("""
    INSERT INTO orphan_sessions (session_id, webdriver_url, devtools)
    VALUES (:session_id, :webdriver_url, :devtools) ON CONFLICT DO NOTHING
""")


async def sweep(engine: AsyncEngine, not_run: Counter[str]) -> None:
    """One round of all three; what is missed is counted."""
    async with engine.begin() as connection:
        again = (await connection.execute(_PUBLISH_AGAIN, {"batch": BATCH})).rowcount
    async with engine.begin() as connection:
        lost = await _end_lost_attempts(connection)
    async with engine.begin() as connection:
        late = list((await connection.execute(_TOO_LATE, {"batch": BATCH})).scalars())
        now = (await connection.execute(text("SELECT now()"))).scalar_one()
        missed = await end_not_run(connection, late, "missed", CATALOGUE["missed"].description, start_by_before=now)
    not_run["missed"] += len(missed)
    if again or lost or missed:
        log.warning("swept", published_again=again, runner_lost=lost, missed=len(missed))


async def _end_lost_attempts(connection: AsyncConnection) -> int:
    rows = (await connection.execute(_LEASELESS, {"batch": BATCH})).all()
    for row in rows:
        if row.browser_session:
            session = {"devtools": None, **row.browser_session, "session_id": row.browser_session["id"]}
            await connection.execute(_NOTE_ORPHAN, session)
    bounds = await retry_bounds(connection, [(row.schedule_id, row.origin, row.due_at) for row in rows])
    endings = []
    for row, bound in zip(rows, bounds, strict=True):
        record = _lost(row)
        endings.append(Ending(row.id, row.token, record, _when_to_retry(row, record.outcome, bound)))
    await end_attempts(connection, endings)
    return len(rows)


def _when_to_retry(row: Row[tuple[object, ...]], outcome: Outcome, bound: datetime) -> datetime | None:
    if row.has_job:
        policy = OUR_CALLBACK_FAILURES
    elif row.retry is not None:
        policy = retry_policy(row.retry)
    else:
        return None  # what it was to do is gone, so nobody could claim it again
    # The lease has been waited out already; waiting for the back-off as well would help nobody.
    return retry_at(outcome, row.infrastructure_failures, policy.waiting_nothing(), now=row.now, next_due=bound)


def _lost(row: Row[tuple[object, ...]]) -> AttemptRecord:
    session = row.browser_session or {}
    return AttemptRecord(
        outcome=Outcome("runner_lost", "The runner stopped renewing its lease: it was killed, frozen or cut off."),
        started_at=row.started_at,
        duration_seconds=(row.now - row.started_at).total_seconds() if row.started_at else None,
        session_id=session.get("id"),
        node=session.get("node"),
    )
