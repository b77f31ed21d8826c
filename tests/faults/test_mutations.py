"""The proofs must be able to fail: with the order of the protocol changed, the checker finds the loss."""

import asyncio
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

import services.scheduler.__main__ as scheduler
from services.runner.claim import Claimed, claim_all
from services.scheduler.agenda import Entry
from services.scheduler.dedupe import Dedupe
from services.scheduler.dispatcher import Dispatcher
from services.scheduler.settings import SchedulerSettings
from shared import ledger
from shared.database import connect
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord, Ending, end_attempts
from shared.queue import Delivery, Message
from shared.queue.memory import MemoryQueue
from tests.end_to_end.processes import Stack, until
from tests.faults.load import BROWSER, CLOSED, Load, change_jobs

# Of the job that nobody ends.
_LEASE_ENDS = change_jobs(
    "lease_until = now() - interval '1 ms'",
    "state = 'running' AND attempt = 1 AND started_at < clock_timestamp() - interval '1 second'",
)
_IN_HAND = "SELECT 1 FROM scheduled_jobs WHERE state <> 'dispatched' LIMIT 1"


class MarksFirst(Dispatcher):
    """The mutation: the row says dispatched before the queue has the message."""

    async def _dispatch(self, entry: Entry) -> None:
        self._confirmed.append(entry)
        await self._mark()
        await self._queue.publish(Message(entry.id, entry.attempt, entry.lane, entry.priority))


class RedisFirst(Dispatcher):
    """The mutation: the key is set before the publish, and whoever finds it leaves the publish to the other."""

    async def _dispatch(self, entry: Entry) -> None:
        if not await self._dedupe.was_published(entry.key):
            await self._dedupe.remember([entry.key])
            await self._queue.publish(Message(entry.id, entry.attempt, entry.lane, entry.priority))
        self._confirmed.append(entry)


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
            await self.perform(claimed)
            record = AttemptRecord(Outcome("success", "Done."), claimed.started_at, 0.0)
            async with self._engine.begin() as connection:
                self.note_end(claimed, await end_attempts(connection, [Ending(claimed.id, claimed.token, record)]))
        await delivery.ack()

    async def perform(self, claimed: Claimed) -> None:
        """At once."""

    def note_end(self, claimed: Claimed, recorded: set[UUID]) -> None:
        """Nobody asks."""


class Zombie(InstantRunner):
    """Wakes from its first attempt of a job when the second has begun, and records before that one does."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.asleep, self.woken, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._job: UUID | None = None

    async def perform(self, claimed: Claimed) -> None:
        self._job = self._job or claimed.id
        if claimed.id == self._job and claimed.attempt == 1:
            self.asleep.set()
            await self.woken.wait()
        elif claimed.id == self._job:
            self.woken.set()
            await self.ended.wait()

    def note_end(self, claimed: Claimed, recorded: set[UUID]) -> None:
        if claimed.id == self._job and claimed.attempt == 1:
            self.ended.set()


def finish_by_state(statement: TextClause) -> TextClause:
    """The mutation: whoever finds the job running ends it, under the token it brought along."""
    guarded = str(statement)
    by_state = guarded.replace("JOIN given USING (id, token)", "JOIN given USING (id)")
    assert by_state != guarded
    return text(by_state.replace("given.token = held.token", "given.id = held.id").replace("held.token", "given.token"))


@pytest.mark.parametrize(
    ("dispatcher", "loses"),
    [(Dispatcher, False), (MarksFirst, True), (RedisFirst, True)],
    ids=["right", "marks first", "Redis first"],
)
async def test_a_crash_before_the_publish_loses_only_what_was_marked_first(
    dispatcher: type[Dispatcher],
    loses: bool,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler, "Dispatcher", dispatcher)
    # A key that is not set in time loses nothing, and a busy machine takes its time.
    monkeypatch.setattr(scheduler, "Dedupe", partial(Dedupe, answer_within_seconds=10))
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


@pytest.mark.parametrize("guarded", [True, False], ids=["right", "no token"])
async def test_a_late_record_is_refused_by_the_token_alone(
    guarded: bool, database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not guarded:
        monkeypatch.setattr(ledger, "_END", finish_by_state(ledger._END))
    stack = Stack(folder=tmp_path, database_url=database_url, amqp_url="", redis_url=redis_url, webdriver_url="")
    load = Load(stack)
    await load.add_callbacks(jobs=3, interval_seconds=1, url=CLOSED)
    engine = connect(database_url, application_name="parakeet test")
    try:
        queue, runner, stop = MemoryQueue(), Zombie(engine), asyncio.Event()
        await queue.subscribe("http", 50, runner.receive)
        settings = SchedulerSettings(database_url=database_url, redis_url=redis_url)
        running = asyncio.create_task(scheduler.run(settings, queue, stop))
        await runner.asleep.wait()
        await stack.until(_LEASE_ENDS)
        await runner.ended.wait()
        found = await load.findings()
        stop.set()
        await running
    finally:
        await engine.dispose()
    if guarded:
        found.assert_none()
        return
    print(found)
    assert any("two attempts under one token" in each for each in found.inconsistent)
