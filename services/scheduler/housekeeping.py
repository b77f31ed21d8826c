"""What must be there before it is needed, and what may go: partitions ahead, pauses that end, old rows of no ledger."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from shared.domain.schedule import Origin
from shared.models import JobResult, Schedule

WEEKS_AHEAD = 4
PARTITIONED = ("job_results", "attempts")
PARTITION_LOCK = 7_269_002

_OUT_OF_DATE = (
    "DELETE FROM idempotency_keys WHERE created_at < now() - interval '1 day'",
    "DELETE FROM replicas WHERE renewed_at < now() - interval '1 hour'",
    "DELETE FROM accounts WHERE stopped_at IS NULL AND free_at < now() - interval '90 days'",
    "DELETE FROM grid_nodes WHERE failed_at < now() - interval '1 day'",
)
# With its evidence. While its scheduled job is there it may still be running.
_TRIES_OUT_OF_DATE = text("""
    DELETE FROM tries WHERE created_at < now() - make_interval(secs => :keep)
      AND NOT EXISTS (SELECT 1 FROM scheduled_jobs WHERE scheduled_jobs.id = tries.id)
""")
# The definitions whose pause is over, and which of their schedules may then run.
_END_PAUSES = tuple(
    text(f"""
        WITH ended AS (
            UPDATE {table} SET paused_reason = NULL, paused_by = NULL, paused_at = NULL, paused_until = NULL,
                updated_at = now()
            FROM (SELECT id, paused_until AS over_at FROM {table} WHERE paused_until <= now()
                  ORDER BY id FOR UPDATE) before
            WHERE {table}.id = before.id RETURNING {table}.id, enabled, before.over_at
        )
        SELECT s.id, ended.over_at FROM ended JOIN schedules s ON s.{owner} = ended.id
        LEFT JOIN partners p ON p.code = s.partner LEFT JOIN browsers b ON b.name = s.browser
        WHERE ended.enabled AND p.active IS NOT FALSE AND b.enabled IS NOT FALSE
    """)
    for table, owner in (("job_configurations", "job_configuration_id"), ("jobs", "job_id"))
)


async def make_partitions_ahead(engine: AsyncEngine) -> None:
    """A partition a week (Monday to Monday, UTC) of each partitioned table, for this week and four more."""
    today = datetime.now(UTC).date()
    monday = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=today.weekday())
    for table in PARTITIONED:
        for week in range(WEEKS_AHEAD + 1):
            # A transaction each: it locks its table, and with both locked it would deadlock with who reads both.
            async with engine.begin() as connection:
                await _make_partition(connection, table, monday + timedelta(weeks=week))


async def _make_partition(connection: AsyncConnection, table: str, start: datetime) -> None:
    # One replica at a time; the others then find it made.
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PARTITION_LOCK})
    name = f"{table}_{start:%G}w{start:%V}"
    exists = await connection.execute(text("SELECT to_regclass(:name)"), {"name": name})
    stray = text(f"SELECT EXISTS (SELECT 1 FROM {table}_other WHERE due_at >= :a AND due_at < :b)")
    bounds = {"a": start, "b": start + timedelta(weeks=1)}
    # Rows that came before their week was made stay where they are, and keep that week there.
    if exists.scalar_one() is None and not (await connection.execute(stray, bounds)).scalar_one():
        await connection.execute(
            text(
                f"CREATE TABLE {name} PARTITION OF {table} "
                f"FOR VALUES FROM ('{bounds['a'].isoformat()}') TO ('{bounds['b'].isoformat()}')"
            )
        )


async def end_pauses(engine: AsyncEngine) -> None:
    """Resume what was paused until a moment that has passed.

    The next due moment counts from that moment, itself included: what came due since, while no scheduler was there to
    see the pause end, is caught up or missed like after any outage.
    """
    async with AsyncSession(engine) as session, session.begin():
        over = {row.id: row.over_at for statement in _END_PAUSES for row in await session.execute(statement)}
        schedules = select(Schedule).where(Schedule.id.in_(over)).order_by(Schedule.id).with_for_update()
        called_off = await _called_off(session, over)
        for schedule in await session.scalars(schedules):
            over_at = over[schedule.id]
            before = over_at if schedule.fixed_delay else over_at - timedelta(microseconds=1)
            schedule.next_due = schedule.timing().due_after(before)
            while (schedule.id, schedule.next_due) in called_off:
                schedule.next_due = schedule.timing().due_after(schedule.next_due)


async def _called_off(session: AsyncSession, over: Mapping[UUID, datetime]) -> set[tuple[UUID, datetime]]:
    """What was cancelled before it was due, by schedule. Of one schedule they follow each other without a gap."""
    if not over:
        return set()
    cancelled = select(JobResult.schedule_id, JobResult.due_at).where(
        JobResult.schedule_id.in_(over), JobResult.origin == Origin.SCHEDULE, JobResult.due_at >= min(over.values())
    )
    return {(row.schedule_id, row.due_at) for row in await session.execute(cancelled)}


async def remove_out_of_date(engine: AsyncEngine, keep_tries_seconds: float) -> None:
    async with engine.begin() as connection:
        for statement in _OUT_OF_DATE:
            await connection.execute(text(statement))
        await connection.execute(_TRIES_OUT_OF_DATE, {"keep": keep_tries_seconds})
