"""The proofs must be able to fail: with the order of the protocol changed, the checker finds the loss."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

import services.scheduler.__main__ as scheduler
from services.runner.claim import claim_all
from services.scheduler.agenda import Entry
from services.scheduler.dispatcher import Dispatcher
from services.scheduler.settings import SchedulerSettings
from shared.database import connect
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord, Ending, end_attempts
from shared.queue import Delivery, Message
from shared.queue.memory import MemoryQueue
from tests.end_to_end.processes import Stack, until
from tests.faults.load import BROWSER, Load

_IN_HAND = "SELECT 1 FROM scheduled_jobs WHERE state <> 'dispatched' LIMIT 1"


class MarksFirst(Dispatcher):
    """The mutation: the row says dispatched before the queue has the message."""

    async def _dispatch(self, entry: Entry) -> None:
        self._confirmed.append(entry)
        await self._mark()
        await self._queue.publish(Message(entry.id, entry.attempt, entry.lane, entry.priority))


class CrashPoint(MemoryQueue):
    """The process dies when it is about to publish: nothing gets out, and what is in hand ends right there."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.dead = asyncio.Event(), asyncio.Event()

    async def publish(self, message: Message) -> None:
        self.reached.set()
        await self.dead.wait()
        raise asyncio.CancelledError


class InstantRunner:
    """Claims and records by the runner's own statements, without a browser."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.tasks: set[asyncio.Task[None]] = set()

    def receive(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._work(delivery))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _work(self, delivery: Delivery) -> None:
        [claimed] = await claim_all(self._engine, [delivery.message], uuid4())
        if claimed is not None:
            await asyncio.sleep(claimed.early_seconds)
            record = AttemptRecord(Outcome("success", "Done."), claimed.started_at, 0.0)
            async with self._engine.begin() as connection:
                await end_attempts(connection, [Ending(claimed.id, claimed.token, record)])
        await delivery.ack()


@pytest.mark.parametrize(("dispatcher", "loses"), [(Dispatcher, False), (MarksFirst, True)], ids=["right", "mutated"])
async def test_a_crash_before_the_publish_loses_only_what_was_marked_first(
    dispatcher: type[Dispatcher],
    loses: bool,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler, "Dispatcher", dispatcher)
    settings = SchedulerSettings(database_url=database_url, redis_url=redis_url)
    stack = Stack(folder=tmp_path, database_url=database_url, amqp_url="", redis_url=redis_url, webdriver_url="")
    load = Load(stack)
    await load.add(schedules=10, interval_seconds=1)
    engine = connect(database_url, application_name="parakeet test")
    try:
        crashing, stop = CrashPoint(), asyncio.Event()
        first = asyncio.create_task(scheduler.run(settings, crashing, stop))
        await crashing.reached.wait()
        first.cancel()
        await asyncio.wait([first])
        stop.set()
        crashing.dead.set()

        queue, runner, stop = MemoryQueue(), InstantRunner(engine), asyncio.Event()
        await queue.subscribe(f"browser.{BROWSER}", 50, runner.receive)
        second = asyncio.create_task(scheduler.run(settings, queue, stop))
        await stack.until("SELECT 1 FROM job_results LIMIT 1")

        async def nothing_in_hand() -> bool:
            """What is left then says dispatched, without a message or anybody who holds it."""
            rows = await stack.fetch(_IN_HAND)
            return not rows and not runner.tasks and not any((await queue.depths([f"browser.{BROWSER}"])).values())

        watched = await load.stop()
        await until(nothing_in_hand, what="all that can run to have run")
        stop.set()
        await second
        found = await load.compare(watched)
    finally:
        await engine.dispose()
    if not loses:
        found.assert_none()
        return
    print(found)
    assert found.lost
    assert not found.duplicated
    assert not found.early
