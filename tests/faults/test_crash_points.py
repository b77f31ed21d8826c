"""A process dies at each point of the protocol, and another goes on: nothing is lost, doubled, invented or early."""

import asyncio
from random import Random

import pytest

from services.embedded.process import ServerNotReady
from shared.crash_points import CRASH_POINTS
from tests.end_to_end.processes import ServiceProcess, Stack
from tests.faults.load import Load, change_jobs
from tests.faults.sink import Sink

SEED = 20_260
RUNNERS = [point for point in CRASH_POINTS if point in ("after_claim", "after_effect", "after_record")]
SCHEDULERS = [point for point in CRASH_POINTS if point not in RUNNERS]

_SOME_DONE = "SELECT count(*) FROM job_results HAVING count(*) >= $1"
_DONE = "SELECT count(*) FROM job_results"
_REPEATED = "SELECT id FROM job_results WHERE attempts = 2"
# As if the dead had been waited for; nobody else is running anything.
_LEASES_END = change_jobs("lease_until = now() - interval '1 ms'", "state = 'running'")


async def test_schedulers_that_die_at_each_point_in_turn_lose_nothing(stack: Stack, load: Load) -> None:
    rng = Random(SEED)
    points = [(name, rng.randint(1, 6)) for name in rng.sample(SCHEDULERS, len(SCHEDULERS))]
    print(f"seed {SEED}: {points}")
    with Sink() as sink:
        await stack.runner().start()
        await load.add_callbacks(jobs=10, interval_seconds=1, url=sink.url())
        for name, times in points:
            await dies_by_itself(stack.scheduler(name, PARAKEET_CRASH_POINT=f"{name}:{times}"))
        await stack.scheduler().start()
        await more_are_done(stack, 20)
        found = await load.findings(sink)
        found.assert_none()
        assert found.amplification == 1.0, "what is published twice is claimed once"


async def test_runners_that_die_at_each_point_repeat_what_they_held(stack: Stack, load: Load) -> None:
    rng = Random(SEED)
    points = [(name, rng.randint(2, 6)) for name in RUNNERS]
    print(f"seed {SEED}: {points}")
    with Sink() as sink:
        await load.add_callbacks(jobs=10, interval_seconds=1, url=sink.url("/after/50"))
        dying = [stack.runner(name, PARAKEET_CRASH_POINT=f"{name}:{times}") for name, times in points]
        await asyncio.gather(stack.scheduler().start(), *(dies_by_itself(runner) for runner in dying))
        assert await stack.fetch(_LEASES_END)
        await stack.runner().start()
        await stack.until(_REPEATED)
        await more_are_done(stack, 20)
        found = await load.findings(sink)
        found.assert_none()
        await every_repetition_has_its_own_attempt(stack, sink)
        assert any(len(requests) == 2 for requests in sink.requests_by_message_id().values())


@pytest.mark.long
@pytest.mark.parametrize("times", [1, 5, 25])
@pytest.mark.parametrize("name", CRASH_POINTS)
async def test_a_process_that_dies_at_one_point_and_is_started_again(
    stack: Stack, load: Load, name: str, times: int
) -> None:
    with Sink() as sink:
        start, other = (stack.runner, stack.scheduler()) if name in RUNNERS else (stack.scheduler, stack.runner())
        await load.add_callbacks(jobs=10, interval_seconds=1, url=sink.url("/after/50"))
        await asyncio.gather(dies_by_itself(start(name, PARAKEET_CRASH_POINT=f"{name}:{times}")), other.start())
        await start().start()
        if name in ("after_claim", "after_effect"):
            await stack.until(_REPEATED)
        await more_are_done(stack, 30)
        found = await load.findings(sink)
        found.assert_none()
        twice = await every_repetition_has_its_own_attempt(stack, sink)
        if name == "after_effect":
            assert twice > 0
        elif name not in RUNNERS:
            # A runner that dies elsewhere may have had other requests under way, which are repeated as well.
            assert twice == 0


async def dies_by_itself(process: ServiceProcess) -> None:
    """By the signal of the crash point; perhaps before it was seen to be ready."""
    try:
        await process.start()
    except ServerNotReady as error:
        assert "status -9" in str(error), error  # noqa: PT017
        return
    await process.ended()
    await process.kill()


async def more_are_done(stack: Stack, count: int) -> None:
    (done,) = await stack.fetch(_DONE)
    await stack.until(_SOME_DONE, done["count"] + count)


async def every_repetition_has_its_own_attempt(stack: Stack, sink: Sink) -> int:
    """What the sink got twice came as attempts 1 and 2, and is one record of two attempts. Returns how many."""
    attempts = {str(row["id"]): row["attempts"] for row in await stack.fetch("SELECT id, attempts FROM job_results")}
    twice = {job: requests for job, requests in sink.requests_by_message_id().items() if len(requests) > 1}
    for job, requests in twice.items():
        assert [request.attempt for request in requests] == [1, 2]
        assert attempts[job] == 2
    return len(twice)
