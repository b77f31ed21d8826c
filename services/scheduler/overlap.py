"""What becomes of a due moment whose schedule has another job that has not ended yet.

Either the overlap rule decides (`IN_THE_WAY`), or the moment waits without being touched (`HELD_BACK`): what is caught
up for what is due before it, a backfill for all that is under way or due, and what is due for a backfill that runs, or
with `queue_one` for what is caught up. A backfill that waits is in nobody's way.
"""

from collections import Counter

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scheduler.agenda import Entry
from shared.domain.schedule import Overlap
from shared.ledger import end_not_run

# `j` is the job that is looked at, `e` another one. The planner asks the same when it loads.
_EARLIER_ONES = """
    SELECT e.state FROM scheduled_jobs e
    WHERE e.schedule_id = j.schedule_id AND j.overlap <> 'in_turn' AND e.due_at < j.due_at AND e.origin <> 'backfill'
      AND (j.overlap = 'skip' OR e.overlap <> 'in_turn')
"""
# Of a backfill only the first is looked at further: of a thousand, each would else be compared with all the others. The
# second ahead is for a moment that `queue_one` holds back, and for one that would find the backfill just begun.
_AWAITS = """(
    j.origin = 'backfill' AND j.due_at > (
        SELECT min(e.due_at) FROM scheduled_jobs e WHERE e.schedule_id = j.schedule_id AND e.origin = 'backfill')
    OR EXISTS (
        SELECT FROM scheduled_jobs e
        WHERE e.schedule_id = j.schedule_id AND e.id <> j.id AND CASE
            WHEN j.origin = 'backfill' THEN e.state <> 'planned' OR e.origin <> 'backfill'
                AND (e.attempt > 0 OR e.run_after <= clock_timestamp() + interval '1 second')
            WHEN e.origin = 'backfill' THEN e.state = 'running'
            ELSE e.due_at < j.due_at AND (j.overlap = 'in_turn' OR j.overlap = 'queue_one' AND e.overlap = 'in_turn')
            END)
)"""
IN_THE_WAY = f"EXISTS ({_EARLIER_ONES})"
HELD_BACK = f"{_AWAITS} AND NOT {IN_THE_WAY}"
_FOUND = text(f"""
    SELECT j.overlap, count(e.state) AS earlier, count(*) FILTER (WHERE e.state <> 'running') AS waiting,
           {_AWAITS} AS awaits
    FROM scheduled_jobs j LEFT JOIN LATERAL ({_EARLIER_ONES}) e ON true WHERE j.id = :id GROUP BY j.id
""")
# Compared with the moment that was read, and only while the earlier one is there: another owner may have published it
# by now, and the claim would find it not due.
_HOLD = text(f"""
    UPDATE scheduled_jobs j SET run_after = clock_timestamp() + interval '1 second'
    WHERE j.id = :id AND j.state = 'planned' AND j.run_after = :run_after AND {IN_THE_WAY}
""")


async def settle_overlap(engine: AsyncEngine, entry: Entry, not_run: Counter[str]) -> bool:
    """True when it is settled here: recorded as `skipped_overlap`, or held back until its turn comes."""
    async with engine.begin() as connection:
        found = (await connection.execute(_FOUND, {"id": entry.id})).one_or_none()
        if found is None or found.overlap == Overlap.ALLOW:
            return False
        if not found.earlier:
            return bool(found.awaits)
        if found.overlap == Overlap.QUEUE_ONE and not found.waiting:
            await connection.execute(_HOLD, {"id": entry.id, "run_after": entry.run_after})
            return True
        message = "The run before it, of the same schedule, had not ended."
        not_run["skipped_overlap"] += len(await end_not_run(connection, [entry.id], "skipped_overlap", message))
        return True
