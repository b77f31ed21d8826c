"""Evidence does not stay for ever: that of failures goes by its age, that of passed results by its number.

The files go first and the row is marked then, so that a crash in between only has them deleted once more. No
transaction waits for the store, so several schedulers may be at it at once, and one does what the other does.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.evidence_store import EvidenceStore, Place, StoreUnavailable

log = structlog.get_logger(__name__)

RETENTION_LOCK = 7_269_003
BATCH = 100
AT_ONCE = 8

# Two that mark the same rows in different orders would wait for each other.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(:lock)")
# What failed, and what has no result (yet), goes by age; so do the last passed results of what is not checked any more.
_OUTLIVED = text("""
    WITH kept AS (
        SELECT a.scheduled_job_id, a.due_at, a.number, r.outcome_class IN ('passed', 'degraded') AS passed,
               r.job_configuration_id, r.browser,
               dense_rank() OVER (PARTITION BY r.job_configuration_id, r.browser,
                                               r.outcome_class IN ('passed', 'degraded')
                                  ORDER BY r.due_at DESC, r.id DESC) AS place
        FROM attempts a LEFT JOIN job_results r ON r.id = a.scheduled_job_id AND r.due_at = a.due_at
        WHERE a.evidence <> '[]'::jsonb AND a.evidence_removed_at IS NULL
    )
    SELECT kept.scheduled_job_id, kept.due_at, kept.number FROM kept
    WHERE (kept.passed AND kept.place > :passed_kept)
       OR (kept.due_at < now() - make_interval(days => :failed_days)
           AND NOT (kept.passed IS TRUE AND EXISTS (
               SELECT 1 FROM job_configurations c
               WHERE c.id = kept.job_configuration_id AND kept.browser = ANY(c.browsers))))
    ORDER BY kept.due_at LIMIT :batch OFFSET :refused
""")
_MARK = text("""
    UPDATE attempts SET evidence_removed_at = now()
    FROM unnest(CAST(:jobs AS uuid[]), CAST(:due_ats AS timestamptz[]), CAST(:numbers AS smallint[]))
        AS gone(job, due_at, number)
    WHERE attempts.scheduled_job_id = gone.job AND attempts.due_at = gone.due_at AND attempts.number = gone.number
      AND evidence_removed_at IS NULL
""")
_KNOWN = text("SELECT EXISTS (SELECT 1 FROM attempts WHERE evidence <> '[]'::jsonb AND evidence_removed_at IS NULL)")
# A runner writes evidence before its row is there; until then the scheduled job is.
_NEEDED = text("""
    SELECT asked.position FROM unnest(CAST(:jobs AS uuid[]), CAST(:numbers AS smallint[]), CAST(:days AS date[]))
        WITH ORDINALITY AS asked(job, number, day, position)
    WHERE EXISTS (SELECT 1 FROM scheduled_jobs WHERE id = asked.job)
       OR EXISTS (SELECT 1 FROM attempts
                  WHERE scheduled_job_id = asked.job AND attempts.number = asked.number
                    AND due_at >= asked.day::timestamp AT TIME ZONE 'UTC'
                    AND due_at < (asked.day + 1)::timestamp AT TIME ZONE 'UTC'
                    AND evidence <> '[]'::jsonb AND evidence_removed_at IS NULL)
""")


async def remove_outlived(engine: AsyncEngine, store: EvidenceStore, *, failed_days: int, passed_kept: int) -> None:
    """Delete what is kept longer, or in greater number, than it is to be.

    Raises `StoreUnavailable` when nothing can be deleted; what alone can't be is left for the next time.
    """
    asked = {"failed_days": failed_days, "passed_kept": passed_kept, "batch": BATCH, "refused": 0}
    while True:
        async with engine.begin() as connection:
            rows = (await connection.execute(_OUTLIVED, asked)).all()
        places = [Place.of(row.scheduled_job_id, row.due_at, row.number) for row in rows]
        gone = await _delete(store, places)
        await _mark(engine, [row for row, place in zip(rows, places, strict=True) if place in gone])
        asked["refused"] += len(rows) - len(gone)
        if gone:
            log.info("evidence_outlived", attempts=len(gone))
        if len(rows) < BATCH:
            return


async def remove_strays(engine: AsyncEngine, store: EvidenceStore) -> None:
    """Delete what no attempt knows of: a runner wrote it that was cut off, or its rows are gone.

    What is due later than the day before yesterday is left alone: it may be shown before, or without, being recorded.
    A database that knows of no evidence at all is rather another one than that of this store, so nothing is deleted.
    """
    async with engine.connect() as connection:
        if not (await connection.execute(_KNOWN)).scalar_one():
            return
    before = datetime.now(UTC).date() - timedelta(days=1)
    async for day in store.days():
        if day >= before:
            return
        batch: list[Place] = []
        async for place in store.places(day):
            batch.append(place)
            if len(batch) == BATCH:
                await _remove_strays_of(engine, store, batch)
                batch = []
        await _remove_strays_of(engine, store, batch)


async def _remove_strays_of(engine: AsyncEngine, store: EvidenceStore, places: Sequence[Place]) -> None:
    if not places:
        return
    asked = {
        "jobs": [place.job for place in places],
        "numbers": [place.attempt for place in places],
        "days": [place.day for place in places],
    }
    async with engine.begin() as connection:
        needed = set((await connection.execute(_NEEDED, asked)).scalars())
    gone = await _delete(store, [place for position, place in enumerate(places, 1) if position not in needed])
    if gone:
        log.info("evidence_astray", attempts=len(gone))


async def _mark(engine: AsyncEngine, rows: Sequence[Row[Any]]) -> None:
    if not rows:
        return
    gone = {
        "jobs": [row.scheduled_job_id for row in rows],
        "due_ats": [row.due_at for row in rows],
        "numbers": [row.number for row in rows],
    }
    async with engine.begin() as connection:
        await connection.execute(_ONE_AT_A_TIME, {"lock": RETENTION_LOCK})
        await connection.execute(_MARK, gone)


async def _delete(store: EvidenceStore, places: Sequence[Place]) -> set[Place]:
    """Those that are gone now. Raises `StoreUnavailable` when all were refused."""
    at_once, refusals = asyncio.Semaphore(AT_ONCE), list[StoreUnavailable]()

    async def delete(place: Place) -> Place | None:
        async with at_once:
            try:
                await store.delete(place)
            except StoreUnavailable as error:
                refusals.append(error)
                return None
        return place

    gone = {place for place in await asyncio.gather(*map(delete, places)) if place is not None}
    if refusals:
        log.warning("evidence_not_deleted", attempts=len(refusals), error=str(refusals[0]))
        if not gone:
            raise refusals[0]
    return gone
