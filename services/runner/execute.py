"""The story of one attempt: claim, perform, keep the evidence, finish, ack."""

import asyncio
import traceback
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runner.browser.attempt import AttemptReport, BrowserTask, Credentials, Session
from services.runner.browser.run import run_browser_task
from services.runner.browser.settings import BrowserSettings
from services.runner.claim import Claimed, claim
from services.runner.finish import finish
from services.runner.lease import Leases
from shared.domain.outcome import Outcome
from shared.evidence_store import EvidenceStore
from shared.ledger import AttemptRecord, end_attempt
from shared.queue import Delivery
from shared.secret_box import SecretBox, SecretUnreadable

log = structlog.get_logger(__name__)

# Beyond all the budgets of the attempt itself: only a fault of ours gets here.
LAST_RESORT_SECONDS = 20

_NOTE_SESSION = text("""
    UPDATE scheduled_jobs SET browser_session = jsonb_build_object(
        'id', CAST(:session AS text), 'webdriver_url', CAST(:url AS text), 'node', CAST(:node AS text))
    WHERE id = :id AND token = :token
""")


@dataclass(frozen=True, slots=True)
class Runner:
    """What every attempt of this process works with."""

    id: UUID
    engine: AsyncEngine
    leases: Leases
    box: SecretBox
    evidence: EvidenceStore
    browser: BrowserSettings


async def execute(delivery: Delivery, runner: Runner) -> None:
    """One message from claim to ack. Cancelled, it hands the job back before it ends."""
    claimed = await _claim_patiently(delivery, runner)
    if claimed is None:
        await delivery.ack()
        return
    work = asyncio.create_task(_perform(claimed, runner), name=f"attempt {claimed.id}")
    with runner.leases.hold(claimed, work):
        try:
            report = await work
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            await _hand_back(claimed, runner)
            await delivery.ack()
            raise
        report = await _keep_evidence(claimed, report, runner)
        recorded = await finish(runner.engine, claimed, report)
    await delivery.ack()
    facts: dict[str, Any] = {"job": str(claimed.id), "partner": claimed.partner, "browser": claimed.browser}
    log.info("attempt_ended" if recorded else "attempt_fenced", **facts, outcome=report.outcome.code)


async def _claim_patiently(delivery: Delivery, runner: Runner) -> Claimed | None:
    """While the database is away the message waits in its slot: that is how consuming stops."""
    wait = 0.2
    while True:
        try:
            return await claim(runner.engine, delivery.message, runner.id)
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("claim_failed", error=type(error).__name__, again_in_seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5)


async def _perform(claimed: Claimed, runner: Runner) -> AttemptReport:
    started_at = datetime.now(UTC)
    await asyncio.sleep(claimed.early_seconds)
    budgets = runner.browser
    limit = claimed.timeout_seconds + budgets.acquire_seconds + budgets.control_seconds + budgets.cleanup_seconds * 2
    try:
        task = _task_of(claimed, runner.box)
        async with asyncio.timeout(limit + LAST_RESORT_SECONDS):
            return await run_browser_task(task, budgets, on_session=lambda session: _note(claimed, session, runner))
    except TimeoutError:
        return _broken(started_at, "The attempt did not end within all of its time limits.", None)
    except SecretUnreadable as error:
        return _broken(started_at, f"The partner's credentials can't be read: {error}.", None)
    except Exception as error:
        # The text may hold anything, so only the kind of error is told.
        where = "".join(traceback.format_tb(error.__traceback__))
        return _broken(started_at, f"Unexpected {type(error).__name__}.", where)


def _task_of(claimed: Claimed, box: SecretBox) -> BrowserTask:
    credentials = None
    if claimed.sealed_credentials is not None:
        opened = box.open(claimed.sealed_credentials)
        credentials = Credentials(
            opened.get("username") or "", opened.get("password") or "", opened.get("totp_secret") or None
        )
    return BrowserTask(
        scheduled_job_id=str(claimed.id),
        attempt=claimed.attempt,
        partner=claimed.partner,
        entry_point=claimed.entry_point,
        checks=claimed.checks,
        browser=claimed.browser,
        capabilities=claimed.capabilities,
        credentials=credentials,
        timeout_seconds=claimed.timeout_seconds,
        slow_after_seconds=claimed.slow_after_seconds,
        wait_override_seconds=claimed.wait_override_seconds,
    )


async def _note(claimed: Claimed, session: Session, runner: Runner) -> None:
    """The session stands in the ledger from its first moment, so that it can be closed when this runner is killed."""
    async with runner.engine.begin() as connection:
        url = {"url": session.webdriver_url, "node": session.node, "session": session.id}
        await connection.execute(_NOTE_SESSION, {**url, "id": claimed.id, "token": claimed.token})


async def _keep_evidence(claimed: Claimed, report: AttemptReport, runner: Runner) -> AttemptReport:
    kept = []
    for item in report.evidence:
        try:
            await runner.evidence.write(claimed.id, claimed.due_at, claimed.attempt, item.name, item.content)
            kept.append(item)
        except OSError as error:
            # The verdict counts more than its picture.
            log.error("evidence_not_kept", job=str(claimed.id), name=item.name, error=type(error).__name__)
    return replace(report, evidence=tuple(kept))


async def _hand_back(claimed: Claimed, runner: Runner) -> None:
    """At a stop, or when the lease is lost: the job goes back at once, guarded by the token like every end."""
    outcome = Outcome("runner_lost", "The runner was stopped during the check, and handed it back.")
    record = AttemptRecord(outcome, claimed.started_at, None)
    try:
        async with asyncio.timeout(5), runner.engine.begin() as connection:
            now = (await connection.execute(text("SELECT now()"))).scalar_one()
            await end_attempt(connection, claimed.id, claimed.token, record, retry_at=now, counts=False)
    except Exception as error:
        log.warning("hand_back_failed", job=str(claimed.id), error=type(error).__name__)


def _broken(started_at: datetime, message: str, where: str | None) -> AttemptReport:
    seconds = (datetime.now(UTC) - started_at).total_seconds()
    return AttemptReport(Outcome("internal_error", message), (), (), None, started_at, seconds, traceback=where)
