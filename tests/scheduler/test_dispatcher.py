"""Publish, then the key, then the mark; and what becomes of overlapping due moments."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.embedded.process import free_port
from services.scheduler.agenda import Agenda, Entry
from services.scheduler.dedupe import Dedupe
from services.scheduler.dispatcher import Dispatcher
from services.scheduler.overlap import settle_overlap
from services.scheduler.planner import Planner
from tests.patience import PATIENCE_SECONDS
from tests.scheduler.world import AllShards, Wire, World


@dataclass
class Dispatch:
    world: World
    wire: Wire
    planner: Planner
    dispatcher: Dispatcher

    async def run_until(self, seen: Callable[[], object]) -> None:
        """Tick and dispatch until `seen`; what is in hand is then marked."""
        stop = asyncio.Event()
        running = asyncio.create_task(self.dispatcher.run(stop))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not seen():
                await self.planner.tick()
                await asyncio.sleep(0)
        stop.set()
        await running

    async def run_until_state(self, job: UUID, state: str) -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(self.dispatcher.run(stop))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.world.the_job(job)).state != state:
                await self.planner.tick()
        stop.set()
        await running


def dispatch_of(world: World, dedupe: Dedupe) -> Dispatch:
    agenda, replicas, wire = Agenda(), AllShards(), Wire()
    planner = Planner(world.engine, world.clock, agenda, replicas, Counter())  # type: ignore[arg-type]
    dispatcher = Dispatcher(world.engine, world.clock, agenda, replicas, wire, dedupe, Counter())  # type: ignore[arg-type]
    return Dispatch(world, wire, planner, dispatcher)


@pytest_asyncio.fixture
async def dedupe(redis_url: str) -> AsyncIterator[Dedupe]:
    dedupe = Dedupe(redis_url, answer_within_seconds=10)
    yield dedupe
    await dedupe.close()


@pytest.fixture
def dispatch(world: World, dedupe: Dedupe) -> Dispatch:
    return dispatch_of(world, dedupe)


async def test_what_is_due_is_published_once_and_marked(world: World, dispatch: Dispatch) -> None:
    job = await world.job(due_in=0.3, priority=0)
    await dispatch.run_until_state(job, "dispatched")
    [sent] = dispatch.wire.published
    assert (sent.scheduled_job_id, sent.attempt, sent.priority) == (job, 0, 0)


async def test_without_a_broker_it_stays_planned_and_goes_out_later(world: World, dispatch: Dispatch) -> None:
    job = await world.job(due_in=-1)
    dispatch.wire.down = True
    await dispatch.run_until(lambda: dispatch.wire.refused)
    assert (await world.the_job(job)).state == "planned"
    dispatch.wire.down = False
    await dispatch.run_until_state(job, "dispatched")
    assert [sent.scheduled_job_id for sent in dispatch.wire.published] == [job]


async def test_without_redis_it_is_dispatched_all_the_same(world: World) -> None:
    dispatch = dispatch_of(world, Dedupe(f"redis://127.0.0.1:{free_port()}"))
    job = await world.job(due_in=-1)
    await dispatch.run_until_state(job, "dispatched")
    assert len(dispatch.wire.published) == 1


async def test_what_was_published_before_is_only_marked(world: World, dispatch: Dispatch, dedupe: Dedupe) -> None:
    job = await world.job(due_in=-1)
    await dedupe.remember([(job, 0, 0, (await world.the_job(job)).created_at)])
    await dispatch.run_until_state(job, "dispatched")
    assert dispatch.wire.published == []


async def test_a_moment_planned_anew_is_not_taken_for_the_one_that_was_published(
    world: World, dispatch: Dispatch, dedupe: Dedupe
) -> None:
    job = await world.job(due_in=-1)
    await dedupe.remember([(job, 0, 0, (await world.the_job(job)).created_at)])
    # As an edit takes it back, and plans it again when it is due.
    await world.execute("UPDATE scheduled_jobs SET created_at = clock_timestamp()")
    await dispatch.run_until_state(job, "dispatched")
    assert len(dispatch.wire.published) == 1


@pytest.mark.parametrize(("overlap", "published", "outcomes"), [("skip", 0, ["skipped_overlap"]), ("allow", 1, [])])
async def test_a_moment_that_overlaps_is_skipped_or_allowed(
    world: World, dispatch: Dispatch, overlap: str, published: int, outcomes: list[str]
) -> None:
    schedule = uuid4()
    await world.job(schedule, -60, state="running", attempt=1, token=uuid4(), lease_until=world.in_seconds(60))
    await world.job(schedule, -1, overlap=overlap)
    last = await world.job(due_in=-0.5)
    await dispatch.run_until_state(last, "dispatched")
    assert len(dispatch.wire.published) == published + 1
    assert [row.outcome_code for row in await world.results()] == outcomes


async def test_one_that_overlaps_waits_for_its_turn(world: World, dispatch: Dispatch) -> None:
    schedule = uuid4()
    first = await world.job(schedule, -60, state="running", attempt=1, token=uuid4(), lease_until=world.in_seconds(60))
    waits = await world.job(schedule, -1, overlap="queue_one")
    await dispatch.run_until_state(await world.job(due_in=-0.5), "dispatched")
    assert (await world.the_job(waits)).state == "planned"
    await world.execute("DELETE FROM scheduled_jobs WHERE id = :id", id=first)
    await dispatch.run_until_state(waits, "dispatched")


async def test_what_is_caught_up_runs_in_turn_and_none_is_skipped(world: World, dispatch: Dispatch) -> None:
    schedule = await world.schedule(world.in_seconds(-4 * 3600), interval=3600, catch_up="all", deadline=86_400)
    waiting = await world.job(due_in=-0.5)
    await dispatch.run_until_state(waiting, "dispatched")
    first, *others = await world.execute(
        "SELECT * FROM scheduled_jobs WHERE schedule_id = :id ORDER BY due_at", id=schedule
    )
    for job in (first, *others):
        await dispatch.run_until_state(job.id, "dispatched")
        states = [row.state for row in await world.jobs() if row.schedule_id == schedule]
        assert states.count("dispatched") == 1
        await world.execute("DELETE FROM scheduled_jobs WHERE id = :id", id=job.id)
    assert len(others) >= 2
    assert await world.results() == []


@pytest.mark.parametrize(("state", "skipped"), [("planned", False), ("dispatched", False), ("running", True)])
async def test_a_backfill_is_in_the_way_only_while_it_runs(
    world: World, dispatch: Dispatch, state: str, skipped: bool
) -> None:
    schedule = uuid4()
    held = {"token": uuid4(), "lease_until": world.in_seconds(60)} if state == "running" else {}
    await world.job(schedule, -900, origin="backfill", state=state, priority=2, overlap="in_turn", **held)
    due = await world.job(schedule, -0.5)
    last = await world.job(due_in=-0.4)
    await dispatch.run_until_state(last, "dispatched")
    assert (due in {sent.scheduled_job_id for sent in dispatch.wire.published}) is not skipped
    assert [row.outcome_code for row in await world.results()] == ["skipped_overlap"] * skipped


async def test_an_owner_that_read_before_does_not_hold_back_what_another_published(
    world: World, dispatch: Dispatch
) -> None:
    schedule = uuid4()
    await world.job(schedule, -60, state="running", attempt=1, token=uuid4(), lease_until=world.in_seconds(60))
    waits = await world.job(schedule, -1, overlap="queue_one")
    stale = Entry((await world.the_job(waits)).run_after, waits, 1, 0, 0, "http", overlapping=True)
    assert await settle_overlap(world.engine, stale, Counter())
    held = (await world.the_job(waits)).run_after
    assert held > stale.run_after
    assert await settle_overlap(world.engine, stale, Counter())
    assert (await world.the_job(waits)).run_after == held
