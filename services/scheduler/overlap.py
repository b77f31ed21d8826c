"""What becomes of a due moment whose schedule has an earlier job that has not ended yet.

A backfill counts only while it runs: waiting behind everything else, it must not hold up what is due. The same goes
for what is caught up in turn.
"""

from collections import Counter

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scheduler.agenda import Entry
from shared.domain.schedule import Overlap
from shared.ledger import end_not_run

# `j` is the job that is looked at, `e` an earlier one. The planner asks the same when it loads.
_EARLIER_ONES = """
    SELECT e.state FROM scheduled_jobs e
    WHERE e.schedule_id = j.schedule_id AND e.due_at < j.due_at
      AND (e.state = 'running' OR j.overlap = 'in_turn' OR e.overlap <> 'in_turn')
      AND (e.state = 'running' OR j.origin = 'backfill' OR e.origin <> 'backfill')
"""
IN_THE_WAY = f"EXISTS ({_EARLIER_ONES})"
_FOUND = text(f"""
    SELECT j.overlap, count(e.state) AS earlier, count(*) FILTER (WHERE e.state <> 'running') AS waiting
    FROM scheduled_jobs j LEFT JOIN LATERAL ({_EARLIER_ONES}) e ON true WHERE j.id = :id GROUP BY j.overlap
""")
# Compared with the moment that was read, and only while the earlier one is there: another owner may have published it
# by now, and the claim would find it not due.
_HOLD = text(f"""
    UPDATE scheduled_jobs j SET run_after = clock_timestamp() + interval '1 second'
    WHERE j.id = :id AND j.state = 'planned' AND j.run_after = :run_after AND {IN_THE_WAY}
""")


async def settle_overlap(engine: AsyncEngine, entry: Entry, not_run: Counter[str]) -> bool:
    """True when it is settled here: recorded as `skipped_overlap`, or held back as the one that waits."""
    async with engine.begin() as connection:
        found = (await connection.execute(_FOUND, {"id": entry.id})).one_or_none()
        if found is None or not found.earlier or found.overlap == Overlap.ALLOW:
            return False
        if found.overlap == Overlap.IN_TURN:
            return True
        if found.overlap == Overlap.QUEUE_ONE and not found.waiting:
            await connection.execute(_HOLD, {"id": entry.id, "run_after": entry.run_after})
            return True
        message = "The run before it, of the same schedule, had not ended."
        not_run["skipped_overlap"] += len(await end_not_run(connection, [entry.id], "skipped_overlap", message))
        return True
