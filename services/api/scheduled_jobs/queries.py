from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.pagination import moment_cursor, write_cursor
from services.api.scheduled_jobs.schemas import ScheduledJobPage, ScheduledJobQuery, ScheduledJobView
from shared.domain.schedule import SHARDS, Origin, Timing, scheduled_job_id
from shared.models import ScheduledJob

# Rows of scheduled jobs, then the next moments of schedules, which no row stands for yet. Their place in the list is
# that of their due moment and schedule, since their own id is known only outside of SQL. Each half is cut to a page by
# itself; that of the schedules in each shard, by the index that the planner reads: none leads by the due moment alone.
_LIVE = text("""
    (SELECT jobs.*, true AS planned, id AS key, run_after AS sort_at,
            NULL::int AS interval_seconds, NULL AS cron, 'UTC' AS timezone, 0 AS jitter_seconds
     FROM (
        SELECT id, schedule_id, origin, kind, job_configuration_id, partner, browser, job_id, due_at, run_after,
               attempt, dispatched_at, started_at, last_outcome,
               CASE WHEN state <> 'planned' THEN state WHEN attempt > 0 THEN 'retrying'
                    WHEN run_after <= now() THEN 'overdue' ELSE 'future' END AS state
        FROM scheduled_jobs
     ) jobs
     WHERE (CAST(:state AS text) IS NULL OR state = :state)
       AND (CAST(:partner AS text) IS NULL OR partner = :partner)
       AND (CAST(:browser AS text) IS NULL OR browser = :browser)
       AND (CAST(:job AS uuid) IS NULL OR job_configuration_id = :job OR job_id = :job)
       AND (run_after, id) > (CAST(:after_moment AS timestamptz), CAST(:after_key AS uuid))
     ORDER BY run_after, id LIMIT :limit)
    UNION ALL
    (SELECT id, id, 'schedule', kind, job_configuration_id, partner, browser, job_id, next_due, next_due, 0, NULL,
            NULL, NULL, CASE WHEN next_due <= now() THEN 'overdue' ELSE 'future' END, false, id, next_due,
            interval_seconds, cron, timezone, jitter_seconds
     FROM generate_series(0, :shards - 1) AS shards(shard)
     CROSS JOIN LATERAL (
        SELECT * FROM schedules
        WHERE schedules.shard = shards.shard AND next_due < 'infinity' AND next_due >= :after_moment
          AND (next_due, id) > (:after_moment, :after_key)
          AND (CAST(:state AS text) IS NULL OR (:state = 'overdue' AND next_due <= now())
               OR (:state = 'future' AND next_due > now()))
          AND (CAST(:partner AS text) IS NULL OR partner = :partner)
          AND (CAST(:browser AS text) IS NULL OR browser = :browser)
          AND (CAST(:job AS uuid) IS NULL OR job_configuration_id = :job OR job_id = :job)
        ORDER BY next_due, id LIMIT :limit
     ) schedules
     ORDER BY next_due, id LIMIT :limit)
    ORDER BY sort_at, key LIMIT :limit
""")
_BEFORE_ALL = (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0))


async def list_scheduled_jobs(session: AsyncSession, asked: ScheduledJobQuery) -> ScheduledJobPage:
    after_moment, after_key = moment_cursor(asked.cursor) or _BEFORE_ALL
    values: dict[str, Any] = {
        **asked.model_dump(exclude={"cursor", "limit"}),
        "after_moment": after_moment,
        "after_key": after_key,
        "limit": asked.limit + 1,
        "shards": SHARDS,
    }
    found = list((await session.execute(_LIVE, values)).mappings())
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    return ScheduledJobPage(
        items=[_view(row) for row in shown],
        next_cursor=write_cursor((shown[-1]["sort_at"], shown[-1]["key"])) if more else None,
    )


def _view(row: RowMapping) -> ScheduledJobView:
    fields = {name: row[name] for name in ScheduledJobView.model_fields}
    if not row["planned"]:
        timing = Timing(row["id"], row["interval_seconds"], row["cron"], row["timezone"], row["jitter_seconds"])
        fields["id"] = scheduled_job_id(row["id"], Origin.SCHEDULE, row["due_at"])
        fields["run_after"] = timing.run_after(row["due_at"])
    return ScheduledJobView.model_validate(fields)


def scheduled_job_view(job: ScheduledJob) -> ScheduledJobView:
    """One that was made this moment: due, and not dispatched."""
    fields = {name: getattr(job, name) for name in ScheduledJobView.model_fields if name not in ("state", "planned")}
    return ScheduledJobView.model_validate({**fields, "state": "overdue", "planned": True})
