"""What a test of two transactions waits for: that one of them waits for the other."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.patience import PATIENCE_SECONDS

_WAITING = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
""")


async def until_someone_waits(engine: AsyncEngine, count: int = 1) -> None:
    """For a lock, as the database sees it."""
    async with asyncio.timeout(PATIENCE_SECONDS), engine.connect() as connection:
        while (await connection.execute(_WAITING)).scalar_one() < count:
            await connection.rollback()
            await asyncio.sleep(0)
