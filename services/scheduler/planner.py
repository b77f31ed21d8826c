"""Plans what falls due soon, and loads it into the agenda. Two owners are harmless: the old due moment decides."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.scheduler.agenda import Agenda, Entry
from services.scheduler.overlap import HELD_BACK, IN_THE_WAY
from services.scheduler.replicas import Replicas
from shared.clock import DatabaseClock
from shared.crash_points import crash_point
from shared.domain.outcome import CATALOGUE
from shared.domain.schedule import CatchUp, Origin, Plan, Timing, plan, scheduled_job_id

log = structlog.get_logger(__name__)

PLAN_AHEAD = timedelta(seconds=2)
# Two ticks and a half: what is further ahead would only be read once more.
LOAD_AHEAD = timedelta(seconds=1.25)
PER_SHARD = 500
# A publication takes several turns of the loop, and each waits for one of these portions: half a millisecond of work.
AT_A_TIME = 5
# It is done 2 s ahead, so there is time to leave the processor to the broker in between.
SMALLEST_PORTION = 25
PORTIONS = 16
PAUSE_SECONDS = 0.016

Item = TypeVar("Item")

# One index scan a shard: `shard = ANY(..) ORDER BY next_due` makes PostgreSQL sort everything.
_DUE_SOON = text("""
    SELECT s.* FROM unnest(CAST(:shards AS smallint[])) AS mine(shard)
    CROSS JOIN LATERAL (
        SELECT id, next_due, interval_seconds, fixed_delay, cron, timezone, jitter_seconds, overlap, catch_up,
               start_deadline_seconds
        FROM schedules WHERE schedules.shard = mine.shard AND next_due <= :until ORDER BY next_due LIMIT :per_shard
    ) s
""")
# A fixed delay counts from the end of the run before, and while that one is live nothing is due.
_RUNS_BEFORE = text("""
    SELECT s.id, EXISTS (SELECT 1 FROM scheduled_jobs WHERE schedule_id = s.id AND origin = 'schedule') AS live,
           (SELECT recorded_at FROM job_results WHERE schedule_id = s.id AND origin = 'schedule'
            ORDER BY due_at DESC LIMIT 1) AS ended_at
    FROM unnest(CAST(:ids AS uuid[])) AS s(id)
""")
# The timing is compared with the old due moment: an edit may leave that moment as it was. The rows are locked in the
# order of their ids, as an edit of several schedules locks them, so that neither waits for what the other holds.
_PLAN = text("""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:schedule_ids AS uuid[]), CAST(:olds AS timestamptz[]), CAST(:news AS timestamptz[]),
                             CAST(:intervals AS integer[]), CAST(:fixed_delays AS boolean[]), CAST(:crons AS text[]),
                             CAST(:zones AS text[]), CAST(:jitters AS integer[]))
            AS a(id, old, new, interval_seconds, fixed_delay, cron, timezone, jitter_seconds)
    ), locked AS (
        SELECT id FROM schedules WHERE id = ANY(CAST(:schedule_ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
    ), moved AS (
        UPDATE schedules SET next_due = asked.new FROM asked JOIN locked USING (id)
        WHERE schedules.id = asked.id AND schedules.next_due = asked.old AND schedules.timezone = asked.timezone
          AND schedules.interval_seconds IS NOT DISTINCT FROM asked.interval_seconds
          AND schedules.fixed_delay = asked.fixed_delay AND schedules.jitter_seconds = asked.jitter_seconds
          AND schedules.cron IS NOT DISTINCT FROM asked.cron
        RETURNING schedules.*
    ), planned AS (
        INSERT INTO scheduled_jobs (id, schedule_id, origin, due_at, kind, shard, lane, priority, overlap,
                                    job_configuration_id, partner, browser, job_id, run_after, start_by)
        SELECT m.id, moved.id, 'schedule', m.due_at, moved.kind, moved.shard, moved.lane, moved.priority,
               CASE WHEN m.in_turn AND moved.overlap <> 'allow' THEN 'in_turn' ELSE moved.overlap END,
               moved.job_configuration_id, moved.partner, moved.browser, moved.job_id, m.run_after,
               m.due_at + moved.start_deadline_seconds * interval '1 second'
        FROM unnest(CAST(:run_ids AS uuid[]), CAST(:run_schedules AS uuid[]), CAST(:run_dues AS timestamptz[]),
                    CAST(:run_afters AS timestamptz[]), CAST(:run_in_turn AS boolean[]))
            AS m(id, schedule_id, due_at, run_after, in_turn)
        JOIN moved ON moved.id = m.schedule_id
        ON CONFLICT DO NOTHING
    )
    INSERT INTO job_results (id, schedule_id, origin, due_at, kind, job_configuration_id, partner, browser, job_id,
                             outcome_code, outcome_class, message)
    SELECT m.id, moved.id, 'schedule', m.due_at, moved.kind, moved.job_configuration_id, moved.partner, moved.browser,
           moved.job_id, 'missed', 'not_run', :missed_message
    FROM unnest(CAST(:missed_ids AS uuid[]), CAST(:missed_schedules AS uuid[]), CAST(:missed_dues AS timestamptz[]))
        AS m(id, schedule_id, due_at)
    JOIN moved ON moved.id = m.schedule_id
    ON CONFLICT DO NOTHING
""")
# One index scan for each shard and priority, so that a backlog of backfill hides nothing that is more urgent. What is
# held back is left out until its turn comes.
_LOAD = text(f"""
    SELECT due.* FROM unnest(CAST(:shards AS smallint[])) AS mine(shard)
    CROSS JOIN (VALUES (0::smallint), (1), (2)) AS class(priority)
    CROSS JOIN LATERAL (
        SELECT j.id, j.run_after, j.priority, j.attempt, j.publication, j.lane, j.created_at,
               j.overlap <> 'allow' AND j.attempt = 0 AND {IN_THE_WAY} AS overlapping
        FROM scheduled_jobs j
        WHERE j.shard = mine.shard AND j.priority = class.priority AND j.state = 'planned' AND j.run_after <= :until
          AND NOT (j.overlap <> 'allow' AND j.attempt = 0 AND {HELD_BACK})
        ORDER BY j.run_after LIMIT :per_shard
    ) due
""")


class Planner:
    def __init__(
        self, engine: AsyncEngine, clock: DatabaseClock, agenda: Agenda, replicas: Replicas, not_run: Counter[str]
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._agenda = agenda
        self._replicas = replicas
        self._not_run = not_run

    async def tick(self) -> None:
        """Plan every schedule of ours that is due within 2 s, then read what is planned into the agenda."""
        shards = sorted(self._replicas.shards)
        if not shards:
            self._agenda.rebuild(())
            return
        async with self._engine.connect() as connection:
            while await self._plan_batch(connection, shards):
                pass
            now = self._clock.now()
            self._agenda.begin_reading()
            asked = {"shards": shards, "until": now + LOAD_AHEAD, "per_shard": PER_SHARD}
            rows = (await connection.execute(_LOAD, asked)).all()
            self._agenda.rebuild([entry async for entry in _in_turns(entry_of(row, now) for row in rows)])

    async def _plan_batch(self, connection: AsyncConnection, shards: list[int]) -> bool:
        """True when there may be more to plan at once."""
        now = self._clock.now()
        until = now + PLAN_AHEAD
        asked = {"shards": shards, "until": until, "per_shard": PER_SHARD}
        rows = (await connection.execute(_DUE_SOON, asked)).all()
        delayed = await _runs_before(connection, [row.id for row in rows if row.fixed_delay])
        looked_at = (_planned(row, delayed, now, until) for row in rows)
        planned = [each async for each in _in_turns(looked_at) if each is not None]
        size = max(SMALLEST_PORTION, -(-len(planned) // PORTIONS))
        portions = [planned[start : start + size] for start in range(0, len(planned), size)]
        await connection.commit()
        for portion in portions:
            crash_point("before_plan")
            self._not_run["missed"] += (await connection.execute(_PLAN, _arguments(portion))).rowcount
            await connection.commit()
            crash_point("after_plan")
            await asyncio.sleep(PAUSE_SECONDS)
        # Those that step aside are read again each time: without any other, there is nothing more to plan.
        return len(rows) >= PER_SHARD and bool(planned)


async def _in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Makes the items a few at a time, so that what is due meanwhile goes out in between."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % AT_A_TIME:
            await asyncio.sleep(0)


async def _runs_before(connection: AsyncConnection, ids: list[UUID]) -> dict[UUID, Row[Any]]:
    return {row.id: row for row in await connection.execute(_RUNS_BEFORE, {"ids": ids})} if ids else {}


@dataclass(frozen=True, slots=True)
class _Planned:
    row: Row[Any]
    timing: Timing
    plan: Plan


def _planned(row: Row[Any], delayed: dict[UUID, Row[Any]], now: datetime, until: datetime) -> _Planned | None:
    """None when there is nothing to plan of it now, or when it can't be planned."""
    next_due, before = row.next_due, delayed.get(row.id)
    if before is not None and before.live:
        return None
    if before is not None and before.ended_at is not None:
        next_due = max(next_due, before.ended_at + timedelta(seconds=row.interval_seconds))
    timing = Timing(row.id, row.interval_seconds, row.cron, row.timezone, row.jitter_seconds, row.fixed_delay)
    deadline = timedelta(seconds=row.start_deadline_seconds)
    try:
        made = plan(timing, CatchUp(row.catch_up), deadline, next_due=next_due, now=now, until=until)
    except (ValueError, ArithmeticError) as error:
        # It steps aside: the others go on, and it is looked at again at the next tick.
        log.error("schedule_not_plannable", schedule=str(row.id), error=str(error))
        return None
    return _Planned(row, timing, made)


def _arguments(chunk: list[_Planned]) -> dict[str, object]:
    run = [(item, due) for item in chunk for due in item.plan.run]
    missed = [(item, due) for item in chunk for due in item.plan.missed]
    return {
        "schedule_ids": [item.row.id for item in chunk],
        "olds": [item.row.next_due for item in chunk],
        "news": [item.plan.next_due for item in chunk],
        "intervals": [item.row.interval_seconds for item in chunk],
        "fixed_delays": [item.row.fixed_delay for item in chunk],
        "crons": [item.row.cron for item in chunk],
        "zones": [item.row.timezone for item in chunk],
        "jitters": [item.row.jitter_seconds for item in chunk],
        "run_ids": [_job_id(item, due) for item, due in run],
        "run_schedules": [item.row.id for item, _ in run],
        "run_dues": [due for _, due in run],
        "run_afters": [item.timing.run_after(due) for item, due in run],
        # What is caught up is wanted moment by moment, so those that overlap wait for each other.
        "run_in_turn": [n < item.plan.caught_up for item in chunk for n in range(len(item.plan.run))],
        "missed_ids": [_job_id(item, due) for item, due in missed],
        "missed_schedules": [item.row.id for item, _ in missed],
        "missed_dues": [due for _, due in missed],
        "missed_message": CATALOGUE["missed"].description,
    }


def _job_id(item: _Planned, due: datetime) -> UUID:
    return scheduled_job_id(item.timing.schedule_id, Origin.SCHEDULE, due)


def entry_of(row: Row[tuple[object, ...]], now: datetime) -> Entry:
    """The agenda's form of a planned row."""
    return Entry(
        run_after=row.run_after,
        priority=row.priority,
        id=row.id,
        attempt=row.attempt,
        publication=row.publication,
        lane=row.lane,
        overlapping=row.overlapping,
        published_before=row.run_after <= now,
        created_at=row.created_at,
    )
