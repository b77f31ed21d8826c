"""From due to RabbitMQ: publish, broker's confirm, Redis key, then mark dispatched. Never in another order.

A crash in between makes a duplicate, which the claim refuses; each other order loses due moments.
"""

import asyncio
import time
from collections import Counter, deque
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scheduler.agenda import Agenda, Entry
from services.scheduler.dedupe import Dedupe
from services.scheduler.overlap import settle_overlap
from services.scheduler.replicas import Replicas
from services.scheduler.window import PublishWindow
from shared.clock import DatabaseClock
from shared.crash_points import crash_point
from shared.process import wait_for
from shared.queue import Message, PublishFailed, Queue, Unconfirmed

log = structlog.get_logger(__name__)

MARK_EVERY_SECONDS = 0.05
LONGEST_SLEEP_SECONDS = 0.05
SAMPLES = 5_000
# Of the rate: one a renewal, so some ten seconds.
RATE_SAMPLES = 20

_MARK = text("""
    WITH locked AS (
        SELECT id FROM scheduled_jobs WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
    )
    UPDATE scheduled_jobs SET state = 'dispatched', dispatched_at = now()
    FROM locked JOIN unnest(CAST(:ids AS uuid[]), CAST(:attempts AS smallint[]), CAST(:publications AS smallint[]),
                CAST(:created_ats AS timestamptz[])) AS m(id, attempt, publication, created_at) USING (id)
    WHERE scheduled_jobs.id = m.id AND scheduled_jobs.attempt = m.attempt AND scheduled_jobs.created_at = m.created_at
      AND scheduled_jobs.publication = m.publication AND scheduled_jobs.state = 'planned'
""")


class Dispatcher:
    def __init__(
        self,
        engine: AsyncEngine,
        clock: DatabaseClock,
        agenda: Agenda,
        replicas: Replicas,
        queue: Queue,
        dedupe: Dedupe,
        not_run: Counter[str],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._agenda = agenda
        self._replicas = replicas
        self._queue = queue
        self._dedupe = dedupe
        self._not_run = not_run
        self._tasks: set[asyncio.Task[None]] = set()
        self._confirmed: list[Entry] = []
        self._window = PublishWindow()
        self._lateness_seconds: deque[float] = deque(maxlen=SAMPLES)
        self.dispatched = 0
        self._last_confirm: datetime | None = None
        self._counts: deque[tuple[float, int]] = deque(maxlen=RATE_SAMPLES)

    async def run(self, stop: asyncio.Event) -> None:
        """Sleep until the next is due, publish all that is due, until told to stop; then finish what is in hand."""
        marking = asyncio.create_task(self._keep_marking(stop))
        while not stop.is_set():
            now = self._clock.now()
            if not self._replicas.may_fire():
                await wait_for(stop, LONGEST_SLEEP_SECONDS)
                continue
            if not self._window.open:
                await self._window.freed(LONGEST_SLEEP_SECONDS)
                continue
            for entry in self._agenda.take_due(now, self._window.room):
                task = asyncio.create_task(self._dispatch(entry))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                self._window.enter()
            await asyncio.sleep(self._seconds_to_next())
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await marking
        await self._mark()

    def _seconds_to_next(self) -> float:
        moment = self._agenda.next_run_after()
        if moment is None:
            return LONGEST_SLEEP_SECONDS
        return min(max((moment - self._clock.now()).total_seconds(), 0.0), LONGEST_SLEEP_SECONDS)

    async def _dispatch(self, entry: Entry) -> None:
        """One entry's way to the broker. Whatever fails leaves it planned, and the next tick brings it again."""
        try:
            if entry.overlapping and await settle_overlap(self._engine, entry, self._not_run):
                self._agenda.release(entry)
                return
            if not (entry.published_before and await self._dedupe.was_published(entry.key)):
                crash_point("before_publish")
                await self._queue.publish(Message(entry.id, entry.attempt, entry.lane, entry.priority))
                crash_point("after_publish")
                self._window.grow()
                self._note_dispatch(entry)
            self._confirmed.append(entry)
        except Unconfirmed as error:
            if self._window.shrink():
                log.warning("broker_not_answering", reason=str(error), at_once=self._window.size)
            self._agenda.release(entry)
        except PublishFailed as error:
            # One full lane: it comes again with the next tick, and lets the others pass.
            log.warning("publish_refused", lane=entry.lane, reason=str(error))
            self._agenda.release(entry)
        except (Exception, asyncio.CancelledError) as error:
            # A connection that breaks may cancel the wait for its confirm: as unknown as any other failure.
            log.error("dispatch_failed", job=str(entry.id), error=f"{type(error).__name__}: {error}"[:300])
            self._agenda.release(entry)
        finally:
            self._window.leave()

    async def look_for_broker(self) -> None:
        """To be called every second: cut off, it owns nothing that it could publish, so it asks. Raises what comes."""
        if self._window.cut_off:
            await self._queue.depths([])
            self._window.grow()

    def _note_dispatch(self, entry: Entry) -> None:
        now = self._clock.now()
        self.dispatched += 1
        self._last_confirm = now
        # What was past due when it was read (a run now, or after an outage) says nothing of the dispatcher's pace; an
        # outage shows as overdue jobs.
        if not entry.published_before:
            self._lateness_seconds.append((now - entry.run_after).total_seconds())

    async def _keep_marking(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await wait_for(stop, MARK_EVERY_SECONDS)
            await self._mark()

    async def _mark(self) -> None:
        batch, self._confirmed = self._confirmed, []
        if not batch:
            return
        await self._dedupe.remember([entry.key for entry in batch])
        crash_point("before_mark")
        try:
            async with self._engine.begin() as connection:
                await connection.execute(
                    _MARK,
                    {
                        "ids": [entry.id for entry in batch],
                        "attempts": [entry.attempt for entry in batch],
                        "publications": [entry.publication for entry in batch],
                        "created_ats": [entry.created_at for entry in batch],
                    },
                )
        except Exception as error:
            # They are published: keep them in hand and mark them with the next batch.
            log.warning("mark_failed", error=type(error).__name__, entries=len(batch))
            self._confirmed.extend(batch)
            return
        crash_point("after_mark")
        for entry in batch:
            self._agenda.release(entry)

    def report(self) -> dict[str, Any]:
        """What the scheduler says of itself, to be asked at each renewal."""
        lateness = self._lateness_milliseconds()
        self._counts.append((time.monotonic(), self.dispatched))
        (began, before), (now, count) = self._counts[0], self._counts[-1]
        return {
            "lateness_p99_ms": lateness.get("p99"),
            "lateness_ms": lateness,
            "dispatched": self.dispatched,
            "dispatched_per_second": round((count - before) / (now - began), 1) if now > began else None,
            "last_confirm": self._last_confirm.isoformat() if self._last_confirm else None,
            "at_once": self._window.size,
            "cut_off": self._window.cut_off,
        }

    def _lateness_milliseconds(self) -> dict[str, float]:
        """p50, p99 and max of due-to-confirmed over the last dispatches; empty before the first."""
        ordered = sorted(self._lateness_seconds)
        if not ordered:
            return {}
        return {
            "p50": round(ordered[len(ordered) // 2] * 1000, 2),
            "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 2),
            "max": round(ordered[-1] * 1000, 2),
        }
