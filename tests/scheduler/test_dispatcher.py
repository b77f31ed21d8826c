"""Publish, then the key, then the mark; and what becomes of overlapping due moments."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
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


@pytest.mark.parametrize("overlap", ["skip", "queue_one"])
@pytest.mark.parametrize("state", ["planned", "dispatched"])
async def test_no_moment_starts_beside_one_that_is_caught_up(
    world: World, dispatch: Dispatch, overlap: str, state: str
) -> None:
    schedule = uuid4()
    caught_up = [
        await world.job(schedule, -100, overlap="in_turn", state=state),
        await world.job(schedule, -90, overlap="in_turn"),
    ]
    due = await world.job(schedule, -0.5, overlap=overlap)
    last = await world.job(due_in=-0.4)
    await dispatch.run_until_state(last, "dispatched")
    sent = {message.scheduled_job_id for message in dispatch.wire.published}
    assert sent - {caught_up[0]} == {last}
    skipped = [row.id for row in await world.results() if row.outcome_code == "skipped_overlap"]
    assert skipped == ([due] if overlap == "skip" else [])
    if overlap == "queue_one":
        await world.execute("DELETE FROM scheduled_jobs WHERE overlap = 'in_turn'")
        await dispatch.run_until_state(due, "dispatched")


async def backfilled(world: World, schedule: UUID, due_in: float, **change: Any) -> UUID:
    terms = {"origin": "backfill", "priority": 2, "overlap": "in_turn", "run_after": world.in_seconds(-1)}
    return await world.job(schedule, due_in, **{**terms, **change})


def held(world: World) -> dict[str, Any]:
    return {"state": "running", "attempt": 1, "token": uuid4(), "lease_until": world.in_seconds(60)}


@pytest.mark.parametrize("state", ["planned", "dispatched"])
async def test_a_backfill_that_only_waits_is_in_nobodys_way(world: World, dispatch: Dispatch, state: str) -> None:
    schedule = uuid4()
    await backfilled(world, schedule, -900, state=state)
    due = await world.job(schedule, -0.5)
    await dispatch.run_until_state(due, "dispatched")
    assert await world.results() == []


@pytest.mark.parametrize("overlap", ["skip", "queue_one"])
async def test_a_moment_waits_for_a_backfill_that_runs_and_goes_before_the_next(
    world: World, dispatch: Dispatch, overlap: str
) -> None:
    schedule = uuid4()
    runs = await backfilled(world, schedule, -900, **held(world))
    follows = await backfilled(world, schedule, -800)
    waits = await world.job(schedule, -20, overlap=overlap)
    skipped = await world.job(schedule, -0.5, overlap=overlap)
    last = await world.job(due_in=-0.4)
    await dispatch.run_until_state(last, "dispatched")
    assert [message.scheduled_job_id for message in dispatch.wire.published] == [last]
    assert [(row.id, row.outcome_code) for row in await world.results()] == [(skipped, "skipped_overlap")]
    for ended, goes, stays in ((runs, waits, {follows}), (waits, follows, set())):
        await world.execute("DELETE FROM scheduled_jobs WHERE id = :id", id=ended)
        await dispatch.run_until_state(goes, "dispatched")
        assert {row.id for row in await world.jobs() if row.state == "planned"} == stays


@pytest.mark.parametrize(
    "other",
    [
        {"due_in": -60, "state": "running"},
        {"due_in": -60, "state": "dispatched"},
        {"due_in": -60, "state": "planned", "attempt": 1, "run_after_in": 60},
        {"due_in": 0.7, "state": "planned"},
        {"due_in": -60, "origin": "manual", "overlap": "allow", "state": "running"},
        {"due_in": -800, "origin": "backfill", "overlap": "in_turn", "state": "running"},
    ],
    ids=str,
)
async def test_a_backfill_waits_for_whatever_is_under_way_or_due(
    world: World, dispatch: Dispatch, other: dict[str, Any]
) -> None:
    schedule = uuid4()
    terms = {key: value for key, value in other.items() if key not in ("due_in", "run_after_in")}
    if "run_after_in" in other:
        terms["run_after"] = world.in_seconds(other["run_after_in"])
    if other["state"] == "running":
        terms |= held(world)
    before = await world.job(schedule, other["due_in"], **terms)
    waits = await backfilled(world, schedule, -900)
    last = await world.job(due_in=-0.5, priority=2)
    await dispatch.run_until_state(last, "dispatched")
    assert waits not in {message.scheduled_job_id for message in dispatch.wire.published}
    await world.execute("DELETE FROM scheduled_jobs WHERE id = :id", id=before)
    await dispatch.run_until_state(waits, "dispatched")


async def test_a_backfill_does_not_wait_for_what_is_due_later(world: World, dispatch: Dispatch) -> None:
    schedule = uuid4()
    await world.job(schedule, -60, run_after=world.in_seconds(600))  # jitter
    await dispatch.run_until_state(await backfilled(world, schedule, -900), "dispatched")


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
