"""The database's time without asking it each time: due is judged by one clock, whatever the hosts' clocks say."""

import time
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


class DatabaseClock:
    """Database time plus a monotonic offset. `synchronise` before the first `now`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._anchor: datetime | None = None
        self._anchored_at = 0.0

    async def synchronise(self) -> None:
        """Read the database's clock; of three readings the one with the shortest round trip counts."""
        best = float("inf")
        async with self._engine.connect() as connection:
            for _ in range(3):
                before = time.monotonic()
                moment = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
                after = time.monotonic()
                if after - before < best:
                    best, self._anchor, self._anchored_at = after - before, moment, (before + after) / 2

    def now(self) -> datetime:
        """The database's time, aware, in UTC."""
        if self._anchor is None:
            raise RuntimeError("the clock was never synchronised")
        return self._anchor + timedelta(seconds=time.monotonic() - self._anchored_at)
