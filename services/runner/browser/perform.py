"""From a claimed check to what is recorded of it: the browser's work, the evidence kept, the verdicts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runner.accounts import AccountCare
from services.runner.browser.attempt import AttemptReport, CheckReport, Evidence, Session
from services.runner.browser.grid.watch import GridWatch
from services.runner.browser.run import run_browser_task
from services.runner.browser.settings import BrowserSettings
from services.runner.browser.task import accounts_of, task_of
from services.runner.claim import Claimed
from services.runner.performed import AccountNews, Performed, Verdict
from shared.domain.account import log_ins
from shared.domain.schedule import Origin
from shared.evidence_store import EvidenceStore, Place
from shared.ledger import AttemptRecord
from shared.secret_box import SecretBox

log = structlog.get_logger(__name__)

KEEP_SECONDS = 10.0
_NOTE_SESSION = text("""
    UPDATE scheduled_jobs SET browser_session = jsonb_build_object(
        'id', CAST(:session AS text), 'webdriver_url', CAST(:url AS text), 'node', CAST(:node AS text),
        'devtools', CAST(:devtools AS text))
    WHERE id = :id AND token = :token
""")
_KEEP_WITH_TRY = text("""
    INSERT INTO try_evidence (try_id, attempt, name, content_type, content)
    VALUES (:id, :attempt, :name, :content_type, :content)
""")


@dataclass(frozen=True, slots=True)
class CheckPerformer:
    engine: AsyncEngine
    box: SecretBox
    evidence: EvidenceStore
    settings: BrowserSettings
    accounts: AccountCare
    grid: GridWatch

    def limit_seconds(self, claimed: Claimed) -> float:
        """All that one attempt may take when everything in it is slow."""
        budgets = self.settings
        around = budgets.acquire_seconds + budgets.control_seconds + budgets.cleanup_seconds * 2
        return claimed.definition.timeout_seconds + around + KEEP_SECONDS

    async def perform(self, claimed: Claimed) -> Performed:
        """Raises `SecretUnreadable`, and `Postponed` or `Refused` when its account does not let it begin."""
        task = task_of(claimed, self.box, self.accounts.code_spender())
        uses = accounts_of(task.checks, self.box)
        await self.accounts.take(claimed, task.partner, uses)
        task = replace(task, avoid_nodes=self.grid.nodes.avoided)
        report = await run_browser_task(task, self.settings, on_session=lambda session: self._note(claimed, session))
        await self.grid.learn(task.browser, report)
        report = await self._keep_evidence(claimed, report)
        verdicts = tuple(Verdict(check.check, check.outcome, check.duration_seconds) for check in report.checks)
        return Performed(_record_of(claimed, report), verdicts, accounts=self._news(claimed, uses, report))

    def _news(
        self, claimed: Claimed, uses: Mapping[str, Sequence[str]], report: AttemptReport
    ) -> tuple[AccountNews, ...]:
        outcomes = [(check.check, check.outcome) for check in report.checks]
        care = self.accounts
        found = {account: log_ins(pair for pair in outcomes if pair[0] in checks) for account, checks in uses.items()}
        return tuple(
            AccountNews(account, claimed.token, did, care.gap_seconds, care.stop_after)
            for account, did in found.items()
        )

    async def _note(self, claimed: Claimed, session: Session) -> None:
        """So that the session can be closed even when this process is killed."""
        async with self.engine.begin() as connection:
            place = {"url": session.webdriver_url, "node": session.node, "devtools": session.devtools}
            values = {**place, "session": session.id, "id": claimed.id, "token": claimed.token}
            await connection.execute(_NOTE_SESSION, values)

    async def _keep_evidence(self, claimed: Claimed, report: AttemptReport) -> AttemptReport:
        kept = await asyncio.gather(*(self._keep(claimed, item) for item in report.evidence))
        return replace(report, evidence=tuple(item for item in kept if item is not None))

    async def _keep(self, claimed: Claimed, item: Evidence) -> Evidence | None:
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                if claimed.origin == Origin.TRY:
                    await self._keep_with_try(claimed, item)
                else:
                    place = Place.of(claimed.id, claimed.due_at, claimed.attempt)
                    await self.evidence.write(place, item.name, item.content)
        except (OSError, SQLAlchemyError) as error:  # the store's own errors, and TimeoutError
            # The verdict counts more than its picture.
            log.error("evidence_not_kept", job=str(claimed.id), name=item.name, error=type(error).__name__)
            return None
        return item

    async def _keep_with_try(self, claimed: Claimed, item: Evidence) -> None:
        async with self.engine.begin() as connection:
            piece = {"name": item.name, "content_type": item.content_type, "content": item.content}
            await connection.execute(_KEEP_WITH_TRY, {"id": claimed.id, "attempt": claimed.attempt, **piece})


def _record_of(claimed: Claimed, report: AttemptReport) -> AttemptRecord:
    session = report.session
    return AttemptRecord(
        outcome=report.outcome,
        started_at=claimed.started_at,
        duration_seconds=round(report.duration_seconds, 3),
        checks=[_check_of(check, {item.name for item in report.evidence}) for check in report.checks],
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


def _check_of(check: CheckReport, kept: set[str]) -> dict[str, Any]:
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
                "evidence": step.evidence if step.evidence in kept else None,
            }
            for step in check.steps
        ],
        **({"warnings": list(check.warnings)} if check.warnings else {}),
    }
