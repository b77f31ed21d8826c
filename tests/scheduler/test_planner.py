"""Each due moment becomes one scheduled job or one `missed`, whoever plans and however often."""

import asyncio
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from sqlalchemy import text

from services.scheduler.agenda import Agenda
from services.scheduler.planner import Planner
from shared.domain.schedule import Origin, Timing, scheduled_job_id
from tests.locks import until_someone_waits
from tests.patience import PATIENCE_SECONDS
from tests.scheduler.world import AllShards, World


def planner(world: World, agenda: Agenda | None = None, shards: AllShards | None = None) -> Planner:
    agenda = Agenda() if agenda is None else agenda
    return Planner(world.engine, world.clock, agenda, shards or AllShards(), Counter())  # type: ignore[arg-type]


async def next_due(world: World, schedule: UUID) -> object:
    return (await world.one("SELECT next_due FROM schedules WHERE id = :id", id=schedule)).next_due


async def test_a_due_moment_is_planned_and_the_schedule_moves_on(world: World) -> None:
    due = world.in_seconds(1)
    schedule = await world.schedule(due, priority=0)
    agenda = Agenda()
    await planner(world, agenda).tick()
    [job] = await world.jobs()
    assert job.id == scheduled_job_id(schedule, Origin.SCHEDULE, due)
    assert (job.schedule_id, job.due_at, job.run_after, job.state, job.attempt) == (schedule, due, due, "planned", 0)
    assert (job.lane, job.priority, job.start_by) == ("browser.chromium", 0, due + timedelta(seconds=300))
    assert await next_due(world, schedule) == Timing(schedule, interval_seconds=60).due_after(due)
    assert len(agenda) == 1


async def test_what_is_further_ahead_waits(world: World) -> None:
    schedule = await world.schedule(due := world.in_seconds(60))
    await planner(world).tick()
    assert await world.jobs() == []
    assert await next_due(world, schedule) == due


async def test_two_planners_at_once_plan_each_moment_once(world: World) -> None:
    schedules = [await world.schedule(world.in_seconds(-n % 30)) for n in range(100)]
    due = await world.execute("SELECT id, next_due FROM schedules WHERE next_due < :u", u=world.in_seconds(1))
    await asyncio.gather(*(planner(world).tick() for _ in range(4)))
    jobs = await world.jobs()
    planned = {(job.schedule_id, job.due_at) for job in jobs}
    assert {tuple(row) for row in due} <= planned
    assert len(planned) == len(jobs)
    assert {schedule for schedule, _ in planned} <= set(schedules)


async def test_schedules_are_locked_in_the_order_of_their_ids(world: World) -> None:
    low, high = UUID(int=1), UUID(int=2)
    for schedule in (high, low):
        await world.schedule(world.in_seconds(-1), id=schedule)
    lock = text("SELECT 1 FROM schedules WHERE id = :id FOR UPDATE NOWAIT")
    async with world.engine.connect() as editor:
        await editor.execute(lock, {"id": low})
        ticking = asyncio.create_task(planner(world).tick())
        try:
            await until_someone_waits(world.engine)
            await editor.execute(lock, {"id": high})
        finally:
            await editor.rollback()
            await ticking


async def test_an_edit_between_reading_and_planning_is_not_overrun(world: World) -> None:
    due = world.in_seconds(1)
    schedule = await world.schedule(due)
    first = planner(world)
    async with world.engine.connect() as editor:
        await editor.exec_driver_sql(f"UPDATE schedules SET interval_seconds = 86400 WHERE id = '{schedule}'")
        ticking = asyncio.create_task(first.tick())
        await until_someone_waits(world.engine)
        await editor.commit()
    await ticking
    assert await world.jobs() == []
    assert await next_due(world, schedule) == due
    await first.tick()
    assert [job.due_at for job in await world.jobs()] == [due]
    assert await next_due(world, schedule) == Timing(schedule, interval_seconds=86_400).due_after(due)


async def test_what_the_catch_up_does_not_run_is_recorded_as_missed(world: World) -> None:
    schedule = await world.schedule(first := world.in_seconds(-600), catch_up="none")
    await planner(world).tick()
    results, jobs = await world.results(), await world.jobs()
    assert {(row.outcome_code, row.outcome_class, row.attempts) for row in results} == {("missed", "not_run", 0)}
    timing = Timing(schedule, interval_seconds=60)
    oracle, now = [first], world.clock.now()
    while (moment := timing.due_after(oracle[-1])) <= now:
        oracle.append(moment)
    assert [row.due_at for row in (*results, *jobs)][: len(oracle)] == oracle


async def test_a_long_downtime_is_planned_to_the_end(world: World) -> None:
    await world.schedule(world.in_seconds(-150_000), catch_up="all", deadline=3_600)
    ticks, total = planner(world), 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while total < 2_500:
            await ticks.tick()
            total = len(await world.jobs()) + len(await world.results())
    moments = [row.due_at for row in (*await world.results(), *await world.jobs())]
    steps = {after - before for before, after in pairwise(moments[1:])}
    assert steps == {timedelta(seconds=60)}


async def test_a_paused_schedule_is_never_planned(world: World) -> None:
    await world.schedule(None)
    await planner(world).tick()
    assert await world.jobs() == []


async def test_a_schedule_that_cannot_be_planned_steps_aside(world: World) -> None:
    due = world.in_seconds(0)
    await world.schedule(due, timezone="Mars/Olympus", interval=None, cron="* * * * *")
    await world.schedule(due, interval=0)
    good = await world.schedule(due)
    await planner(world).tick()
    assert {job.schedule_id for job in await world.jobs()} == {good}


async def test_many_schedules_that_cannot_be_planned_do_not_hold_up_the_tick(world: World) -> None:
    await world.execute(
        "INSERT INTO schedules (id, kind, shard, next_due, cron, timezone, jitter_seconds, overlap, catch_up,"
        " start_deadline_seconds, priority, lane)"
        " SELECT gen_random_uuid(), 'check', n % 64, now(), '* * * * *', 'Mars/Olympus', 0, 'skip', 'latest', 300, 1,"
        " 'x' FROM generate_series(1, 600) n"
    )
    good = await world.schedule(world.in_seconds(0))
    await planner(world).tick()
    assert {job.schedule_id for job in await world.jobs()} == {good}


async def test_only_the_shards_of_its_own_are_planned(world: World) -> None:
    schedule = await world.schedule(world.in_seconds(0))
    shard = (await world.one("SELECT shard FROM schedules WHERE id = :id", id=schedule)).shard
    await planner(world, shards=AllShards(set(range(64)) - {shard})).tick()
    assert await world.jobs() == []
    agenda = Agenda()
    agenda.rebuild(())
    await planner(world, agenda, AllShards(())).tick()
    assert len(agenda) == 0
    await planner(world, shards=AllShards({shard})).tick()
    assert len(await world.jobs()) == 1
