"""One claim, one result: whoever holds the token records, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runner.claim import Claimed, claim_all
from services.runner.finish import Finish, finish_all
from services.runner.performed import Performed, Verdict
from services.runner.slots import Slots
from shared.clock import DatabaseClock
from shared.database import connect
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord
from shared.queue import Message
from tests.scheduler.world import LANE, World


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    engine = connect(database_url, application_name="parakeet tests", pool_size=10)
    world = World(engine, DatabaseClock(engine))
    await world.settle_in()
    yield world
    await engine.dispose()


def report(code: str) -> Performed:
    outcome = Outcome(code, "Words.")
    return Performed(AttemptRecord(outcome, datetime.now(UTC), 1.0), (Verdict("login", outcome, 1.0),))


async def claim(engine: AsyncEngine, message: Message, runner: UUID) -> Claimed | None:
    [claimed] = await claim_all(engine, [message], runner)
    return claimed


async def finish(engine: AsyncEngine, mine: Claimed, performed: Performed) -> bool:
    [recorded] = await finish_all(engine, [Finish(mine, performed)])
    return recorded


async def claimed_job(world: World, due_in: float = -1, attempt: int = 0) -> Claimed:
    job = await world.job(due_in=due_in, attempt=attempt)
    found = await claim(world.engine, Message(job, attempt, LANE), uuid4())
    assert found is not None
    return found


@pytest.mark.parametrize("state", ["planned", "dispatched"])
async def test_twenty_claims_at_once_give_the_job_to_one(world: World, state: str) -> None:
    job = await world.job(due_in=-1, state=state)
    claims = await asyncio.gather(*(claim(world.engine, Message(job, 0, LANE), uuid4()) for _ in range(20)))
    [won] = [each for each in claims if each is not None]
    row = await world.the_job(job)
    assert (row.state, row.attempt, row.token) == ("running", 1, won.token)


@pytest.mark.parametrize("attempt", [0, 2])
async def test_a_message_of_another_attempt_claims_nothing(world: World, attempt: int) -> None:
    job = await world.job(due_in=-1, attempt=1)
    assert await claim(world.engine, Message(job, attempt, LANE), uuid4()) is None
    assert (await world.the_job(job)).state == "planned"


async def test_nothing_is_claimed_before_its_time(world: World) -> None:
    job = await world.job(due_in=30)
    assert await claim(world.engine, Message(job, 0, LANE), uuid4()) is None


async def test_a_job_whose_definition_is_gone_ends_as_cancelled(world: World) -> None:
    job = await world.job(due_in=-1, attempt=1)
    await world.execute("DELETE FROM job_configurations")
    assert await claim(world.engine, Message(job, 1, LANE), uuid4()) is None
    assert [(row.id, row.outcome_code) for row in await world.results()] == [(job, "cancelled")]
    assert await world.jobs() == []


async def test_an_expired_lease_is_left_to_the_sweeper(world: World) -> None:
    job, _ = await world.running()
    assert await claim(world.engine, Message(job, 1, LANE), uuid4()) is None


async def test_a_finish_ends_the_job_and_folds_the_state(world: World) -> None:
    mine = await claimed_job(world)
    assert await finish(world.engine, mine, report("success"))
    [result] = await world.results()
    assert (result.id, result.token, result.outcome_code, result.attempts) == (mine.id, mine.token, "success", 1)
    state = await world.one("SELECT * FROM check_states")
    assert (state.partner, state.check, state.state, state.result_id) == ("acme", "login", "working", mine.id)
    assert await world.jobs() == []


async def test_a_stale_token_records_nothing(world: World) -> None:
    mine = await claimed_job(world)
    await world.execute("UPDATE scheduled_jobs SET token = :other WHERE id = :id", other=uuid4(), id=mine.id)
    assert not await finish(world.engine, mine, report("success"))
    assert (await world.results(), await world.attempts()) == ([], [])
    assert await world.execute("SELECT * FROM check_states") == []
    assert (await world.the_job(mine.id)).state == "running"


async def test_a_second_finish_of_the_same_claim_records_nothing(world: World) -> None:
    mine = await claimed_job(world)
    assert await finish(world.engine, mine, report("success"))
    assert not await finish(world.engine, mine, report("http_5xx"))
    assert [row.outcome_code for row in await world.results()] == ["success"]


async def test_an_infrastructure_failure_is_tried_again_and_tells_nothing_of_the_partner(world: World) -> None:
    mine = await claimed_job(world)
    assert await finish(world.engine, mine, report("grid_unreachable"))
    row = await world.the_job(mine.id)
    assert (row.state, row.attempt, row.infrastructure_failures, row.token) == ("planned", 1, 1, None)
    assert row.run_after > world.clock.now()
    assert [row.outcome_code for row in await world.attempts()] == ["grid_unreachable"]
    assert await world.execute("SELECT * FROM check_states") == []


async def test_no_retry_is_planned_after_the_next_due_moment(world: World) -> None:
    schedule = await world.schedule(world.in_seconds(10))
    job = await world.job(schedule, due_in=-1)
    mine = await claim(world.engine, Message(job, 0, LANE), uuid4())
    assert mine is not None
    assert await finish(world.engine, mine, report("grid_unreachable"))
    assert [row.outcome_code for row in await world.results()] == ["grid_unreachable"]
    assert await world.execute("SELECT * FROM check_states") == []


async def test_nothing_is_tried_again_once_its_schedule_is_paused(world: World) -> None:
    schedule = await world.schedule(None)
    job = await world.job(schedule, due_in=-1)
    mine = await claim(world.engine, Message(job, 0, LANE), uuid4())
    assert mine is not None
    assert await finish(world.engine, mine, report("grid_unreachable"))
    assert [row.outcome_code for row in await world.results()] == ["grid_unreachable"]


@pytest.mark.parametrize("message", ["", "what no database \0 holds"])
async def test_a_refused_password_is_not_sent_again_whatever_else_failed(world: World, message: str) -> None:
    mine = await claimed_job(world)
    outcome = Outcome("session_queue_timeout", message)
    verdicts = (Verdict("login", Outcome("credentials_rejected"), 1.0), Verdict("sso", outcome, 1.0))
    assert await finish(world.engine, mine, Performed(AttemptRecord(outcome, datetime.now(UTC), 1.0), verdicts))
    assert [row.outcome_class for row in await world.results()] == ["infrastructure_failure"]


async def test_a_finish_after_the_partner_was_deleted_still_records(world: World) -> None:
    mine = await claimed_job(world)
    await world.execute("DELETE FROM job_configurations")
    await world.execute("DELETE FROM partners")
    assert await finish(world.engine, mine, report("success"))
    assert [row.id for row in await world.results()] == [mine.id]


async def test_a_free_slot_goes_to_the_most_urgent_first_and_a_cancelled_wait_frees_it() -> None:
    slots, order = Slots(1), []

    async def work(name: str, priority: int) -> None:
        async with slots.taken(priority):
            order.append(name)

    async with slots.taken(1):
        names = (("low", 2), ("normal", 1), ("cancelled", 1), ("high", 0))
        tasks = [asyncio.create_task(work(name, priority)) for name, priority in names]
        await asyncio.sleep(0)
        tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["high", "normal", "low"]
    assert slots.busy == 0
