"""What people decide about accounts that were stopped because their log-ins were refused."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import JobConfiguration

# The count stays, so that the next refusal stops it again.
_TRY = text("""
    UPDATE accounts SET stopped_at = NULL WHERE stopped_at IS NOT NULL AND fingerprint IN (
        SELECT u.fingerprint FROM account_uses u JOIN job_configurations c
            ON c.partner = u.partner AND u."check" = ANY(c.checks)
        WHERE c.id = ANY(CAST(:ids AS uuid[])))
""")
# Other credentials may be another account, so the uses are found anew.
_FORGET = (
    text("""
        UPDATE accounts SET stopped_at = NULL, rejections = 0
        WHERE fingerprint IN (SELECT fingerprint FROM account_uses WHERE partner = :partner)
    """),
    text("DELETE FROM account_uses WHERE partner = :partner"),
)


async def let_accounts_try(session: AsyncSession, configurations: Sequence[JobConfiguration]) -> None:
    """One more log-in at each stopped account that these use."""
    if configurations:
        await session.execute(_TRY, {"ids": [configuration.id for configuration in configurations]})


async def forget_rejections(session: AsyncSession, partner: str) -> None:
    """The partner's credentials were saved anew, so what was refused says nothing any more."""
    for statement in _FORGET:
        await session.execute(statement, {"partner": partner})
