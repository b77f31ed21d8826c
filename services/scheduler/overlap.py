"""What becomes of a due moment whose schedule has an earlier job that has not ended yet."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scheduler.agenda import Entry
from shared.domain.schedule import Overlap
from shared.ledger import end_not_run

_EARLIER = text("""
    SELECT j.overlap, count(*) AS earlier, count(*) FILTER (WHERE e.state <> 'running') AS waiting
    FROM scheduled_jobs j JOIN scheduled_jobs e ON e.schedule_id = j.schedule_id AND e.due_at < j.due_at
    WHERE j.id = :id GROUP BY j.overlap
""")
_HOLD = text("""
    UPDATE scheduled_jobs SET run_after = clock_timestamp() + interval '1 second' WHERE id = :id AND state = 'planned'
""")


async def settle_overlap(engine: AsyncEngine, entry: Entry) -> bool:
    """True when it is settled here: recorded as `skipped_overlap`, or held back as the one that waits."""
    async with engine.begin() as connection:
        found = (await connection.execute(_EARLIER, {"id": entry.id})).one_or_none()
        if found is None or found.overlap == Overlap.ALLOW:
            return False
        if found.overlap == Overlap.QUEUE_ONE and not found.waiting:
            await connection.execute(_HOLD, {"id": entry.id})
            return True
        message = "The run before it, of the same schedule, had not ended."
        await end_not_run(connection, [entry.id], "skipped_overlap", message)
        return True
