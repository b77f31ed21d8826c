"""The first write of a runner: take a scheduled job by compare-and-set, with a fresh token and a lease."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.domain.retry import RetryPolicy
from shared.ledger import end_not_run
from shared.models.job_configuration import retry_policy
from shared.queue import Message

LEASE_SECONDS = 15

# A message can arrive before its mark, so `planned` may be claimed too. A job whose lease ended is not claimed here:
# the sweeper first records the attempt that was lost. `run_after` is allowed 50 ms ahead, which are then waited.
_CLAIM = text("""
    WITH claimed AS (
        UPDATE scheduled_jobs SET state = 'running', attempt = attempt + 1, token = :token, runner = :runner,
            started_at = greatest(clock_timestamp(), run_after), lease_until = now() + make_interval(secs => :lease),
            browser_session = NULL
        WHERE id = :id AND attempt = :attempt AND state IN ('planned', 'dispatched')
          AND run_after <= clock_timestamp() + interval '50 milliseconds'
        RETURNING *
    )
    SELECT claimed.*, greatest(extract(epoch FROM claimed.run_after - clock_timestamp()), 0)::float AS early_seconds,
           c.checks, c.timeout_seconds, c.slow_after_seconds, c.retry, c.failing_after, c.working_after,
           p.entry_point, p.sealed_credentials, p.wait_override_seconds, b.capabilities
    FROM claimed
    LEFT JOIN job_configurations c ON c.id = claimed.job_configuration_id
    LEFT JOIN partners p ON p.code = claimed.partner
    LEFT JOIN browsers b ON b.name = claimed.browser
""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A scheduled job in our hands, with its definition as it is now."""

    id: UUID
    token: UUID
    schedule_id: UUID
    origin: str
    due_at: datetime
    attempt: int
    started_at: datetime
    early_seconds: float
    partner: str
    browser: str
    partner_failures: int
    infrastructure_failures: int
    checks: tuple[str, ...]
    timeout_seconds: float
    slow_after_seconds: float | None
    wait_override_seconds: float | None
    retry: RetryPolicy
    failing_after: int
    working_after: int
    entry_point: str
    capabilities: dict[str, Any]
    sealed_credentials: bytes | None


async def claim(engine: AsyncEngine, message: Message, runner: UUID) -> Claimed | None:
    """None when there is nothing to claim: ended, cancelled, claimed by another, or not at this attempt any more."""
    token = uuid4()
    async with engine.begin() as connection:
        asked = {
            "token": token,
            "runner": runner,
            "lease": LEASE_SECONDS,
            "id": message.scheduled_job_id,
            "attempt": message.attempt,
        }
        row = (await connection.execute(_CLAIM, asked)).one_or_none()
        if row is None or row.checks is None or row.capabilities is None:
            await connection.rollback()
            if row is not None:
                # Without a definition nobody can ever run it; left alone, it would be published for ever.
                async with engine.begin() as ending:
                    await end_not_run(ending, [row.id], "cancelled", "What it was to check is not defined any more.")
            return None
    return Claimed(
        id=row.id,
        token=token,
        schedule_id=row.schedule_id,
        origin=row.origin,
        due_at=row.due_at,
        attempt=row.attempt,
        started_at=row.started_at,
        early_seconds=row.early_seconds,
        partner=row.partner,
        browser=row.browser,
        partner_failures=row.partner_failures,
        infrastructure_failures=row.infrastructure_failures,
        checks=tuple(row.checks),
        timeout_seconds=row.timeout_seconds,
        slow_after_seconds=row.slow_after_seconds,
        wait_override_seconds=row.wait_override_seconds,
        retry=retry_policy(row.retry),
        failing_after=row.failing_after,
        working_after=row.working_after,
        entry_point=row.entry_point,
        capabilities=row.capabilities,
        sealed_credentials=row.sealed_credentials,
    )
