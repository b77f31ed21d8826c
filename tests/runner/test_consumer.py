"""The runner as a whole on a queue in memory: callbacks at once, those to one host limited, priorities kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio
from cryptography.fernet import Fernet

from services.runner.__main__ import run
from services.runner.settings import RunnerSettings
from shared.clock import DatabaseClock
from shared.database import connect
from shared.queue import Message
from shared.queue.memory import MemoryQueue
from tests.end_to_end.processes import until
from tests.faults.sink import Sink
from tests.runner.test_callback_finish import Callbacks
from tests.scheduler.world import World


class Running:
    """A runner, its queue, and a job whose URL may change from message to message."""

    def __init__(self, callbacks: Callbacks, database_url: str, folder: Path) -> None:
        self.callbacks = callbacks
        self.queue = MemoryQueue()
        self._database_url = database_url
        self._folder = folder

    @asynccontextmanager
    async def runner(self, **changed: Any) -> AsyncIterator[asyncio.Event]:
        """Stops it in order at the end; yields what tells it to."""
        settings = RunnerSettings.model_validate(
            {
                "database_url": self._database_url,
                "webdriver_url": "http://127.0.0.1:9",
                "secret_keys": Fernet.generate_key().decode(),
                "evidence_dir": self._folder,
                "callback_allow": "127.0.0.1,localhost",
                **changed,
            }
        )
        stop = asyncio.Event()
        running = asyncio.create_task(run(settings, self.queue, stop))
        try:
            yield stop
        finally:
            stop.set()
            await running

    async def job(self, url: str) -> UUID:
        """Another job beside the first, with a callback that is due now; its scheduled job's id."""
        world = self.callbacks.world
        job = uuid4()
        await world.execute(
            "INSERT INTO jobs SELECT (jsonb_populate_record(jobs, jsonb_build_object('id', CAST(:id AS text),"
            " 'callback_url', CAST(:url AS text)))).* FROM jobs WHERE id = :model",
            id=str(job),
            url=url,
            model=self.callbacks.job,
        )
        columns: dict[str, Any] = {"kind": "callback", "lane": "http", "job_id": job, "job_configuration_id": None}
        return await world.job(due_in=-1, partner=None, browser=None, state="dispatched", **columns)

    async def send(self, url: str, count: int, priority: int = 1) -> list[UUID]:
        jobs = [await self.job(url) for _ in range(count)]
        for job in jobs:
            await self.queue.publish(Message(job, 0, "http", priority))
        return jobs

    async def outcomes(self, jobs: list[UUID]) -> list[str]:
        """Once all of them have one."""

        async def ended() -> list[str]:
            rows = await self.callbacks.world.execute(
                "SELECT outcome_code FROM job_results WHERE id = ANY(CAST(:ids AS uuid[]))", ids=jobs
            )
            return [row.outcome_code for row in rows] if len(rows) == len(jobs) else []

        found: list[str] = await until(ended, what="results")
        return found


@pytest_asyncio.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    engine = connect(database_url, application_name="parakeet tests", pool_size=10)
    world = World(engine, DatabaseClock(engine))
    await world.settle_in()
    callbacks = Callbacks(world)
    await callbacks.settle_in()
    yield Running(callbacks, database_url, tmp_path)
    await engine.dispose()


async def test_many_callbacks_are_under_way_at_once_in_one_process(running: Running) -> None:
    with Sink() as sink:
        jobs = await running.send(sink.url("/hang"), 60)
        async with running.runner(callbacks_per_host=100):
            await sink.await_at_once(60)
            sink.release()
            assert set(await running.outcomes(jobs)) == {"success"}


async def test_a_slow_host_gets_its_limit_and_does_not_hold_up_another(running: Running) -> None:
    with Sink() as slow, Sink() as quick:
        hanging = await running.send(slow.url("/hang"), 12)
        passing = await running.send(quick.url(), 5)
        async with running.runner(callbacks_per_host=3, callback_slots=8):
            assert set(await running.outcomes(passing)) == {"success"}
            assert slow.most_at_once == 3
            slow.release()
            # Those that were put off are planned again; here the test publishes them in the scheduler's place.
            published: set[tuple[UUID, int]] = set()

            async def all_ended() -> bool:
                for row in await running.callbacks.world.jobs():
                    if row.state == "planned" and (row.id, row.publication) not in published:
                        published.add((row.id, row.publication))
                        await running.callbacks.world.execute(
                            "UPDATE scheduled_jobs SET run_after = now() WHERE id = :id", id=row.id
                        )
                        await running.queue.publish(Message(row.id, row.attempt, "http"))
                return not await running.callbacks.world.jobs()

            await until(all_ended, what="those that were put off")
            assert set(await running.outcomes(hanging)) == {"success"}
            assert slow.most_at_once == 3
            attempts = await running.callbacks.world.execute("SELECT count(*) AS count FROM attempts")
            assert attempts[0].count == len(hanging) + len(passing)


async def test_the_more_urgent_goes_first_when_slots_are_few(running: Running) -> None:
    with Sink() as sink:
        first = await running.send(sink.url("/hang"), 1)
        async with running.runner(callback_slots=1):
            await sink.await_at_once(1)
            low = await running.send(sink.url("/ok"), 1, priority=2)
            high = await running.send(sink.url("/status/204"), 1, priority=0)
            sink.release()
            await running.outcomes([*first, *low, *high])
            assert [request.path for request in sink.requests] == ["/hang", "/status/204", "/ok"]


async def test_a_runner_that_is_stopped_hands_back_what_it_has_not_ended(running: Running) -> None:
    with Sink() as sink:
        [job] = await running.send(sink.url("/hang"), 1)
        async with running.runner(stop_grace_seconds=0.5):
            await sink.await_at_once(1)
        row = await running.callbacks.world.the_job(job)
        assert (row.state, row.attempt, row.infrastructure_failures) == ("planned", 1, 0)
        assert [row.outcome_code for row in await running.callbacks.world.attempts()] == ["runner_lost"]
