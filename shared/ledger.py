"""How a scheduled job ends: out of `scheduled_jobs` and into `job_results` in one statement, or not at all.

Needed by all three services: the runner records what it did, the scheduler what was lost or missed, the API a cancel.
Each function runs in the caller's transaction.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared.domain.outcome import CATALOGUE, Outcome, OutcomeClass
from shared.domain.schedule import NEVER

_END_NOT_RUN = text("""
    WITH ended AS (
        DELETE FROM scheduled_jobs
        WHERE id = ANY(CAST(:ids AS uuid[])) AND state IN ('planned', 'dispatched')
          AND (CAST(:start_by AS timestamptz) IS NULL OR (start_by < :start_by AND attempt = 0))
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

    With `start_by_before`, only those never started whose start deadline lies before it. A job that is
    running is left alone: its runner holds the token and will record it.
    """
    if CATALOGUE[code].outcome_class is not OutcomeClass.NOT_RUN:
        raise ValueError(f"{code} is not an outcome of something that did not run")
    if not ids:
        return []
    rows = await connection.execute(
        _END_NOT_RUN, {"ids": sorted(ids), "code": code, "message": message, "start_by": start_by_before}
    )
    return list(rows.scalars())


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What is kept of one ended attempt; the columns of `attempts`."""

    outcome: Outcome
    started_at: datetime | None
    duration_seconds: float | None
    checks: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    session_id: str | None = None
    node: str | None = None
    browser_name: str | None = None
    browser_version: str | None = None
    final_url: str | None = None
    title: str | None = None
    console_errors: list[str] = field(default_factory=list)
    traceback: str | None = None


_ATTEMPT = """
    INSERT INTO attempts (scheduled_job_id, due_at, number, token, runner, started_at, duration_seconds,
                          outcome_code, outcome_class, message, checks, evidence, session_id, node,
                          browser_name, browser_version, final_url, title, console_errors, traceback)
    SELECT id, due_at, attempt, :token, runner, :started_at, :duration_seconds,
           :code, :class, :message, CAST(:checks AS jsonb), CAST(:evidence AS jsonb), :session_id, :node,
           :browser_name, :browser_version, :final_url, :title, CAST(:console_errors AS text[]), :traceback
    FROM held
"""
# A result keeps each check's outcome; its steps stay with the attempt.
_END = text(f"""
    WITH held AS (
        DELETE FROM scheduled_jobs WHERE id = :id AND token = :token AND state = 'running' RETURNING *
    ), attempt_in AS ({_ATTEMPT}), result_in AS (
        INSERT INTO job_results (id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser,
                                 executed_at, duration_seconds, outcome_code, outcome_class, message, checks,
                                 attempts, token)
        SELECT id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser,
               :started_at, :duration_seconds, :code, :class, :message, CAST(:result_checks AS jsonb), attempt, :token
        FROM held
    )
    SELECT count(*) FROM held
""")
# The old token and runner are read before the update, in `held`; the update repeats the whole condition.
_RETRY = text(f"""
    WITH held AS (
        SELECT * FROM scheduled_jobs WHERE id = :id AND token = :token AND state = 'running' FOR UPDATE
    ), back AS (
        UPDATE scheduled_jobs SET
            state = 'planned', run_after = :run_after, token = NULL, lease_until = NULL, runner = NULL,
            browser_session = NULL, dispatched_at = NULL, publication = 0, last_outcome = :code,
            partner_failures = scheduled_jobs.partner_failures + :partner_failures,
            infrastructure_failures = scheduled_jobs.infrastructure_failures + :infrastructure_failures
        FROM held WHERE scheduled_jobs.id = held.id
    ), attempt_in AS ({_ATTEMPT})
    SELECT count(*) FROM held
""")


async def end_attempt(
    connection: AsyncConnection | AsyncSession,
    job: UUID,
    token: UUID,
    record: AttemptRecord,
    *,
    retry_at: datetime | None = None,
    counts: bool = True,
) -> bool:
    """Record one attempt, and with it end the scheduled job, or put it back to planned for `retry_at`.

    False when `token` is not (or no longer) the claim's: then nothing was written. With `counts=False` a retry takes
    nothing from the failure budgets.
    """
    values = {
        "id": job,
        "token": token,
        "started_at": record.started_at,
        "duration_seconds": record.duration_seconds,
        "code": record.outcome.code,
        "class": record.outcome.outcome_class.value,
        "message": record.outcome.message,
        "checks": json.dumps(record.checks),
        "evidence": json.dumps(record.evidence),
        "session_id": record.session_id,
        "node": record.node,
        "browser_name": record.browser_name,
        "browser_version": record.browser_version,
        "final_url": record.final_url,
        "title": record.title,
        "console_errors": record.console_errors,
        "traceback": record.traceback,
    }
    if retry_at is None:
        brief = [{key: value for key, value in check.items() if key != "steps"} for check in record.checks]
        rows = await connection.execute(_END, {**values, "result_checks": json.dumps(brief)})
    else:
        ours = record.outcome.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE
        failures = {"partner_failures": int(counts and not ours), "infrastructure_failures": int(counts and ours)}
        rows = await connection.execute(_RETRY, {**values, **failures, "run_after": retry_at})
    return bool(rows.scalar_one())


_NEXT_DUE = text("""
    SELECT CASE WHEN next_due = 'infinity' AND :origin = 'schedule' THEN CAST(:due_at AS timestamptz) ELSE least(
        (SELECT min(due_at) FROM scheduled_jobs
         WHERE schedule_id = :schedule_id AND origin = 'schedule' AND due_at > :due_at),
        CASE WHEN next_due < 'infinity' THEN next_due END) END AS next_due
    FROM schedules WHERE id = :schedule_id
""")


async def retry_before(
    connection: AsyncConnection | AsyncSession, schedule_id: UUID, origin: str, due_at: datetime
) -> datetime:
    """The moment before which a retry must start: the due moment of the schedule that follows, planned or not.

    `NEVER` when none follows. `due_at` itself, so that nothing is tried again, when it was the schedule that asked and
    it was paused meanwhile.
    """
    asked = {"schedule_id": schedule_id, "origin": origin, "due_at": due_at}
    row = (await connection.execute(_NEXT_DUE, asked)).one_or_none()
    return row.next_due if row is not None and row.next_due is not None else NEVER
