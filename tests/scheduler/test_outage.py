"""What was planned before all schedulers were away is judged by its catch-up policy, as what was not planned is."""

import asyncio
from collections import Counter
from uuid import UUID, uuid4

import pytest

from services.scheduler.outage import settle_outage
from tests.scheduler.world import World

LATE, FRESH = -100, -3


async def planned(world: World, catch_up: str, *due_in: float, next_due_in: float = 30) -> tuple[UUID, list[UUID]]:
    schedule = await world.schedule(world.in_seconds(next_due_in), catch_up=catch_up)
    return schedule, [await world.job(schedule, seconds) for seconds in due_in]


async def renewed(world: World, seconds_ago: float) -> None:
    await world.execute(
        "INSERT INTO replicas (id, kind, report, renewed_at)"
        " VALUES (:id, 'scheduler', '{}', clock_timestamp() - make_interval(secs => :ago))",
        id=uuid4(),
        ago=seconds_ago,
    )


@pytest.mark.parametrize(
    ("catch_up", "due_in", "next_due_in", "missed"),
    [
        ("none", [LATE], 30, 1),
        ("none", [LATE, FRESH], 30, 1),
        ("latest", [LATE], 30, 0),
        ("latest", [LATE], -20, 1),
        ("latest", [LATE, LATE + 1], 30, 1),
        ("latest", [LATE, FRESH], 30, 1),
        ("latest", [LATE, 1], 30, 0),
        ("all", [LATE, LATE + 1, FRESH], -20, 0),
    ],
)
async def test_what_was_planned_before_an_outage_follows_the_policy(
    world: World, catch_up: str, due_in: list[float], next_due_in: float, missed: int
) -> None:
    await renewed(world, 90)
    _, jobs = await planned(world, catch_up, *due_in, next_due_in=next_due_in)
    not_run: Counter[str] = Counter()
    await settle_outage(world.engine, not_run)
    results = await world.results()
    assert [(row.id, row.outcome_code, row.attempts) for row in results] == [
        (id_, "missed", 0) for id_ in jobs[:missed]
    ]
    assert {row.message for row in results} <= {
        "It was not run in time, and the catch-up policy does not run it later."
    }
    assert [row.id for row in await world.jobs()] == jobs[missed:]
    assert not_run["missed"] == missed


async def test_what_is_late_while_a_scheduler_is_there_stays_planned(world: World) -> None:
    """It is late because of a full queue or a broker that is away, and one scheduler is restarted meanwhile."""
    await renewed(world, 5)
    _, jobs = await planned(world, "none", LATE)
    await settle_outage(world.engine, Counter())
    assert [row.id for row in await world.jobs()] == jobs


async def test_only_what_never_started_and_nobody_asked_for_is_judged(world: World) -> None:
    schedule, _ = await planned(world, "none")
    ahead = {"run_after": world.in_seconds(20)}  # jitter
    kept = [
        await world.job(schedule, LATE, attempt=1),
        await world.job(schedule, LATE - 1, state="dispatched"),
        await world.job(schedule, LATE - 2, **ahead),
        await world.job(schedule, LATE - 3, origin="manual"),
        await world.job(schedule, LATE - 4, origin="backfill"),
        await world.job(schedule, FRESH),
        await world.job(None, LATE),
    ]
    await settle_outage(world.engine, Counter())
    assert {row.id for row in await world.jobs()} == set(kept)
    assert await world.results() == []


async def test_with_a_fixed_delay_nothing_is_due_after_the_one_that_waits(world: World) -> None:
    schedule, jobs = await planned(world, "latest", LATE, next_due_in=-20)
    await world.execute("UPDATE schedules SET fixed_delay = true WHERE id = :id", id=schedule)
    await settle_outage(world.engine, Counter())
    assert [row.id for row in await world.jobs()] == jobs


async def test_two_that_start_at_once_judge_each_moment_once(world: World) -> None:
    schedule, _ = await planned(world, "none")
    await world.job(schedule, LATE)
    await world.execute(
        "INSERT INTO scheduled_jobs SELECT (jsonb_populate_record(j, jsonb_build_object("
        " 'id', gen_random_uuid(), 'due_at', j.due_at - n * interval '1 second'))).*"
        " FROM scheduled_jobs j, generate_series(1, 1200) n"
    )
    counts: list[Counter[str]] = [Counter(), Counter()]
    await asyncio.gather(*(settle_outage(world.engine, count) for count in counts))
    assert await world.jobs() == []
    assert len(await world.results()) == 1201 == sum(count["missed"] for count in counts)
