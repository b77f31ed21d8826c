"""What runners avoid or have stopped: nodes of the Grid that fail, accounts whose log-ins were refused."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.infrastructure.schemas import Accounts, NodeTrouble, StoppedAccount

_NODES = text("""
    SELECT node, failures_in_a_row, outcome_code AS code, failed_at,
           CASE WHEN avoided_until > now() THEN avoided_until END AS avoided_until
    FROM grid_nodes ORDER BY failed_at DESC LIMIT 100
""")
_IN_USE = text("""
    SELECT count(*) FROM accounts
    JOIN scheduled_jobs holder ON holder.id = accounts.job AND holder.token = accounts.token
    WHERE holder.state = 'running' AND holder.lease_until > now()
""")
_STOPPED = text("""
    SELECT rejections, stopped_at,
           array(SELECT DISTINCT partner FROM account_uses uses
                 WHERE uses.fingerprint = accounts.fingerprint ORDER BY 1) AS partners
    FROM accounts WHERE stopped_at IS NOT NULL ORDER BY stopped_at DESC LIMIT 100
""")


async def read_nodes(session: AsyncSession) -> list[NodeTrouble]:
    """Those whose newest attempt failed on our side, the newest first."""
    return [NodeTrouble.model_validate(row) for row in await session.execute(_NODES)]


async def read_accounts(session: AsyncSession) -> Accounts:
    in_use = (await session.execute(_IN_USE)).scalar_one()
    stopped = [StoppedAccount.model_validate(row) for row in await session.execute(_STOPPED)]
    return Accounts(in_use=in_use, stopped=stopped)
