"""Runners that are killed, paused past their leases or told to stop, with callbacks in hand that hang."""

import asyncio
from random import Random

import pytest

from services.runner.claim import LEASE_SECONDS
from tests.end_to_end.processes import Stack, until
from tests.faults.load import Load, change_jobs
from tests.faults.sink import Sink

SEED = 77
HANGING = 6

_SOME_DONE = "SELECT count(*) FROM job_results HAVING count(*) >= $1"
_DONE = "SELECT count(*) FROM job_results"
_HELD = "SELECT id, runner, token FROM scheduled_jobs WHERE state = 'running' AND kind = 'callback'"
_REPLICA = "SELECT id FROM replicas WHERE kind = 'runner'"
_RUNNING_TWICE = """
    SELECT count(*) FROM scheduled_jobs WHERE state = 'running' AND attempt = 2 HAVING count(*) = $1
"""
# As if the leases of the dead had passed.
_LEASES_END = change_jobs(
    "lease_until = now() - interval '1 ms'",
    "state = 'running' AND runner IN"
    " (SELECT id FROM replicas WHERE kind = 'runner' AND renewed_at < now() - interval '4 seconds')",
)
_ATTEMPTS = "SELECT number, token, outcome_code FROM attempts WHERE scheduled_job_id = $1 ORDER BY number"
_RESULT = "SELECT attempts, token, outcome_code FROM job_results WHERE id = $1"


async def test_the_late_record_of_a_runner_that_was_paused_past_its_lease_is_fenced(stack: Stack, load: Load) -> None:
    """It thaws while another is at its second attempt, and both then have an answer to record."""
    with Sink() as sink:
        paused = stack.runner("paused")
        await asyncio.gather(stack.scheduler().start(), paused.start())
        await load.add_callbacks(jobs=HANGING, interval_seconds=3600, url=sink.url("/hang"))
        await sink.await_at_once(HANGING)
        first = {row["id"]: row["token"] for row in await stack.fetch(_HELD)}
        paused.freeze()
        other = stack.runner("other")
        await other.start()
        # Not before the lease has passed, which is the point of it.
        await stack.until(_RUNNING_TWICE, HANGING, seconds=LEASE_SECONDS * 4)
        await sink.await_requests(2 * HANGING)
        sink.release()
        paused.thaw()
        await load.drained()
        # Its own end waits for all that it has in hand.
        await paused.stop()
        found = await load.findings(sink)
        found.assert_none()
        assert found.outcomes == {"success": HANGING}
        assert found.amplification == 2.0
        for job, token in first.items():
            attempts = await stack.fetch(_ATTEMPTS, job)
            assert [(row["number"], row["outcome_code"]) for row in attempts] == [(1, "runner_lost"), (2, "success")]
            assert attempts[0]["token"] == token
            (result,) = await stack.fetch(_RESULT, job)
            assert tuple(result) == (2, attempts[1]["token"], "success")


@pytest.mark.parametrize(
    ("kills", "waits"),
    [(2, False), pytest.param(12, True, marks=[pytest.mark.long, pytest.mark.timeout(600)])],
    ids=["leases cut short", "leases waited out"],
)
async def test_killed_runners_lose_neither_what_hangs_nor_what_is_quick(
    stack: Stack, load: Load, kills: int, waits: bool
) -> None:
    rng = Random(SEED)
    order = [rng.randrange(2) for _ in range(kills)]
    print(f"seed {SEED}: kills of {order}")
    with Sink() as sink:
        runners = [stack.runner(f"runner-{number}") for number in range(2)]
        await asyncio.gather(stack.scheduler().start(), *(each.start() for each in runners))
        await load.add_callbacks(jobs=10, interval_seconds=1, url=sink.url("/after/20"))
        await load.add_callbacks(jobs=6, interval_seconds=1, url=sink.url("/after/700"))
        for number in order:
            await more_are_done(stack, 30)
            await some_hang(sink)
            await runners[number].kill()
            await runners[number].start()
        await more_are_done(stack, 30)
        if not waits:
            await stack.until(_LEASES_END)
        await stack.until("SELECT 1 FROM job_results WHERE attempts > 1")
        found = await load.findings(sink)
        found.assert_none()
        for requests in sink.requests_by_message_id().values():
            numbers = [request.attempt or 0 for request in requests]
            assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("milliseconds", "handed_back"),
    [(1500, False), pytest.param(24_000, True, marks=[pytest.mark.long, pytest.mark.timeout(200)])],
    ids=["within the grace", "beyond the grace"],
)
async def test_a_runner_that_is_told_to_stop_leaves_nothing_behind(
    stack: Stack, load: Load, milliseconds: int, handed_back: bool
) -> None:
    with Sink() as sink:
        stopping = stack.runner("stopping")
        await asyncio.gather(stack.scheduler().start(), stopping.start())
        await load.add_callbacks(jobs=HANGING, interval_seconds=3600, url=sink.url(f"/after/{milliseconds}"))
        await sink.await_at_once(HANGING)
        (replica,) = await stack.fetch(_REPLICA)
        other = stack.runner("other")
        await other.start()
        await load.add_callbacks(jobs=6, interval_seconds=1, url=sink.url("/after/20"))
        await stopping.stop()
        assert not [row for row in await stack.fetch(_HELD) if row["runner"] == replica["id"]]
        await more_are_done(stack, 20)
        if handed_back:
            await stack.until("SELECT count(*) FROM job_results WHERE attempts = 2 HAVING count(*) = $1", HANGING)
        found = await load.findings(sink)
        found.assert_none()
        repeated = [requests for requests in sink.requests_by_message_id().values() if len(requests) > 1]
        assert len(repeated) == (HANGING if handed_back else 0)
        assert set(found.outcomes) == {"success"}


async def some_hang(sink: Sink) -> None:
    async def look() -> bool:
        return sink.at_once >= 4

    await until(look, what="some callbacks to hang")


async def more_are_done(stack: Stack, count: int) -> None:
    (done,) = await stack.fetch(_DONE)
    await stack.until(_SOME_DONE, done["count"] + count)
