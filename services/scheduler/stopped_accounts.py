"""An account whose log-ins were refused too often: what logs in there is paused, and said to be failing.

The runner stops the account in the transaction that records the refusal. This duty follows from the rows alone, so it
does not matter who died in between. Locks are taken in the order of all edits: job configurations, schedules, jobs.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.domain.account import REFUSED
from shared.ledger import end_not_run

log = structlog.get_logger(__name__)

AUTHOR = "parakeet"

_STOPPED = """
    SELECT max(a.rejections) FROM account_uses u JOIN accounts a USING (fingerprint)
    WHERE a.stopped_at IS NOT NULL AND u.partner = c.partner AND u."check" = ANY(c.checks)
"""
_LOCK = text(f"""
    SELECT c.id FROM job_configurations c WHERE c.paused_at IS NULL AND ({_STOPPED}) IS NOT NULL
    ORDER BY c.id FOR UPDATE SKIP LOCKED
""")
# What is due and not planned yet is the planner's first: paused now, nobody would find it any more.
_LOCK_SCHEDULES = text("""
    SELECT id, job_configuration_id, next_due <= clock_timestamp() AND NOT fixed_delay AS behind FROM schedules
    WHERE job_configuration_id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
""")
# A statement of its own: it sees a resumption that was committed while the locks were waited for.
_PAUSE = text(f"""
    UPDATE job_configurations c SET paused_at = now(), paused_until = NULL, paused_by = :author, updated_at = now(),
        paused_reason = ({_STOPPED}) || ' log-ins were refused in a row: paused, so that the account is not locked.'
                        || ' Mend the credentials, then resume.'
    WHERE c.id = ANY(CAST(:ids AS uuid[])) AND c.paused_at IS NULL AND ({_STOPPED}) IS NOT NULL
    RETURNING c.id, c.partner, c.paused_reason
""")
_NEVER_DUE = text("""
    UPDATE schedules SET next_due = 'infinity' WHERE job_configuration_id = ANY(CAST(:ids AS uuid[]))
""")
_UNCLAIMED = text("""
    SELECT id, due_at > clock_timestamp() AND attempt = 0 AS ahead FROM scheduled_jobs
    WHERE schedule_id IN (SELECT id FROM schedules WHERE job_configuration_id = ANY(CAST(:ids AS uuid[])))
      AND state IN ('planned', 'dispatched')
    ORDER BY id FOR UPDATE
""")
_WITHDRAW = text("DELETE FROM scheduled_jobs WHERE id = ANY(CAST(:ids AS uuid[]))")
_FAILING = text("""
    UPDATE check_states SET state = 'failing', since = now()
    FROM (
        SELECT s.partner, s.browser, s."check" FROM check_states s
        WHERE s.state <> 'failing' AND s.outcome_code = ANY(CAST(:refused AS text[])) AND EXISTS (
            SELECT FROM account_uses u JOIN accounts a USING (fingerprint)
            WHERE a.stopped_at IS NOT NULL AND (u.partner, u."check") = (s.partner, s."check"))
        ORDER BY 1, 2, 3 FOR UPDATE
    ) found
    WHERE (check_states.partner, check_states.browser, check_states."check")
        = (found.partner, found.browser, found."check")
""")


async def pause_stopped_accounts(engine: AsyncEngine, not_run: Counter[str]) -> None:
    """One round. What was due and is not run therefore is counted."""
    async with engine.begin() as connection:
        await connection.execute(_FAILING, {"refused": sorted(REFUSED)})
    async with engine.begin() as connection:
        found = list((await connection.execute(_LOCK)).scalars())
        if not found:
            return
        schedules = (await connection.execute(_LOCK_SCHEDULES, {"ids": found})).all()
        behind = {row.job_configuration_id for row in schedules if row.behind}
        wanted = [each for each in found if each not in behind]
        paused = (await connection.execute(_PAUSE, {"ids": wanted, "author": AUTHOR})).all()
        if paused:
            not_run["cancelled"] += await _end_what_waits(connection, paused)


async def _end_what_waits(connection: AsyncConnection, paused: Sequence[Any]) -> int:
    ids: list[UUID] = [row.id for row in paused]
    await connection.execute(_NEVER_DUE, {"ids": ids})
    waiting = (await connection.execute(_UNCLAIMED, {"ids": ids})).all()
    await connection.execute(_WITHDRAW, {"ids": [row.id for row in waiting if row.ahead]})
    due = [row.id for row in waiting if not row.ahead]
    for row in paused:
        log.warning("paused_for_its_account", partner=row.partner, job_configuration=str(row.id))
    return len(await end_not_run(connection, due, "cancelled", f"Paused by {AUTHOR}: {paused[0].paused_reason}"))
