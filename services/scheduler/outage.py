"""An outage of the scheduling, and what was planned before it: its catch-up policy decides, as the planner lets it.

Time alone says nothing: what waits for a broker or a full queue is late as well, and must stay planned. So this is
asked once, by a scheduler that starts, before its first renewal, and only while no scheduler has renewed for as long as
a moment may be late. Who sees another one alive knows thereby that this is done; of two at once both do it, harmlessly.
"""

from collections import Counter

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.domain.outcome import CATALOGUE
from shared.domain.schedule import LATE_AFTER
from shared.ledger import end_not_run

log = structlog.get_logger(__name__)

BATCH = 500

# With a fixed delay `next_due` is provisional while a run is live: nothing is due after it yet.
_LEFT_BEHIND = text("""
    SELECT j.id FROM scheduled_jobs j JOIN schedules s ON s.id = j.schedule_id
    WHERE j.state = 'planned' AND j.attempt = 0 AND j.origin = 'schedule'
      AND j.run_after <= clock_timestamp() - CAST(:late_after AS interval)
      AND (s.catch_up = 'none' OR s.catch_up = 'latest' AND (
          s.next_due <= clock_timestamp() AND NOT s.fixed_delay
          OR EXISTS (SELECT FROM scheduled_jobs later
                     WHERE later.schedule_id = j.schedule_id AND later.origin = 'schedule'
                       AND later.due_at > j.due_at AND later.due_at <= clock_timestamp())))
      AND NOT EXISTS (SELECT FROM replicas
                      WHERE kind = 'scheduler' AND renewed_at > clock_timestamp() - CAST(:late_after AS interval))
    ORDER BY j.id LIMIT :batch FOR UPDATE OF j
""")


async def settle_outage(engine: AsyncEngine, not_run: Counter[str]) -> None:
    """End as `missed` what was left behind and is not wanted any more; it is counted."""
    asked = {"late_after": LATE_AFTER, "batch": BATCH}
    missed = 0
    while True:
        async with engine.begin() as connection:
            ids = list((await connection.execute(_LEFT_BEHIND, asked)).scalars())
            ended = len(await end_not_run(connection, ids, "missed", CATALOGUE["missed"].description))
        if not ended:
            break
        missed += ended
    not_run["missed"] += missed
    if missed:
        log.warning("outage_settled", missed=missed)
