"""The third write of a runner: result in, scheduled job out (or back to planned), state folded; one commit."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runner.browser.attempt import AttemptReport, CheckReport
from services.runner.claim import Claimed
from shared.domain.outcome import OutcomeClass
from shared.domain.retry import retry_at
from shared.domain.state import CheckState as CheckStateValue
from shared.domain.state import State, fold
from shared.ledger import AttemptRecord, end_attempt, retry_before
from shared.models import CheckState

log = structlog.get_logger(__name__)

GIVE_UP_AFTER_SECONDS = 120

_STATE = text("""
    SELECT state, since, judged_due_at, failures_in_a_row, passes_in_a_row FROM check_states
    WHERE partner = :partner AND browser = :browser AND "check" = :check FOR UPDATE
""")
# Locked first, so that a partner deleted meanwhile is noticed instead of breaking the insert.
_PARTNER = text("SELECT code FROM partners WHERE code = :partner FOR KEY SHARE")
_SERIAL = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_LANDED = text("""
    SELECT EXISTS (SELECT 1 FROM attempts WHERE scheduled_job_id = :id AND due_at = :due_at AND token = :token)
""")


async def finish(engine: AsyncEngine, claimed: Claimed, report: AttemptReport) -> bool:
    """True when it is recorded. False when another has taken the job over: then nothing of ours is kept.

    Tried again while the database is away. After a commit without an answer, the token says whether it landed.
    """
    wait, tried = 0.2, False
    async with asyncio.timeout(GIVE_UP_AFTER_SECONDS):
        while True:
            try:
                async with engine.begin() as connection:
                    if tried and await _landed(connection, claimed):
                        return True
                    tried = True
                    return await _record(connection, claimed, report)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("finish_failed", job=str(claimed.id), error=type(error).__name__, again_in_seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5)


async def _landed(connection: AsyncConnection, claimed: Claimed) -> bool:
    asked = {"id": claimed.id, "due_at": claimed.due_at, "token": claimed.token}
    return bool((await connection.execute(_LANDED, asked)).scalar_one())


async def _record(connection: AsyncConnection, claimed: Claimed, report: AttemptReport) -> bool:
    now = (await connection.execute(text("SELECT now()"))).scalar_one()
    again_at = await _retry_at(connection, claimed, report, now)
    recorded = await end_attempt(connection, claimed.id, claimed.token, _record_of(claimed, report), retry_at=again_at)
    if recorded and again_at is None:
        await _fold_states(connection, claimed, report.checks, now)
    return recorded


async def _retry_at(
    connection: AsyncConnection, claimed: Claimed, report: AttemptReport, now: datetime
) -> datetime | None:
    ours = report.outcome.outcome_class is OutcomeClass.INFRASTRUCTURE_FAILURE
    failures = claimed.infrastructure_failures if ours else claimed.partner_failures
    next_due = await retry_before(connection, claimed.schedule_id, claimed.origin, claimed.due_at)
    return retry_at(report.outcome, failures, claimed.retry, now=now, next_due=next_due)


async def _fold_states(
    connection: AsyncConnection, claimed: Claimed, checks: Sequence[CheckReport], now: datetime
) -> None:
    if (await connection.execute(_PARTNER, {"partner": claimed.partner})).one_or_none() is None:
        return
    for check in sorted(checks, key=lambda report: report.check):
        key = {"partner": claimed.partner, "browser": claimed.browser, "check": check.check}
        # The first state of a pairing has no row to lock yet.
        await connection.execute(_SERIAL, {"key": json.dumps(key)})
        row = (await connection.execute(_STATE, key)).one_or_none()
        before = CheckStateValue() if row is None else CheckStateValue(State(row.state), *row[1:])
        after = fold(
            before,
            check.outcome,
            due_at=claimed.due_at,
            now=now,
            failing_after=claimed.failing_after,
            working_after=claimed.working_after,
        )
        if after is not before:
            await connection.execute(_upsert(key, after, check, claimed.id))


def _upsert(key: dict[str, str], after: CheckStateValue, check: CheckReport, result: UUID) -> Any:
    values: dict[str, Any] = {
        "state": after.state.value,
        "since": after.since,
        "judged_due_at": after.judged_due_at,
        "failures_in_a_row": after.failures_in_a_row,
        "passes_in_a_row": min(after.passes_in_a_row, 30_000),
        "result_id": result,
        "outcome_code": check.outcome.code,
        "message": check.outcome.message,
        "duration_seconds": check.duration_seconds,
    }
    statement = insert(CheckState).values(**key, **values)
    return statement.on_conflict_do_update(index_elements=["partner", "browser", "check"], set_=values)


def _record_of(claimed: Claimed, report: AttemptReport) -> AttemptRecord:
    session = report.session
    return AttemptRecord(
        outcome=report.outcome,
        started_at=claimed.started_at,
        duration_seconds=round(report.duration_seconds, 3),
        checks=[_check_of(check) for check in report.checks],
        evidence=[
            {"name": item.name, "content_type": item.content_type, "bytes": len(item.content)}
            for item in report.evidence
        ],
        session_id=session.id if session else None,
        node=session.node if session else None,
        browser_name=session.browser_name if session else None,
        browser_version=session.browser_version if session else None,
        final_url=report.final_url,
        title=report.title,
        console_errors=list(report.console_errors),
        traceback=report.traceback,
    )


def _check_of(check: CheckReport) -> dict[str, Any]:
    return {
        "check": check.check,
        "code": check.outcome.code,
        "class": check.outcome.outcome_class.value,
        "success": check.outcome.success,
        "message": check.outcome.message,
        "duration_seconds": round(check.duration_seconds, 3),
        "steps": [
            {
                "name": step.name,
                "offset_seconds": round(step.offset_seconds, 3),
                "duration_seconds": round(step.duration_seconds, 3),
                "ok": step.ok,
                "detail": step.detail,
            }
            for step in check.steps
        ],
    }
