"""What is stuck gets back on its way, by its row alone, and only while the row says so."""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest

from services.scheduler.sweeper import sweep
from tests.locks import until_someone_waits
from tests.scheduler.world import World


async def test_a_lost_attempt_is_recorded_and_its_job_planned_again_at_once(world: World) -> None:
    job, token = await world.running()
    await sweep(world.engine, Counter())
    row = await world.the_job(job)
    assert (row.state, row.attempt, row.token, row.lease_until, row.runner) == ("planned", 1, None, None, None)
    assert (row.infrastructure_failures, row.partner_failures) == (1, 0)
    assert row.run_after <= world.clock.now()
    [attempt] = await world.attempts()
    assert (attempt.outcome_code, attempt.token, attempt.number) == ("runner_lost", token, 1)
    assert await world.results() == []


async def test_with_the_budget_exhausted_a_lost_attempt_is_the_result(world: World) -> None:
    job, _ = await world.running(infrastructure_failures=2, attempt=3)
    await sweep(world.engine, Counter())
    [result] = await world.results()
    assert (result.id, result.outcome_code, result.attempts) == (job, "runner_lost", 3)
    assert await world.jobs() == []


async def test_a_lost_attempt_whose_job_configuration_is_gone_is_the_result(world: World) -> None:
    job, _ = await world.running()
    await world.execute("DELETE FROM job_configurations")
    await sweep(world.engine, Counter())
    assert [result.id for result in await world.results()] == [job]
    assert await world.jobs() == []


async def test_a_lease_that_still_runs_is_left_alone(world: World) -> None:
    job, token = await world.running(lease_in=10)
    await sweep(world.engine, Counter())
    row = await world.the_job(job)
    assert (row.state, row.token) == ("running", token)
    assert await world.attempts() == []


async def test_the_browser_session_of_a_lost_runner_is_noted(world: World) -> None:
    job, _ = await world.running()
    await world.execute(
        "UPDATE scheduled_jobs SET browser_session ="
        " jsonb_build_object('id', 's1', 'webdriver_url', 'http://grid:4444', 'node', 'n1') WHERE id = :id",
        id=job,
    )
    await sweep(world.engine, Counter())
    noted = await world.one("SELECT session_id, webdriver_url FROM orphan_sessions")
    assert tuple(noted) == ("s1", "http://grid:4444")
    [attempt] = await world.attempts()
    assert (attempt.session_id, attempt.node) == ("s1", "n1")


async def test_many_sweepers_at_once_record_a_lost_attempt_once(world: World) -> None:
    for _ in range(20):
        await world.running()
    await asyncio.gather(*(sweep(world.engine, Counter()) for _ in range(5)))
    assert len(await world.attempts()) == 20
    assert {(row.state, row.infrastructure_failures) for row in await world.jobs()} == {("planned", 1)}


@pytest.mark.parametrize(
    ("publication", "dispatched_in", "state", "then"),
    [
        (0, -119, "dispatched", 0),
        (0, -121, "planned", 1),
        (1, -239, "dispatched", 1),
        (1, -241, "planned", 2),
        (9, -1_799, "dispatched", 9),
        (9, -1_801, "planned", 10),
        (2_000, -1_801, "planned", 2_001),
        # Given back to wait four times, and lost by the broker once.
        (400, -121, "planned", 401),
        (401, -239, "dispatched", 401),
    ],
)
async def test_what_nobody_claims_is_published_again_after_doubling_waits(
    world: World, publication: int, dispatched_in: float, state: str, then: int
) -> None:
    since = world.in_seconds(dispatched_in)
    start_by = world.in_seconds(3_600)
    job = await world.job(
        due_in=dispatched_in, state="dispatched", dispatched_at=since, publication=publication, start_by=start_by
    )
    await sweep(world.engine, Counter())
    row = await world.the_job(job)
    assert (row.state, row.publication) == (state, then)


@pytest.mark.parametrize("state", ["planned", "dispatched"])
async def test_past_its_start_deadline_a_job_is_missed(world: World, state: str) -> None:
    job = await world.job(due_in=-301, state=state, dispatched_at=world.in_seconds(-10))
    await sweep(world.engine, Counter())
    [result] = await world.results()
    assert (result.id, result.outcome_code, result.outcome_class, result.attempts) == (job, "missed", "not_run", 0)
    assert await world.jobs() == []


async def test_a_retry_is_not_missed_since_it_started_in_time(world: World) -> None:
    job = await world.job(due_in=-301, attempt=1)
    await sweep(world.engine, Counter())
    assert (await world.the_job(job)).state == "planned"


async def test_a_claim_that_comes_first_is_not_swept_as_missed(world: World) -> None:
    job = await world.job(due_in=-301)
    async with world.engine.connect() as runner:
        claim = "UPDATE scheduled_jobs SET state = 'running', attempt = 1, token = :t, lease_until = now() + '1 min'"
        await runner.exec_driver_sql(claim.replace(":t", f"'{uuid4()}'"))
        sweeping = asyncio.create_task(sweep(world.engine, Counter()))
        await until_someone_waits(world.engine)
        await runner.commit()
    await sweeping
    assert (await world.the_job(job)).state == "running"
    assert await world.results() == []
