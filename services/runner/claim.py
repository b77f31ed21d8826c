"""The first write of a runner: take scheduled jobs by compare-and-set, each with a fresh token and a lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runner.definition import Definition, Failures, definition_of
from shared.crash_points import crash_point
from shared.ledger import end_not_run
from shared.queue import Message

LEASE_SECONDS = 15

# A message can arrive before its mark, so `planned` may be claimed too. A job whose lease ended is not claimed here:
# the sweeper first records the attempt that was lost. `run_after` is allowed 50 ms ahead, which are then waited.
# The rows are locked in the order of their ids, so that two runners with the same messages do not block each other.
_CLAIM = text("""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS smallint[]), CAST(:tokens AS uuid[]))
            AS a(id, attempt, token)
    ), locked AS (
        SELECT id FROM scheduled_jobs WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
    )
    UPDATE scheduled_jobs jobs SET state = 'running', attempt = jobs.attempt + 1, token = asked.token,
        runner = :runner, started_at = greatest(clock_timestamp(), run_after),
        lease_until = now() + make_interval(secs => :lease), browser_session = NULL
    FROM asked JOIN locked USING (id)
    WHERE jobs.id = asked.id AND jobs.attempt = asked.attempt AND state IN ('planned', 'dispatched')
      AND run_after <= clock_timestamp() + interval '50 milliseconds'
    RETURNING jobs.id
""")
# A statement of its own: the claim may have waited for an edit, and would still see the definition before it.
_CLAIMED = text("""
    SELECT claimed.*, greatest(extract(epoch FROM claimed.run_after - clock_timestamp()), 0)::float AS early_seconds,
           c.checks, coalesce(c.step_screenshots, 'always') AS step_screenshots, b.capabilities, p.entry_point,
           p.sealed_credentials, p.sealed_sso_credentials, p.wait_override_seconds,
           p.login, p.sso, p.product_page, p.express_checkout,
           k.callback_url, k.http_method, k.payload, k.headers, k.sealed_headers, k.sealed_signing_secrets, k.success,
           k.max_redirects, t."check" AS try_check, t.own_flow AS try_own_flow, t.flow AS try_flow,
           coalesce(c.timeout_seconds, k.timeout_seconds, t.timeout_seconds) AS timeout_seconds,
           coalesce(c.slow_after_seconds, k.slow_after_seconds) AS slow_after_seconds,
           coalesce(c.retry, k.retry) AS retry,
           coalesce(c.failing_after, k.failing_after) AS failing_after,
           coalesce(c.working_after, k.working_after) AS working_after
    FROM scheduled_jobs claimed
    LEFT JOIN job_configurations c ON c.id = claimed.job_configuration_id
    LEFT JOIN partners p ON p.code = claimed.partner
    LEFT JOIN browsers b ON b.name = claimed.browser
    LEFT JOIN jobs k ON k.id = claimed.job_id
    LEFT JOIN tries t ON t.id = claimed.id
    WHERE claimed.id = ANY(CAST(:ids AS uuid[])) AND claimed.token = ANY(CAST(:tokens AS uuid[]))
""")
_GIVE_BACK = text("""
    UPDATE scheduled_jobs SET state = 'planned', attempt = attempt - 1 WHERE id = ANY(CAST(:ids AS uuid[]))
""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A scheduled job in our hands, with its definition as it is now.

    `message_id` and `nominal_due_at` are its own, or, of a replay, those of what is sent again. `since` is the moment
    it could start first, from which its age counts.
    """

    id: UUID
    token: UUID
    schedule_id: UUID
    origin: str
    due_at: datetime
    attempt: int
    started_at: datetime
    early_seconds: float
    since: datetime
    message_id: UUID
    nominal_due_at: datetime
    failures: Failures
    definition: Definition


async def claim_all(engine: AsyncEngine, messages: Sequence[Message], runner: UUID) -> list[Claimed | None]:
    """One answer a message; None when there is nothing to claim: ended, cancelled, taken, or at another attempt."""
    tokens = [uuid4() for _ in messages]
    asked = {
        "ids": [message.scheduled_job_id for message in messages],
        "attempts": [message.attempt for message in messages],
        "tokens": tokens,
        "runner": runner,
        "lease": LEASE_SECONDS,
    }
    async with engine.begin() as connection:
        ids = list((await connection.execute(_CLAIM, asked)).scalars())
        found = await connection.execute(_CLAIMED, {"ids": ids, "tokens": tokens}) if ids else ()
        rows = {row.token: row for row in found}
        claimed = {token: _claimed(row) for token, row in rows.items()}
        undefined = [rows[token].id for token, each in claimed.items() if each is None]
        if undefined:
            # Nobody can ever run these; left alone, they would be published for ever.
            await connection.execute(_GIVE_BACK, {"ids": undefined})
            await end_not_run(connection, undefined, "cancelled", "What it was to do is not defined any more.")
    if rows:
        crash_point("after_claim")
    return [claimed.get(token) for token in tokens]


def _claimed(row: Row[Any]) -> Claimed | None:
    definition = definition_of(row)
    if definition is None:
        return None
    return Claimed(
        id=row.id,
        token=row.token,
        schedule_id=row.schedule_id,
        origin=row.origin,
        due_at=row.due_at,
        attempt=row.attempt,
        started_at=row.started_at,
        early_seconds=row.early_seconds,
        since=max(row.due_at, row.created_at),
        message_id=row.replay_of or row.id,
        nominal_due_at=row.replay_due_at or row.due_at,
        failures=Failures(row.partner_failures, row.infrastructure_failures),
        definition=definition,
    )
