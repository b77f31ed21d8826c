"""The state of jobs. There may be very many of them, so only those that matter most are read whole."""

from collections import Counter

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.fields import outcome_view
from services.api.status.schemas import (
    MAX_JOBS,
    JobPause,
    JobsStatus,
    JobStatus,
    JobTotals,
    LastJobResult,
    RecentResult,
    TimingView,
)
from shared.domain.state import State

# A job that was never judged has no row in `job_states`: it is unknown, but not for a reason, so it waits its turn.
_SHOWN = text("""
    WITH shown AS (
        SELECT * FROM (
            (SELECT jobs.id, array_position(ARRAY['failing', 'degraded', 'unknown'], states.state) AS place,
                    jobs.created_at
             FROM job_states states JOIN jobs ON jobs.id = states.job_id
             WHERE states.state <> 'working' ORDER BY 2, 3 DESC, 1 LIMIT :limit)
            UNION ALL
            (SELECT id, 4, created_at FROM jobs
             WHERE NOT EXISTS (SELECT FROM job_states WHERE job_id = jobs.id AND state <> 'working')
             ORDER BY created_at DESC, id DESC LIMIT :limit)
        ) candidates
        ORDER BY place, created_at DESC, id LIMIT :limit
    )
    SELECT jobs.id, jobs.name, coalesce(states.state, 'unknown') AS state, states.since,
           coalesce(states.failures_in_a_row, 0) AS failures_in_a_row, states.result_id, states.outcome_code,
           states.message, states.duration_seconds, jobs.paused_at, jobs.paused_reason, jobs.paused_until,
           schedules.cron, schedules.timezone, schedules.interval_seconds, schedules.fixed_delay,
           nullif(schedules.next_due, 'infinity') AS next_due, last.recent
    FROM shown
    JOIN jobs USING (id)
    JOIN schedules ON schedules.job_id = jobs.id
    LEFT JOIN job_states states ON states.job_id = jobs.id
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', id, 'due_at', due_at, 'class', outcome_class, 'code', outcome_code,
                   'duration_seconds', duration_seconds) ORDER BY due_at DESC, id DESC), '[]'::jsonb) AS recent
        FROM (
            SELECT id, due_at, outcome_class, outcome_code, duration_seconds FROM job_results
            WHERE job_id = jobs.id ORDER BY due_at DESC LIMIT 30
        ) newest
    ) last
    ORDER BY shown.place, shown.created_at DESC, jobs.id
""")
_TOTALS = text("""
    SELECT coalesce(states.state, 'unknown') AS state, count(*) AS jobs, count(jobs.paused_at) AS paused
    FROM jobs LEFT JOIN job_states states ON states.job_id = jobs.id GROUP BY 1
""")


async def read_jobs(session: AsyncSession) -> JobsStatus:
    rows = (await session.execute(_SHOWN, {"limit": MAX_JOBS})).mappings()
    return JobsStatus(items=[_job_status(row) for row in rows], totals=await read_job_totals(session))


async def read_job_totals(session: AsyncSession) -> JobTotals:
    states, paused = Counter[str](), 0
    for row in await session.execute(_TOTALS):
        states[row.state] = row.jobs
        paused += row.paused
    return JobTotals(jobs=states.total(), paused=paused, **{state.value: states[state] for state in State})


def _job_status(row: RowMapping) -> JobStatus:
    last = None
    if row["result_id"] is not None:
        outcome = outcome_view(row["outcome_code"], row["message"])
        last = LastJobResult(id=row["result_id"], outcome=outcome, duration_seconds=row["duration_seconds"])
    paused = None
    if row["paused_at"] is not None:
        paused = JobPause(reason=row["paused_reason"], until=row["paused_until"])
    return JobStatus(
        **{name: row[name] for name in ("id", "name", "state", "since", "failures_in_a_row", "next_due")},
        last_result=last,
        timing=TimingView.model_validate({name: row[name] for name in TimingView.model_fields}),
        paused=paused,
        recent=[RecentResult.model_validate(result) for result in row["recent"]],
    )
