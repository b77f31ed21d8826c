"""Jobs are edited and paused while they fall due: no moment is lost or doubled, and none starts as it was before."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.schedules.commands import run_now
from services.runner.claim import claim_all
from services.runner.definition import CallbackDefinition
from shared.database import connect
from shared.domain.schedule import Timing
from shared.models import Schedule
from shared.queue import Message
from tests.end_to_end.processes import Stack
from tests.faults.history import Change, History
from tests.faults.load import CLOSED, Load
from tests.faults.sink import Received, Sink
from tests.patience import PLAIN_HTTP

SEED = 5_050
CLIENTS = 6
INTERVALS = (10, 11, 12)
# A claim may be made so long ahead of the moment that it gives as its start.
AHEAD = timedelta(milliseconds=50)

_SCHEDULES = "SELECT id, job_id, interval_seconds, next_due FROM schedules"
_WAITS_FOR_A_LOCK = """
    SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
_STARTED = """
    SELECT a.scheduled_job_id, a.number, r.schedule_id, a.started_at
    FROM attempts a JOIN job_results r ON r.id = a.scheduled_job_id
"""


@dataclass(slots=True)
class Edits:
    """One client's jobs: each is changed by one request after the other, so that it is certain what is in force."""

    http: httpx.AsyncClient
    rng: Random
    jobs: dict[UUID, History]

    async def make(self, count: int) -> None:
        for _ in range(count):
            job = self.rng.choice(list(self.jobs)) if self.rng.random() < 0.5 else self._due_next()
            if self._is_paused(job):
                await self.resume(job)
            elif self.jobs[job].last.timing.interval_seconds == 1:  # type: ignore[union-attr]
                await self.pause(job)
            else:
                await self.edit(job)
        for job in self.jobs:
            if self._is_paused(job):
                await self.resume(job)

    async def pause(self, job: UUID) -> None:
        await self._change(job, "POST", f"/{job}/pause", {"reason": "a test"}, None, self.jobs[job].last.version)

    async def resume(self, job: UUID) -> None:
        timing = next(change.timing for change in reversed(self.jobs[job].changes) if change.timing is not None)
        await self._change(job, "POST", f"/{job}/resume", {}, timing, self.jobs[job].last.version)

    async def edit(self, job: UUID) -> None:
        """Another payload, and often another interval."""
        version, interval = self.jobs[job].last.version + 1, self.rng.choice(INTERVALS)
        patch = {"schedule": {"interval_seconds": interval}, "job": {"payload": {"version": version}}}
        timing = Timing(self.jobs[job].schedule, interval)
        await self._change(job, "PATCH", f"/{job}", patch, timing, version)

    async def _change(self, job: UUID, method: str, path: str, body: Any, timing: Timing | None, version: int) -> None:
        sent_at = datetime.now(UTC)
        answer = await self.http.request(method, f"/api/v1/jobs{path}", json=body)
        assert answer.is_success, answer.text
        self.jobs[job].changes.append(Change(sent_at, datetime.now(UTC), timing, version))

    def _is_paused(self, job: UUID) -> bool:
        return self.jobs[job].last.timing is None

    def _due_next(self) -> UUID:
        now = datetime.now(UTC)

        def next_due(job: UUID) -> datetime:
            timing = self.jobs[job].last.timing
            return timing.due_after(now) if timing is not None else datetime.max.replace(tzinfo=UTC)

        return min(self.jobs, key=next_due)


@pytest.mark.parametrize("changes", [200, pytest.param(6_000, marks=[pytest.mark.long, pytest.mark.timeout(400)])])
async def test_edits_and_pauses_of_what_is_about_to_be_due(stack: Stack, load: Load, changes: int) -> None:
    print(f"seed {SEED}")
    with Sink() as sink:
        await load.add_callbacks(jobs=18, interval_seconds=1, url=sink.url("/after/20"))
        await load.add_callbacks(jobs=36, interval_seconds=INTERVALS[0], url=sink.url("/after/20"))
        histories = await began_with(stack)
        await asyncio.gather(stack.api().start(), stack.scheduler().start(), stack.runner().start())
        headers = {"Authorization": f"Bearer {await stack.create_key('--name', 'edits', '--scope', 'write')}"}
        began = datetime.now(UTC)
        async with httpx.AsyncClient(base_url=stack.api_url, headers=headers, **PLAIN_HTTP) as http:
            clients = [
                Edits(http, Random(SEED + number), dict(list(histories.items())[number::CLIENTS]))
                for number in range(CLIENTS)
            ]
            await asyncio.gather(*(client.make(changes // CLIENTS) for client in clients))
        seconds = (datetime.now(UTC) - began).total_seconds()
        by_schedule = {history.schedule: history for history in histories.values()}
        watched = [by_schedule[each.timing.schedule_id].watched(each.end) for each in await load.stop()]
        await load.drained()
        found = await load.compare(watched, sink)
        print(f"{sum(len(each.changes) - 1 for each in by_schedule.values()) / seconds:.0f} changes per second")
        found.assert_none()
        assert found.amplification == 1.0
        await nothing_starts_as_it_was_before(stack, sink, by_schedule)


async def test_a_claim_that_waits_for_an_edit_finds_what_the_edit_made(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    stack = Stack(folder=tmp_path, database_url=database_url, amqp_url="", redis_url=redis_url, webdriver_url="")
    await Load(stack).add_callbacks(jobs=1, interval_seconds=3600, url=CLOSED)
    engine = connect(database_url, application_name="parakeet test")
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            (made,) = await run_now(session, list(await session.scalars(select(Schedule))))
        async with engine.begin() as edit:
            await edit.execute(text("UPDATE jobs SET payload = json_build_object('version', 1)"))
            # As every edit does, so that what waits follows its schedule.
            await edit.execute(text("UPDATE scheduled_jobs SET priority = priority"))
            claim = asyncio.create_task(claim_all(engine, [Message(made.id, 0, "http", 1)], uuid4()))
            await stack.until(_WAITS_FOR_A_LOCK)
        (claimed,) = await claim
        assert claimed is not None
        assert isinstance(claimed.definition, CallbackDefinition)
        assert claimed.definition.payload == {"version": 1}
    finally:
        await engine.dispose()


async def began_with(stack: Stack) -> dict[UUID, History]:
    """By job; nothing has been planned yet."""
    histories = {}
    for row in await stack.fetch(_SCHEDULES):
        before = row["next_due"] - timedelta(microseconds=1)
        timing = Timing(row["id"], row["interval_seconds"])
        histories[row["job_id"]] = History(row["id"], [Change(before, before, timing, 0)])
    return histories


async def nothing_starts_as_it_was_before(stack: Stack, sink: Sink, histories: dict[UUID, History]) -> None:
    """What arrives after an answer was claimed before it, or is as the answer says."""
    started = {
        (str(row["scheduled_job_id"]), row["number"]): (histories[row["schedule_id"]], row["started_at"])
        for row in await stack.fetch(_STARTED)
    }
    in_hand = 0
    for request in sink.requests:
        history, started_at = started[request.message_id, request.attempt]
        in_force = [change for change in history.changes if change.answered_at + AHEAD < started_at]
        under_way = any(change.sent_at <= started_at <= change.answered_at + AHEAD for change in history.changes)
        in_hand += any(
            change.timing is None and change.answered_at < request.received_at < until
            for change, _, until in history.stretches(request.received_at)
        )
        if in_force:
            assert under_way or in_force[-1].timing is not None, f"started while paused: {request}"
            assert version_of(request) >= in_force[-1].version, f"started under an older definition: {request}"
    print(f"{in_hand} of {len(sink.requests)} requests had been claimed when a pause was answered")


def version_of(request: Received) -> int:
    return int(json.loads(request.body).get("version", 0))
