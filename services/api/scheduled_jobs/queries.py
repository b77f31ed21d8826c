from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, RowMapping, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.pagination import moment_cursor, write_cursor
from services.api.scheduled_jobs.schemas import ScheduledJobPage, ScheduledJobQuery, ScheduledJobView
from shared.domain.schedule import SHARDS, Origin, Timing, scheduled_job_id
from shared.models import ScheduledJob

_COLUMNS = "schedule_id, origin, kind, job_configuration_id, partner, browser, job_id, due_at, run_after, attempt"
_OF_ROWS = f"""
    SELECT true AS planned, id AS key, run_after AS sort_at, id, {_COLUMNS}, dispatched_at, started_at, last_outcome,
           state, NULL::int AS interval_seconds, NULL AS cron, 'UTC' AS timezone, 0 AS jitter_seconds
    FROM (
        SELECT id, {_COLUMNS}, dispatched_at, started_at, last_outcome,
               CASE WHEN state <> 'planned' THEN state WHEN attempt > 0 THEN 'retrying'
                    WHEN run_after <= now() THEN 'overdue' ELSE 'future' END AS state
        FROM scheduled_jobs WHERE origin <> 'try'
    ) jobs
"""
# The next moments of schedules, which no row stands for yet. Their place in the list is that of their due moment and
# schedule, since their own id is known only outside of SQL.
_OF_SCHEDULES = """
    SELECT false, id, next_due, id, id, 'schedule', kind, job_configuration_id, partner, browser, job_id, next_due,
           next_due, 0, NULL, NULL, NULL, CASE WHEN next_due <= now() THEN 'overdue' ELSE 'future' END,
           interval_seconds, cron, timezone, jitter_seconds
"""
_FILTERS = {
    "partner": "partner = :partner",
    "browser": "browser = :browser",
    "job": "(job_configuration_id = :job OR job_id = :job)",
}
_MOMENTS = {"future": "next_due > now()", "overdue": "next_due <= now()"}
# Written into the statement: a plan that does not know them expects few rows, and sorts all of them instead.
_PLACE = (
    bindparam("after_moment", type_=DateTime(timezone=True), literal_execute=True),
    bindparam("after_key", type_=Uuid(), literal_execute=True),
)
_BEFORE_ALL = (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0))


async def list_scheduled_jobs(session: AsyncSession, asked: ScheduledJobQuery) -> ScheduledJobPage:
    after_moment, after_key = moment_cursor(asked.cursor) or _BEFORE_ALL
    values: dict[str, Any] = {
        **asked.model_dump(exclude={"cursor", "limit"}, exclude_none=True),
        "after_moment": after_moment,
        "after_key": after_key,
    }
    found = list((await session.execute(text(_statement(asked)).bindparams(*_PLACE), values)).mappings())
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    return ScheduledJobPage(
        items=[_view(row) for row in shown],
        next_cursor=write_cursor((shown[-1]["sort_at"], shown[-1]["key"])) if more else None,
    )


def _statement(asked: ScheduledJobQuery) -> str:
    """Only with the conditions that are asked for, and each half cut to a page by itself, so that indexes serve it."""
    wanted = [condition for name, condition in _FILTERS.items() if getattr(asked, name) is not None]
    cut = f"LIMIT {asked.limit + 1}"
    of_rows = [*wanted, "(run_after, id) > (:after_moment, :after_key)"]
    if asked.state is not None:
        of_rows.append("state = :state")
    halves = [f"({_OF_ROWS} WHERE {' AND '.join(of_rows)} ORDER BY run_after, id {cut})"]
    if asked.state is None or asked.state in _MOMENTS:
        halves.append(f"({_OF_SCHEDULES} FROM ({_schedules(asked, wanted, cut)}) next ORDER BY next_due, id {cut})")
    return f"SELECT * FROM ({' UNION ALL '.join(halves)}) live ORDER BY sort_at, key {cut}"


def _schedules(asked: ScheduledJobQuery, wanted: list[str], cut: str) -> str:
    conditions = [
        *wanted,
        *([_MOMENTS[asked.state]] if asked.state is not None else []),
        "next_due < 'infinity' AND (next_due, id) > (:after_moment, :after_key)",
    ]
    if wanted:
        return f"SELECT * FROM schedules WHERE {' AND '.join(conditions)}"
    # By the index that the planner reads, shard by shard: none leads by the due moment alone, as every moment that is
    # planned would have to move in it.
    return f"""
        SELECT found.* FROM generate_series(0, {SHARDS - 1}) AS shards(number) CROSS JOIN LATERAL (
            SELECT * FROM schedules WHERE shard = shards.number AND {" AND ".join(conditions)}
            ORDER BY next_due, id {cut}) found
    """


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
