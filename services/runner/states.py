"""Folds what was recorded into the states of checks and jobs, in the transaction that records it."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runner.claim import Claimed
from services.runner.definition import CallbackDefinition, CheckDefinition
from services.runner.performed import Verdict
from shared.domain.state import CheckState as StateValue
from shared.domain.state import State, fold
from shared.models import CheckState

# The partner is locked first, so that one deleted meanwhile is noticed instead of breaking the insert. The first state
# of a pairing has no row to lock yet, hence the advisory lock.
_PARTNER = text("SELECT code FROM partners WHERE code = :partner FOR KEY SHARE")
_SERIAL = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_CHECK_STATE = text("""
    SELECT state, since, judged_due_at, failures_in_a_row, passes_in_a_row FROM check_states
    WHERE partner = :partner AND browser = :browser AND "check" = :check FOR UPDATE
""")
_JOB_STATES = text("""
    SELECT job_id, state, since, judged_due_at, failures_in_a_row, passes_in_a_row FROM job_states
    WHERE job_id = ANY(CAST(:ids AS uuid[])) ORDER BY job_id FOR UPDATE
""")
_FIRST_JOB_STATES = text("""
    INSERT INTO job_states (job_id, state, failures_in_a_row, passes_in_a_row)
    SELECT id, 'unknown', 0, 0 FROM jobs WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR KEY SHARE
    ON CONFLICT (job_id) DO NOTHING
""")
_FOLD_JOBS = text("""
    UPDATE job_states SET state = f.state, since = f.since, judged_due_at = f.judged_due_at,
        failures_in_a_row = f.failures_in_a_row, passes_in_a_row = f.passes_in_a_row, result_id = f.result_id,
        outcome_code = f.outcome_code, message = f.message, duration_seconds = f.duration_seconds
    FROM jsonb_to_recordset(CAST(:folded AS jsonb)) AS f(
        job_id uuid, state text, since timestamptz, judged_due_at timestamptz, failures_in_a_row smallint,
        passes_in_a_row smallint, result_id uuid, outcome_code text, message text, duration_seconds float8)
    WHERE job_states.job_id = f.job_id
""")
MOST_IN_A_ROW = 30_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """One result that was just recorded, with what it says about each check or about the job."""

    claimed: Claimed
    verdicts: Sequence[Verdict]


async def fold_states(connection: AsyncConnection, recorded: Sequence[Recorded], now: datetime) -> None:
    """Every state that these results change. Rows are locked in one order; only first states may make two runners wait
    for each other, and then one of them is tried again.
    """
    jobs: dict[UUID, list[Recorded]] = defaultdict(list)
    checks: list[tuple[tuple[str, str, str], Recorded, Verdict]] = []
    for each in recorded:
        definition = each.claimed.definition
        if isinstance(definition, CallbackDefinition):
            jobs[definition.job_id].append(each)
        else:
            checks += [((definition.partner, definition.browser, v.check or ""), each, v) for v in each.verdicts]
    for key, each, verdict in sorted(checks, key=lambda item: (item[0], item[1].claimed.due_at)):
        await _fold_check(connection, key, each.claimed, verdict, now)
    if jobs:
        await _fold_jobs(connection, jobs, now)


async def _fold_check(
    connection: AsyncConnection, names: tuple[str, str, str], claimed: Claimed, verdict: Verdict, now: datetime
) -> None:
    key = dict(zip(("partner", "browser", "check"), names, strict=True))
    if (await connection.execute(_PARTNER, {"partner": key["partner"]})).one_or_none() is None:
        return
    await connection.execute(_SERIAL, {"key": json.dumps(key)})
    row = (await connection.execute(_CHECK_STATE, key)).one_or_none()
    before = StateValue() if row is None else StateValue(State(row.state), *row[1:])
    after = _fold(before, claimed, verdict, now)
    if after is not before:
        values = _columns(after, claimed, verdict)
        statement = insert(CheckState).values(**key, **values)
        await connection.execute(statement.on_conflict_do_update(index_elements=[*key], set_=values))


async def _fold_jobs(connection: AsyncConnection, jobs: dict[UUID, list[Recorded]], now: datetime) -> None:
    states = (await connection.execute(_JOB_STATES, {"ids": sorted(jobs)})).all()
    if len(states) < len(jobs):
        # A job has no state before its first result; one that was deleted meanwhile gets none.
        await connection.execute(_FIRST_JOB_STATES, {"ids": sorted(jobs)})
        states = (await connection.execute(_JOB_STATES, {"ids": sorted(jobs)})).all()
    folded = []
    for row in states:
        value = before = StateValue(State(row.state), *row[2:])
        for each in sorted(jobs[row.job_id], key=lambda item: item.claimed.due_at):
            for verdict in each.verdicts:
                after = _fold(value, each.claimed, verdict, now)
                if after is not value:
                    value, columns = after, _columns(after, each.claimed, verdict)
        if value is not before:
            folded.append({"job_id": row.job_id, **columns})
    if folded:
        await connection.execute(_FOLD_JOBS, {"folded": json.dumps(folded, default=_as_text)})


def _fold(before: StateValue, claimed: Claimed, verdict: Verdict, now: datetime) -> StateValue:
    rules: CheckDefinition | CallbackDefinition = claimed.definition
    return fold(
        before,
        verdict.outcome,
        due_at=claimed.due_at,
        now=now,
        failing_after=rules.failing_after,
        working_after=rules.working_after,
    )


def _columns(after: StateValue, claimed: Claimed, verdict: Verdict) -> dict[str, Any]:
    return {
        "state": after.state.value,
        "since": after.since,
        "judged_due_at": after.judged_due_at,
        "failures_in_a_row": min(after.failures_in_a_row, MOST_IN_A_ROW),
        "passes_in_a_row": min(after.passes_in_a_row, MOST_IN_A_ROW),
        "result_id": claimed.id,
        "outcome_code": verdict.outcome.code,
        "message": verdict.outcome.message,
        "duration_seconds": verdict.duration_seconds,
    }


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
