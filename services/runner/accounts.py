"""Care for the accounts that checks log in at: one log-in at a time, not too soon after another, no code twice.

An account is a user name at an entry host, known by a keyed hash. It is held by an attempt for as long as the ledger
says that this attempt is running; so whatever becomes of the runner, the end of the lease frees it.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runner.claim import Claimed
from services.runner.performed import AccountNews
from services.runner.postponed import Postponed, Refused
from shared.secret_box import SecretBox

log = structlog.get_logger(__name__)

HELD_AGAIN_IN_SECONDS = 2.0
SPEND_TIMEOUT_SECONDS = 5.0

_ADD = text("""
    INSERT INTO accounts (fingerprint) SELECT unnest(CAST(:accounts AS text[])) ORDER BY 1 ON CONFLICT DO NOTHING
""")
# The partner is locked first: one that is deleted meanwhile has no uses, and breaks nothing.
_ADD_USES = text("""
    WITH partner AS (SELECT code FROM partners WHERE code = :partner FOR KEY SHARE)
    INSERT INTO account_uses (fingerprint, partner, "check")
    SELECT used.account, partner.code, used.name
    FROM partner, unnest(CAST(:accounts AS text[]), CAST(:checks AS text[])) AS used(account, name)
    ON CONFLICT DO NOTHING
""")
_LOCK = text("""
    SELECT fingerprint FROM accounts WHERE fingerprint = ANY(CAST(:accounts AS text[])) ORDER BY 1 FOR UPDATE
""")
# A statement of its own, so that it sees what was committed while the lock was waited for.
_LOOK = text("""
    SELECT a.stopped_at IS NOT NULL AS stopped, a.rejections,
           extract(epoch FROM a.free_at - clock_timestamp())::float AS free_in_seconds,
           EXISTS (SELECT FROM scheduled_jobs holder
                   WHERE holder.id = a.job AND holder.token = a.token AND holder.state = 'running'
                     AND holder.lease_until > clock_timestamp()) AS held
    FROM accounts a WHERE a.fingerprint = ANY(CAST(:accounts AS text[]))
""")
_TAKE = text("""
    UPDATE accounts SET job = :job, token = :token,
        free_at = clock_timestamp() + make_interval(secs => CAST(:gap AS float8))
    WHERE fingerprint = ANY(CAST(:accounts AS text[]))
""")
# Only under the token that took the account: so nothing is counted twice, and nothing by an attempt that lost it.
_SETTLE = text("""
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(CAST(:news AS jsonb)) AS g(
            fingerprint text, token uuid, sent bool, accepted bool, refused smallint, gap float8, stop_after smallint)
    ), locked AS (
        SELECT accounts.fingerprint FROM accounts JOIN given USING (fingerprint, token)
        ORDER BY 1 FOR UPDATE OF accounts
    ), counted AS (
        SELECT given.*, CASE WHEN given.accepted THEN 0 ELSE accounts.rejections END + given.refused AS in_a_row
        FROM given JOIN accounts USING (fingerprint, token) JOIN locked USING (fingerprint)
    )
    UPDATE accounts SET
        rejections = least(counted.in_a_row, 30000), job = NULL, token = NULL,
        free_at = clock_timestamp() + make_interval(secs => CASE WHEN counted.sent THEN counted.gap ELSE 0 END),
        stopped_at = CASE WHEN counted.refused > 0 AND counted.in_a_row >= counted.stop_after
                          THEN coalesce(accounts.stopped_at, now()) ELSE accounts.stopped_at END
    FROM counted
    WHERE accounts.fingerprint = counted.fingerprint AND accounts.token = counted.token
    RETURNING accounts.fingerprint, accounts.rejections, accounts.stopped_at IS NOT NULL AS stopped
""")
_SPEND = text("""
    INSERT INTO accounts (fingerprint, code_step) VALUES (:account, :step)
    ON CONFLICT (fingerprint) DO UPDATE SET code_step = excluded.code_step
        WHERE accounts.code_step IS NULL OR accounts.code_step < excluded.code_step
    RETURNING code_step
""")


@dataclass(frozen=True, slots=True)
class AccountCare:
    """`gap_seconds` lie between two log-ins at one account; after `stop_after` refused in a row there is none."""

    engine: AsyncEngine
    box: SecretBox
    gap_seconds: float = 5.0
    stop_after: int = 3

    async def take(self, claimed: Claimed, partner: str, uses: Mapping[str, Sequence[str]]) -> None:
        """All of them or none. Raises `Postponed` while one is held or was used just now, `Refused` when stopped."""
        if not uses:
            return
        accounts = sorted(uses)
        pairs = [(account, name) for account in accounts for name in uses[account]]
        async with self.engine.begin() as connection:
            await connection.execute(_ADD, {"accounts": accounts})
            columns = {"accounts": [account for account, _ in pairs], "checks": [name for _, name in pairs]}
            await connection.execute(_ADD_USES, {"partner": partner, **columns})
            await connection.execute(_LOCK, {"accounts": accounts})
            found = (await connection.execute(_LOOK, {"accounts": accounts})).all()
            stopped = max((row.rejections for row in found if row.stopped), default=None)
            busy = max((_busy_seconds(row.held, row.free_in_seconds) for row in found), default=0.0)
            if stopped is None and busy <= 0:
                taken = {"accounts": accounts, "job": claimed.id, "token": claimed.token, "gap": self.gap_seconds}
                await connection.execute(_TAKE, taken)
        if stopped is not None:
            raise Refused(f"{stopped} log-ins were refused in a row: it stays stopped until it is resumed.")
        if busy > 0:
            raise AccountBusy(busy)

    def code_spender(self) -> Callable[[bytes, int], bool]:
        """For the attempt's thread: whether this time step of a one-time code is ours to use; True only once for all
        browsers and runners, and never for a step before one that was used. Raises when the database is away.

        Call it in the event loop; what it returns blocks for `SPEND_TIMEOUT_SECONDS` at most.
        """
        loop = asyncio.get_running_loop()

        def spend(key: bytes, step: int) -> bool:
            asked = asyncio.run_coroutine_threadsafe(self.spend(key, step), loop)
            try:
                return asked.result(SPEND_TIMEOUT_SECONDS)
            except TimeoutError:
                asked.cancel()
                raise

        return spend

    async def spend(self, key: bytes, step: int) -> bool:
        """`key` stands for the secret that makes the codes; only its keyed hash is stored."""
        account = self.box.fingerprint("code", key.hex())
        async with self.engine.begin() as connection:
            spent = await connection.execute(_SPEND, {"account": account, "step": step})
            return spent.scalar_one_or_none() is not None


class AccountBusy(Postponed):
    """Somebody is logged in at the account, or was just now; this attempt was not begun."""

    def __init__(self, again_in_seconds: float) -> None:
        super().__init__()
        self.again_in_seconds = again_in_seconds


async def settle_accounts(connection: AsyncConnection, news: Sequence[AccountNews]) -> None:
    """Counts what the sites said, in the transaction that records it, and frees the accounts."""
    if not news:
        return
    given = [
        {
            "fingerprint": each.fingerprint,
            "token": str(each.token),
            "sent": each.log_ins.sent,
            "accepted": each.log_ins.accepted,
            "refused": each.log_ins.refused,
            "gap": each.gap_seconds,
            "stop_after": each.stop_after,
        }
        for each in news
    ]
    for row in await connection.execute(_SETTLE, {"news": json.dumps(given)}):
        if row.stopped:
            log.warning("account_stopped", account=row.fingerprint[:12], rejections=row.rejections)


def _busy_seconds(held: bool, free_in_seconds: float) -> float:
    if held:
        return max(HELD_AGAIN_IN_SECONDS, free_in_seconds)
    return free_in_seconds
