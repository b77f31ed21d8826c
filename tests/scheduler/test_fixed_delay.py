"""With a fixed delay the interval counts from the end of the run before."""

from datetime import datetime, timedelta
from uuid import UUID

from services.scheduler.agenda import Agenda
from tests.scheduler.test_planner import next_due, planner
from tests.scheduler.world import World

INTERVAL = timedelta(seconds=60)


async def fixed_delay(world: World, due: datetime) -> UUID:
    schedule = await world.schedule(due)
    await world.execute("UPDATE schedules SET fixed_delay = true WHERE id = :id", id=schedule)
    return schedule


async def end_its_run(world: World, ended_at: datetime) -> None:
    await world.execute(
        "WITH ended AS (DELETE FROM scheduled_jobs RETURNING *) INSERT INTO job_results (id, due_at, schedule_id,"
        " origin, kind, outcome_code, outcome_class, message, recorded_at) SELECT id, due_at, schedule_id, origin,"
        " kind, 'success', 'passed', '', :ended_at FROM ended",
        ended_at=ended_at,
    )


async def test_while_a_run_is_live_nothing_more_is_due(world: World) -> None:
    schedule = await fixed_delay(world, due := world.in_seconds(-1))
    await planner(world).tick()
    await world.execute("UPDATE schedules SET next_due = :due WHERE id = :id", due=world.in_seconds(0), id=schedule)
    await planner(world).tick()
    assert [job.due_at for job in await world.jobs()] == [due]


async def test_the_next_run_is_due_an_interval_after_the_end_of_the_last(world: World) -> None:
    schedule = await fixed_delay(world, world.in_seconds(-1))
    await planner(world).tick()
    ended_at = world.in_seconds(-20)
    await end_its_run(world, ended_at)
    await world.execute("UPDATE schedules SET next_due = :due WHERE id = :id", due=world.in_seconds(0), id=schedule)
    await planner(world).tick()
    assert await world.jobs() == []
    assert await next_due(world, schedule) == ended_at + INTERVAL


async def test_a_run_that_ended_long_ago_makes_the_next_one_due(world: World) -> None:
    schedule = await fixed_delay(world, world.in_seconds(-1))
    await planner(world).tick()
    await end_its_run(world, world.in_seconds(-300))
    await world.execute(
        "UPDATE schedules SET next_due = :due WHERE id = :id", due=(due := world.in_seconds(1)), id=schedule
    )
    await planner(world).tick()
    assert [job.due_at for job in await world.jobs()] == [due]


async def test_after_a_downtime_the_one_moment_that_was_due_is_caught_up_or_missed(world: World) -> None:
    latest = await fixed_delay(world, world.in_seconds(-100))
    none = await world.schedule(world.in_seconds(-100), catch_up="none")
    await world.execute("UPDATE schedules SET fixed_delay = true WHERE id = :id", id=none)
    agenda = Agenda()
    await planner(world, agenda).tick()
    assert [job.schedule_id for job in await world.jobs()] == [latest]
    assert [(row.schedule_id, row.outcome_code) for row in await world.results()] == [(none, "missed")]
    assert len(agenda) == 1
