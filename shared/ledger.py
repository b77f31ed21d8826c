"""How a scheduled job ends: out of `scheduled_jobs` and into `job_results` in one statement, or not at all.

Needed by all three services: the runner records what it did, the scheduler what was lost or missed, the API a cancel.
Each function runs in the caller's transaction, and takes many at once.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from shared.domain.outcome import CATALOGUE, Outcome, OutcomeClass
from shared.domain.schedule import NEVER

# What this process ended so, by code, for whoever counts; a rolled-back transaction leaves it a little high.
ENDED_NOT_RUN: Counter[str] = Counter()

_END_NOT_RUN = text("""
    WITH locked AS (
        SELECT id FROM scheduled_jobs
        WHERE id = ANY(CAST(:ids AS uuid[])) AND state IN ('planned', 'dispatched')
          AND (CAST(:start_by AS timestamptz) IS NULL OR (start_by < :start_by AND attempt = 0))
        ORDER BY id FOR UPDATE
    ), ended AS (
        DELETE FROM scheduled_jobs USING locked WHERE scheduled_jobs.id = locked.id RETURNING scheduled_jobs.*
    ), tries_in AS (
        UPDATE tries SET ended_at = clock_timestamp(), outcome_code = :code, outcome_class = 'not_run',
            message = :message
        FROM ended WHERE tries.id = ended.id AND ended.origin = 'try'
    ), replays_in AS (
        UPDATE dead_letters SET replay_outcome_code = :code, replay_outcome_class = 'not_run', replay_message = :message
        FROM ended WHERE dead_letters.id = ended.replay_of AND dead_letters.replay_id = ended.id
    ), results_in AS (
        INSERT INTO job_results (id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser, job_id,
                                 replay_of, outcome_code, outcome_class, message, attempts)
        SELECT id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser, job_id, replay_of,
               :code, 'not_run', :message, attempt
        FROM ended WHERE origin <> 'try'
        ON CONFLICT DO NOTHING
    )
    SELECT id FROM ended
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
    ended = list(rows.scalars())
    ENDED_NOT_RUN[code] += len(ended)
    return ended


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What is kept of one ended attempt; the columns of `attempts`."""

    outcome: Outcome
    started_at: datetime | None
    duration_seconds: float | None
    checks: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    response: dict[str, Any] | None = None
    session_id: str | None = None
    node: str | None = None
    browser_name: str | None = None
    browser_version: str | None = None
    final_url: str | None = None
    title: str | None = None
    console_errors: list[str] = field(default_factory=list)
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one attempt, under the token of its claim; with `retry_at` the scheduled job goes back to planned.

    With `counts=False` a retry takes nothing from the failure budgets.
    """

    job: UUID
    token: UUID
    record: AttemptRecord
    retry_at: datetime | None = None
    counts: bool = True


# One JSON document for a whole batch, so that a batch of fifty is one round trip like a batch of one.
_GIVEN = """
    given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:endings AS jsonb)) AS g(
            id uuid, token uuid, started_at timestamptz, duration_seconds float8, code text, class text, message text,
            checks jsonb, result_checks jsonb, evidence jsonb, response jsonb, session_id text, node text,
            browser_name text, browser_version text, final_url text, title text, console_errors text[],
            traceback text, run_after timestamptz, partner_failures smallint, infrastructure_failures smallint)
    )
"""
_ATTEMPTS = """
    INSERT INTO attempts (scheduled_job_id, due_at, number, token, runner, started_at, duration_seconds,
                          outcome_code, outcome_class, message, checks, evidence, response, session_id, node,
                          browser_name, browser_version, final_url, title, console_errors, traceback)
    SELECT held.id, held.due_at, held.attempt, held.token, held.runner, given.started_at, given.duration_seconds,
           given.code, given.class, given.message, given.checks, given.evidence, given.response, given.session_id,
           given.node, given.browser_name, given.browser_version, given.final_url, given.title,
           coalesce(given.console_errors, '{}'), given.traceback
    FROM held JOIN given ON given.token = held.token WHERE held.origin <> 'try'
    ON CONFLICT DO NOTHING
"""
# A result keeps each check's outcome; its steps stay with the attempt. Should a moment ever have been planned twice,
# its first record stands: an end that could never be written would be tried for ever. What a callback failed with for
# good waits as a dead letter to be replayed; a replay is the same dead letter still, which keeps how the last ended.
# A try has neither result nor attempts: what it found out is kept with it.
_END = text(f"""
    WITH {_GIVEN}, locked AS (
        SELECT scheduled_jobs.id FROM scheduled_jobs JOIN given USING (id, token) WHERE state = 'running'
        ORDER BY scheduled_jobs.id FOR UPDATE OF scheduled_jobs
    ), held AS (
        DELETE FROM scheduled_jobs USING locked WHERE scheduled_jobs.id = locked.id RETURNING scheduled_jobs.*
    ), attempts_in AS ({_ATTEMPTS}), results_in AS (
        INSERT INTO job_results (id, due_at, schedule_id, origin, kind, job_configuration_id, partner, browser, job_id,
                                 replay_of, executed_at, duration_seconds, outcome_code, outcome_class, message,
                                 checks, attempts, token)
        SELECT held.id, held.due_at, held.schedule_id, held.origin, held.kind, held.job_configuration_id, held.partner,
               held.browser, held.job_id, held.replay_of, given.started_at, given.duration_seconds, given.code,
               given.class, given.message, given.result_checks, held.attempt, held.token
        FROM held JOIN given ON given.token = held.token WHERE held.origin <> 'try'
        ON CONFLICT DO NOTHING
    ), tries_in AS (
        UPDATE tries SET ended_at = clock_timestamp(), outcome_code = given.code, outcome_class = given.class,
            message = given.message, token = held.token, report = jsonb_build_object(
                'attempt', held.attempt, 'started_at', given.started_at, 'duration_seconds', given.duration_seconds,
                'checks', given.checks, 'node', given.node, 'browser_name', given.browser_name,
                'browser_version', given.browser_version, 'final_url', given.final_url, 'title', given.title,
                'console_errors', coalesce(given.console_errors, '{{}}'), 'traceback', given.traceback)
        FROM held JOIN given ON given.token = held.token WHERE tries.id = held.id AND held.origin = 'try'
    ), dead_letters_in AS (
        INSERT INTO dead_letters (id, due_at, job_id, schedule_id, outcome_code, message, attempts)
        SELECT held.id, held.due_at, held.job_id, held.schedule_id, given.code, given.message, held.attempt
        FROM held JOIN given ON given.token = held.token
        WHERE held.job_id IS NOT NULL AND held.replay_of IS NULL
          AND given.class IN ('partner_failure', 'infrastructure_failure')
        ON CONFLICT DO NOTHING
    ), replays_in AS (
        UPDATE dead_letters SET replay_outcome_code = given.code, replay_outcome_class = given.class,
            replay_message = given.message
        FROM held JOIN given ON given.token = held.token
        WHERE dead_letters.id = held.replay_of AND dead_letters.replay_id = held.id
    )
    SELECT token FROM held
""")
# The old token and runner are read before the update, in `held`; the update repeats the whole condition.
_RETRY = text(f"""
    WITH {_GIVEN}, held AS (
        SELECT scheduled_jobs.* FROM scheduled_jobs JOIN given USING (id, token) WHERE state = 'running'
        ORDER BY scheduled_jobs.id FOR UPDATE OF scheduled_jobs
    ), back AS (
        UPDATE scheduled_jobs SET
            state = 'planned', run_after = given.run_after, token = NULL, lease_until = NULL, runner = NULL,
            browser_session = NULL, dispatched_at = NULL, publication = 0, last_outcome = given.code,
            partner_failures = scheduled_jobs.partner_failures + given.partner_failures,
            infrastructure_failures = scheduled_jobs.infrastructure_failures + given.infrastructure_failures
        FROM held JOIN given ON given.token = held.token WHERE scheduled_jobs.id = held.id
    ), attempts_in AS ({_ATTEMPTS})
    SELECT token FROM held
""")


async def end_attempts(connection: AsyncConnection | AsyncSession, endings: Sequence[Ending]) -> set[UUID]:
    """Record the attempts, and with each end its scheduled job, or put it back to planned. Returns the tokens held.

    A token that is missing from the answer was not (or no longer) the claim's: of that one nothing was written.
    """
    recorded: set[UUID] = set()
    for statement, batch in (
        (_END, [ending for ending in endings if ending.retry_at is None]),
        (_RETRY, [ending for ending in endings if ending.retry_at is not None]),
    ):
        if batch:
            rows = await connection.execute(statement, {"endings": json.dumps([_given(ending) for ending in batch])})
            recorded.update(rows.scalars())
    return recorded


def _given(ending: Ending) -> dict[str, Any]:
    record = ending.record
    ours = record.outcome.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE
    return {
        "id": str(ending.job),
        "token": str(ending.token),
        "started_at": record.started_at.isoformat() if record.started_at else None,
        "duration_seconds": record.duration_seconds,
        "code": record.outcome.code,
        "class": record.outcome.outcome_class.value,
        "message": record.outcome.message,
        "checks": record.checks,
        "result_checks": [{key: value for key, value in check.items() if key != "steps"} for check in record.checks],
        "evidence": record.evidence,
        "response": record.response,
        "session_id": record.session_id,
        "node": record.node,
        "browser_name": record.browser_name,
        "browser_version": record.browser_version,
        "final_url": record.final_url,
        "title": record.title,
        "console_errors": record.console_errors,
        "traceback": record.traceback,
        "run_after": ending.retry_at.isoformat() if ending.retry_at else None,
        "partner_failures": int(ending.counts and not ours),
        "infrastructure_failures": int(ending.counts and ours),
    }


_NEXT_DUE = text("""
    SELECT asked.position, CASE
        WHEN s.id IS NULL THEN NULL
        WHEN s.next_due = 'infinity' AND asked.origin = 'schedule' THEN asked.due_at
        WHEN s.fixed_delay OR (s.kind = 'callback' AND s.overlap = 'allow') THEN NULL
        ELSE least((SELECT min(due_at) FROM scheduled_jobs
                    WHERE schedule_id = s.id AND origin = 'schedule' AND due_at > asked.due_at),
                   CASE WHEN s.next_due < 'infinity' THEN s.next_due END) END AS next_due
    FROM unnest(CAST(:schedule_ids AS uuid[]), CAST(:origins AS text[]), CAST(:due_ats AS timestamptz[]))
        WITH ORDINALITY AS asked(schedule_id, origin, due_at, position)
    LEFT JOIN schedules s ON s.id = asked.schedule_id
    ORDER BY asked.position
""")


async def retry_bounds(
    connection: AsyncConnection | AsyncSession, moments: Sequence[tuple[UUID, str, datetime]]
) -> list[datetime]:
    """For each (schedule, origin, due moment): the moment before which a retry must start.

    That is the due moment of the schedule that follows, planned or not, since that one will ask the same again.
    `NEVER` when none follows, or when it may run beside a callback that is still tried (overlap `allow`). The due
    moment itself, so that nothing is tried again, when it was the schedule that asked and it was paused meanwhile.
    """
    if not moments:
        return []
    schedule_ids, origins, due_ats = (list(column) for column in zip(*moments, strict=True))
    asked = {"schedule_ids": schedule_ids, "origins": origins, "due_ats": due_ats}
    rows = await connection.execute(_NEXT_DUE, asked)
    return [row.next_due if row.next_due is not None else NEVER for row in rows]


# In hundreds, because what it is below them is how often the broker lost the message, which has to do with no wait.
_POSTPONE = text("""
    UPDATE scheduled_jobs SET state = 'planned', attempt = attempt - 1,
        publication = (publication / 100 + 1) * 100 % 30000,
        token = NULL, lease_until = NULL, runner = NULL, started_at = NULL, dispatched_at = NULL,
        run_after = clock_timestamp() + make_interval(secs => :seconds)
    WHERE id = :id AND token = :token AND state = 'running'
    RETURNING id
""")


async def postpone(connection: AsyncConnection | AsyncSession, job: UUID, token: UUID, seconds: float) -> bool:
    """Give a claim back as if it had not been made: nothing was attempted yet. False when it was not ours any more."""
    given_back = await connection.execute(_POSTPONE, {"id": job, "token": token, "seconds": seconds})
    return given_back.one_or_none() is not None
