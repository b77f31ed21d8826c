"""A try is lost like any other job, and then ends; what it leaves does not stay."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest_asyncio

from services.runner.claim import claim_all
from services.runner.finish import Finish, finish_all
from services.runner.performed import Performed, Verdict
from services.scheduler.housekeeping import remove_out_of_date
from services.scheduler.sweeper import sweep
from shared.clock import DatabaseClock
from shared.database import connect
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord, Ending, end_attempts
from shared.queue import Message
from tests.scheduler.world import LANE, World

_TRY = """
    INSERT INTO tries (id, partner, browser, "check", own_flow, timeout_seconds, created_by)
    VALUES (:id, 'acme', 'chromium', 'login', false, 60, 'ops')
"""
_JOB = """
    INSERT INTO scheduled_jobs (id, schedule_id, origin, due_at, kind, shard, lane, priority, overlap, partner, browser,
                                run_after, start_by)
    VALUES (:id, :id, 'try', now(), 'check', 0, 'browser.chromium', 0, 'allow', 'acme', 'chromium',
            now() - interval '1 second', now() + make_interval(secs => :start_within))
"""


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    engine = connect(database_url, application_name="parakeet tests", pool_size=5)
    world = World(engine, DatabaseClock(engine))
    await world.settle_in()
    yield world
    await engine.dispose()


async def start(world: World, start_within: float = 60) -> UUID:
    id_ = uuid4()
    await world.execute(_TRY, id=id_)
    await world.execute(_JOB, id=id_, start_within=start_within)
    return id_


async def outcome(world: World, id_: UUID) -> str | None:
    row = await world.one("SELECT outcome_code FROM tries WHERE id = :id", id=id_)
    code: str | None = row.outcome_code
    return code


async def test_a_try_whose_runner_is_lost_ends_so(world: World) -> None:
    id_ = await start(world)
    [claimed] = await claim_all(world.engine, [Message(id_, 0, LANE)], uuid4())
    assert claimed is not None
    await sweep(world.engine, Counter())
    assert await outcome(world, id_) is None
    await world.execute("UPDATE scheduled_jobs SET lease_until = now() - interval '1 second'")
    await sweep(world.engine, Counter())
    assert await outcome(world, id_) == "runner_lost"
    assert [await world.jobs(), await world.results(), await world.attempts()] == [[], [], []]


async def test_a_try_that_nobody_takes_in_time_is_missed(world: World) -> None:
    id_ = await start(world, start_within=-0.5)
    await sweep(world.engine, Counter())
    assert await outcome(world, id_) == "missed"
    assert [await world.jobs(), await world.results()] == [[], []]


async def test_a_try_of_a_partner_that_is_deleted_is_cancelled(world: World) -> None:
    id_ = await start(world)
    await world.execute("DELETE FROM job_configurations")
    await world.execute("DELETE FROM partners")
    assert await claim_all(world.engine, [Message(id_, 0, LANE)], uuid4()) == [None]
    assert await outcome(world, id_) == "cancelled"


async def test_a_try_is_finished_once_and_folds_no_state(world: World) -> None:
    id_ = await start(world)
    [claimed] = await claim_all(world.engine, [Message(id_, 0, LANE)], uuid4())
    assert claimed is not None
    failed = Outcome("page_timeout", "Words.")
    performed = Performed(AttemptRecord(failed, datetime.now(UTC), 1.0), (Verdict("login", failed, 1.0),))
    assert await finish_all(world.engine, [Finish(claimed, performed)]) == [True]
    assert await finish_all(world.engine, [Finish(claimed, performed)]) == [False]
    assert await outcome(world, id_) == "page_timeout"
    assert await world.execute("SELECT 1 FROM check_states") == []
    assert [await world.jobs(), await world.results(), await world.attempts()] == [[], [], []]


async def test_a_try_that_was_handed_back_is_taken_again(world: World) -> None:
    id_ = await start(world)
    [first] = await claim_all(world.engine, [Message(id_, 0, LANE)], uuid4())
    assert first is not None
    record = AttemptRecord(Outcome("runner_lost", "Stopped."), None, None)
    async with world.engine.begin() as connection:
        back = Ending(id_, first.token, record, datetime.now(UTC), counts=False)
        assert await end_attempts(connection, [back]) == {first.token}
    [second] = await claim_all(world.engine, [Message(id_, 1, LANE)], uuid4())
    assert second is not None
    assert await world.attempts() == []


async def test_tries_are_kept_for_their_time_with_their_evidence(world: World) -> None:
    old, live, fresh = [await start(world) for _ in range(3)]
    evidence = "INSERT INTO try_evidence VALUES (:id, 1, 'screenshot.png', 'image/png', 'x')"
    for id_ in (old, live, fresh):
        await world.execute(evidence, id=id_)
    await world.execute("UPDATE tries SET created_at = now() - interval '61 seconds' WHERE id <> :id", id=fresh)
    await world.execute("DELETE FROM scheduled_jobs WHERE id <> :id", id=live)
    await remove_out_of_date(world.engine, 60)
    assert {row.id for row in await world.execute("SELECT id FROM tries")} == {live, fresh}
    assert {row.try_id for row in await world.execute("SELECT try_id FROM try_evidence")} == {live, fresh}
