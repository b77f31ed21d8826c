"""What becomes of a callback's attempt: recorded, tried again, or laid aside as a dead letter."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from services.runner.claim import Claimed, claim_all
from services.runner.definition import CallbackDefinition, Hints
from services.runner.finish import Finish, finish_all
from services.runner.performed import Performed, Verdict
from shared.clock import DatabaseClock
from shared.database import connect
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord, end_not_run, postpone
from shared.queue import Message
from tests.scheduler.world import World

RETRY = {"attempts": 3, "min_backoff_seconds": 10, "max_backoff_seconds": 60, "max_age_seconds": 600}
_JOB = (
    "INSERT INTO jobs (id, name, schedule, callback_url, http_method, success, max_redirects, timeout_seconds, retry,"
    " overlap, catch_up, start_deadline_seconds, jitter_seconds, failing_after, working_after, priority)"
    " VALUES (:id, 'Job', '{}', 'https://example.com/hook', 'post', '{\"status_codes\": [\"200-299\"]}', 0, 30,"
    " CAST(:retry AS jsonb), 'skip', 'latest', 60, 0, 2, 1, 'normal')"
)


class Callbacks:
    """A world with one job and its schedule, which is due again in an hour."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.job = uuid4()

    async def settle_in(self, **retry: Any) -> None:
        await self.world.execute(_JOB, id=self.job, retry=json.dumps({**RETRY, **retry}))
        self.schedule = await self.world.schedule(self.world.in_seconds(3600))
        await self.world.execute(
            "UPDATE schedules SET job_id = :job, kind = 'callback', lane = 'http' WHERE id = :id",
            job=self.job,
            id=self.schedule,
        )

    async def claimed(self, due_in: float = -1, **change: Any) -> Claimed:
        columns = {"kind": "callback", "lane": "http", "job_id": self.job, "job_configuration_id": None, **change}
        none = {"partner": None, "browser": None}
        job = await self.world.job(self.schedule, due_in, **{**none, **columns})
        [claimed] = await claim_all(self.world.engine, [Message(job, change.get("attempt", 0), "http")], uuid4())
        assert claimed is not None
        return claimed

    async def finish(self, claimed: Claimed, code: str, message: str = "Words.", **hints: Any) -> bool:
        [recorded] = await finish_all(self.world.engine, [ended(claimed, code, message, **hints)])
        return recorded

    async def state(self) -> Any:
        return await self.world.one("SELECT * FROM job_states")

    async def dead_letters(self) -> list[UUID]:
        return [row.id for row in await self.world.execute("SELECT id FROM dead_letters")]


def ended(claimed: Claimed, code: str, message: str = "Words.", **hints: Any) -> Finish:
    outcome = Outcome(code, message)
    record = AttemptRecord(outcome, datetime.now(UTC), 0.2, response={"status": 200, "body": "ok"})
    return Finish(claimed, Performed(record, (Verdict(None, outcome, 0.2),), Hints(**hints)))


@pytest_asyncio.fixture
async def callbacks(database_url: str) -> AsyncIterator[Callbacks]:
    engine = connect(database_url, application_name="parakeet tests", pool_size=10)
    world = World(engine, DatabaseClock(engine))
    await world.settle_in()
    made = Callbacks(world)
    await made.settle_in()
    yield made
    await engine.dispose()


async def test_a_claim_brings_the_definition_as_it_is_now(callbacks: Callbacks) -> None:
    await callbacks.world.execute("UPDATE jobs SET callback_url = 'https://example.com/new'")
    definition = (await callbacks.claimed()).definition
    assert isinstance(definition, CallbackDefinition)
    assert (definition.job_id, definition.url) == (callbacks.job, "https://example.com/new")


async def test_success_is_recorded_with_its_response_and_folds_the_state(callbacks: Callbacks) -> None:
    claimed = await callbacks.claimed()
    assert await callbacks.finish(claimed, "success")
    [result] = await callbacks.world.results()
    assert (result.id, result.job_id, result.outcome_code) == (claimed.id, callbacks.job, "success")
    [attempt] = await callbacks.world.attempts()
    assert attempt.response == {"status": 200, "body": "ok"}
    state = await callbacks.state()
    assert (state.job_id, state.state, state.result_id) == (callbacks.job, "working", claimed.id)
    assert await callbacks.dead_letters() == []


async def test_an_older_result_does_not_overwrite_a_newer_one(callbacks: Callbacks) -> None:
    older, newer = await callbacks.claimed(-60), await callbacks.claimed(-1)
    await callbacks.finish(newer, "success")
    await callbacks.finish(older, "callback_rejected", forbidden=True)
    state = await callbacks.state()
    assert (state.state, state.result_id) == ("working", newer.id)


async def test_results_of_one_job_in_one_batch_are_folded_in_the_order_they_were_due(callbacks: Callbacks) -> None:
    first, second = await callbacks.claimed(-60), await callbacks.claimed(-1)
    batch = [ended(second, "callback_rejected", forbidden=True), ended(first, "callback_rejected", forbidden=True)]
    assert await finish_all(callbacks.world.engine, batch) == [True, True]
    state = await callbacks.state()
    assert (state.state, state.failures_in_a_row, state.result_id) == ("failing", 2, second.id)


async def test_a_failure_is_tried_again_after_its_backoff(callbacks: Callbacks) -> None:
    claimed = await callbacks.claimed()
    before = callbacks.world.clock.now()
    await callbacks.finish(claimed, "http_5xx")
    row = await callbacks.world.the_job(claimed.id)
    assert (row.state, row.partner_failures, row.last_outcome) == ("planned", 1, "http_5xx")
    assert timedelta(seconds=9) < row.run_after - before < timedelta(seconds=15)
    assert await callbacks.dead_letters() == []


async def test_retry_after_is_honoured(callbacks: Callbacks) -> None:
    claimed = await callbacks.claimed()
    before = callbacks.world.clock.now()
    await callbacks.finish(claimed, "http_5xx", retry_after_seconds=120)
    assert (await callbacks.world.the_job(claimed.id)).run_after - before >= timedelta(seconds=119)


@pytest.mark.parametrize("why", ["attempts", "age", "forbidden"])
async def test_what_fails_for_good_is_a_dead_letter(callbacks: Callbacks, why: str) -> None:
    change: dict[str, Any] = {"attempts": {"attempt": 2, "partner_failures": 2}, "age": {}, "forbidden": {}}[why]
    claimed = await callbacks.claimed(-595 if why == "age" else -1, **change)
    if why == "age":
        await callbacks.world.execute("UPDATE scheduled_jobs SET created_at = due_at")
        claimed = await again(callbacks, claimed)
    await callbacks.finish(claimed, "http_5xx", forbidden=why == "forbidden")
    assert await callbacks.dead_letters() == [claimed.id]
    assert [row.outcome_code for row in await callbacks.world.results()] == ["http_5xx"]


async def again(callbacks: Callbacks, claimed: Claimed) -> Claimed:
    """The same claim, made anew after its row was changed."""
    await callbacks.world.execute("UPDATE scheduled_jobs SET state = 'planned', attempt = 0")
    [found] = await claim_all(callbacks.world.engine, [Message(claimed.id, 0, "http")], uuid4())
    assert found is not None
    return found


@pytest.mark.parametrize(("overlap", "tried_again"), [("skip", False), ("allow", True)])
async def test_a_retry_goes_past_the_next_due_moment_only_where_runs_may_overlap(
    callbacks: Callbacks, overlap: str, tried_again: bool
) -> None:
    await callbacks.world.execute(
        "UPDATE schedules SET next_due = :due, overlap = :overlap", due=callbacks.world.in_seconds(5), overlap=overlap
    )
    claimed = await callbacks.claimed()
    await callbacks.finish(claimed, "http_5xx")
    assert bool(await callbacks.world.jobs()) is tried_again
    assert await callbacks.dead_letters() == ([] if tried_again else [claimed.id])


async def test_our_own_failures_have_a_budget_of_their_own(callbacks: Callbacks) -> None:
    claimed = await callbacks.claimed(attempt=4, partner_failures=2, infrastructure_failures=2)
    await callbacks.finish(claimed, "network_unreachable")
    row = await callbacks.world.the_job(claimed.id)
    assert (row.state, row.infrastructure_failures, row.partner_failures) == ("planned", 3, 2)
    assert await callbacks.world.execute("SELECT 1 FROM job_states WHERE state <> 'unknown'") == []


async def test_a_replay_goes_under_the_original_id_and_leaves_one_dead_letter(callbacks: Callbacks) -> None:
    original = await callbacks.claimed(-60)
    await callbacks.finish(original, "callback_rejected", forbidden=True)
    replay = await callbacks.claimed(
        -1, origin="manual", replay_of=original.id, replay_due_at=original.due_at, partner_failures=2
    )
    assert (replay.message_id, replay.nominal_due_at) == (original.id, original.due_at)
    await callbacks.finish(replay, "http_5xx")
    assert await callbacks.dead_letters() == [original.id]
    results = {row.id: row.replay_of for row in await callbacks.world.results()}
    assert results == {original.id: None, replay.id: original.id}


async def replayed(callbacks: Callbacks) -> tuple[Claimed, Claimed]:
    """One that failed for good, and the claim of its replay, which is noted on its dead letter."""
    original = await callbacks.claimed(-60)
    await callbacks.finish(original, "callback_rejected", forbidden=True)
    replay = await callbacks.claimed(-1, origin="manual", replay_of=original.id, replay_due_at=original.due_at)
    await callbacks.world.execute(
        "UPDATE dead_letters SET replayed_at = now(), replayed_by = 'ops', replay_id = :id", id=replay.id
    )
    return original, replay


async def how_it_ended(callbacks: Callbacks) -> tuple[str | None, ...]:
    row = await callbacks.world.one(
        "SELECT replay_outcome_code, replay_outcome_class, replay_message FROM dead_letters"
    )
    return tuple(row)


@pytest.mark.parametrize(
    ("code", "outcome_class"), [("success", "passed"), ("slow", "degraded"), ("callback_rejected", "partner_failure")]
)
async def test_how_a_replay_ended_is_noted_on_its_dead_letter(
    callbacks: Callbacks, code: str, outcome_class: str
) -> None:
    _, replay = await replayed(callbacks)
    assert await callbacks.finish(replay, code, "Words.", forbidden=True)
    assert await how_it_ended(callbacks) == (code, outcome_class, "Words.")


async def test_a_replay_that_is_tried_again_has_not_ended(callbacks: Callbacks) -> None:
    _, replay = await replayed(callbacks)
    assert await callbacks.finish(replay, "http_5xx")
    assert [row.id for row in await callbacks.world.jobs()] == [replay.id]
    assert await how_it_ended(callbacks) == (None, None, None)


async def test_a_replay_that_is_not_the_last_one_notes_nothing(callbacks: Callbacks) -> None:
    _, replay = await replayed(callbacks)
    await callbacks.world.execute("UPDATE dead_letters SET replay_id = gen_random_uuid()")
    assert await callbacks.finish(replay, "success")
    assert await how_it_ended(callbacks) == (None, None, None)


async def test_a_replay_that_was_not_run_is_noted_too(callbacks: Callbacks) -> None:
    original, _ = await replayed(callbacks)
    waiting = await callbacks.world.job(
        callbacks.schedule, -1, origin="manual", job_id=callbacks.job, replay_of=original.id
    )
    await callbacks.world.execute("UPDATE dead_letters SET replay_id = :id", id=waiting)
    async with callbacks.world.engine.begin() as connection:
        assert await end_not_run(connection, [waiting], "cancelled", "Cancelled by ops.") == [waiting]
    assert await how_it_ended(callbacks) == ("cancelled", "not_run", "Cancelled by ops.")


async def test_what_the_database_refuses_does_not_hold_up_the_others(callbacks: Callbacks) -> None:
    fine, poisoned = await callbacks.claimed(-2), await callbacks.claimed(-1)
    batch = [ended(poisoned, "callback_rejected", "NUL \0 can't be stored", forbidden=True), ended(fine, "success")]
    assert await finish_all(callbacks.world.engine, batch) == [True, True]
    assert [row.id for row in await callbacks.world.results()] == [fine.id]
    # Its attempt is recorded as an error of ours, which is tried again.
    assert [(row.id, row.last_outcome) for row in await callbacks.world.jobs()] == [(poisoned.id, "internal_error")]


async def test_a_batch_that_landed_without_an_answer_is_known_by_its_tokens(callbacks: Callbacks) -> None:
    claimed = await callbacks.claimed()
    assert await finish_all(callbacks.world.engine, [ended(claimed, "success")]) == [True]
    assert await finish_all(callbacks.world.engine, [ended(claimed, "http_5xx")]) == [False]
    assert [row.outcome_code for row in await callbacks.world.attempts()] == ["success"]


async def test_a_claim_that_is_put_off_costs_no_attempt(callbacks: Callbacks) -> None:
    claimed = await callbacks.claimed()
    async with callbacks.world.engine.begin() as connection:
        await postpone(connection, claimed.id, claimed.token, 2)
    row = await callbacks.world.the_job(claimed.id)
    assert (row.state, row.attempt, row.publication, row.token) == ("planned", 0, 100, None)
    assert row.run_after > callbacks.world.clock.now()
    assert await callbacks.world.attempts() == []


async def test_a_job_deleted_meanwhile_is_recorded_all_the_same(callbacks: Callbacks) -> None:
    claimed = await callbacks.claimed()
    await callbacks.world.execute("DELETE FROM schedules WHERE job_id = :id", id=callbacks.job)
    await callbacks.world.execute("DELETE FROM jobs")
    assert await callbacks.finish(claimed, "success")
    assert [row.id for row in await callbacks.world.results()] == [claimed.id]
    assert await callbacks.world.execute("SELECT 1 FROM job_states") == []


async def test_an_error_of_the_database_tells_no_value(callbacks: Callbacks) -> None:
    with pytest.raises(DBAPIError) as told:
        await callbacks.world.execute("SELECT CAST(:value AS integer) / :number", value=7, number=0)
    assert "hidden" in str(told.value)
