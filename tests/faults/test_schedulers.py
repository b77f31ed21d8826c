"""Schedulers that are killed, paused, too many or all down: each due moment is still recorded once, by the policy."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

import services.scheduler.__main__ as scheduler
from services.scheduler.replicas import TIME_TO_LIVE_SECONDS, Replicas
from services.scheduler.settings import SchedulerSettings
from shared.domain.schedule import LATE_AFTER, SHARDS, Origin, Timing, scheduled_job_id
from shared.queue.rabbitmq import RabbitQueue
from tests.end_to_end.processes import Stack, until
from tests.faults.load import Load
from tests.faults.sink import Sink

SEED = 414
OUTAGE_SECONDS = 90
# What is due before this is late for certain when a scheduler is back, although adding the schedules takes a while.
BEFORE_SECONDS = LATE_AFTER.total_seconds() + 4
POLICIES = [(catch_up, overlap) for catch_up in ("none", "latest", "all") for overlap in ("allow", "skip")]

_SOME_DONE = "SELECT count(*) FROM job_results HAVING count(*) >= $1"
_DONE = "SELECT count(*) FROM job_results"
_NOW = "SELECT clock_timestamp() AS now"
_PASSED = "SELECT 1 WHERE clock_timestamp() > $1::timestamptz"
_RENEWED = "SELECT id FROM replicas WHERE kind = 'scheduler' AND renewed_at > $1::timestamptz"
_ENDED_SINCE = "SELECT schedule_id FROM job_results WHERE due_at > $1::timestamptz"
_EACH_POLICY_PLANNED = """
    SELECT 1 FROM scheduled_jobs j JOIN schedules s ON s.id = j.schedule_id
    WHERE j.state = 'planned' AND j.due_at > clock_timestamp() HAVING count(DISTINCT s.catch_up) = 3
"""
_PLAN_FIRST = """
    INSERT INTO scheduled_jobs (id, schedule_id, origin, due_at, kind, shard, lane, priority, overlap, job_id,
                                run_after, start_by)
    SELECT $2, id, 'schedule', next_due, kind, shard, lane, priority, overlap, job_id,
           next_due, next_due + start_deadline_seconds * interval '1 second'
    FROM schedules WHERE id = $1
"""
_MOVE_ON = "UPDATE schedules SET next_due = $2 WHERE id = $1"
_OUTCOMES = "SELECT schedule_id, due_at, outcome_code FROM job_results WHERE origin = 'schedule'"


@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=[pytest.mark.long, pytest.mark.timeout(400)])])
async def test_one_of_three_is_killed_every_few_seconds(stack: Stack, load: Load, kills: int) -> None:
    rng = Random(SEED)
    with Sink() as sink:
        schedulers = [stack.scheduler(f"scheduler-{number}") for number in range(3)]
        await load.add_callbacks(jobs=12, interval_seconds=1, url=sink.url())
        await asyncio.gather(stack.runner().start(), *(each.start() for each in schedulers))
        order = [number % 3 for number in range(kills)]
        pauses = [rng.randint(12, 40) for _ in order]
        print(f"seed {SEED}: kills {order} after {pauses} more results")
        for number, pause in zip(order, pauses, strict=True):
            await more_are_done(stack, pause)
            await schedulers[number].kill()
            await schedulers[number].start()
        await more_are_done(stack, 12)
        found = await load.findings(sink)
        found.assert_none()
        assert found.amplification == 1.0


@pytest.mark.long
async def test_what_a_paused_owner_still_sends_is_refused(stack: Stack, load: Load) -> None:
    with Sink() as sink:
        paused, other = stack.scheduler("paused"), stack.scheduler("other")
        schedules = await load.add_callbacks(jobs=16, interval_seconds=1, url=sink.url())
        await asyncio.gather(stack.runner().start(), paused.start(), other.start())
        await more_are_done(stack, 32)
        paused.freeze()
        frozen_at = await now(stack)
        others_only = frozen_at + timedelta(seconds=3 * TIME_TO_LIVE_SECONDS)

        async def all_taken_over() -> bool:
            ended = {row["schedule_id"] for row in await stack.fetch(_ENDED_SINCE, others_only)}
            return ended >= set(schedules)

        await until(all_taken_over, what="the other scheduler to have all schedules")
        thawed_at = await now(stack)
        paused.thaw()

        async def both_are_alive() -> bool:
            return len(await stack.fetch(_RENEWED, thawed_at)) == 2

        await until(both_are_alive, what="the paused scheduler to be back")
        await more_are_done(stack, 32)
        found = await load.findings(sink)
        found.assert_none()
        assert found.amplification == 1.0


class OwnsAll(Replicas):
    """Believes that it is the only scheduler, whoever else is there."""

    @property
    def shards(self) -> frozenset[int]:
        return frozenset(range(SHARDS))

    @shards.setter
    def shards(self, owned: frozenset[int]) -> None:
        """What rendezvous hashing says is not listened to."""


@pytest.mark.parametrize("results", [120, pytest.param(900, marks=pytest.mark.long)])
async def test_two_owners_of_everything_do_no_harm(
    stack: Stack, load: Load, monkeypatch: pytest.MonkeyPatch, results: int
) -> None:
    monkeypatch.setattr(scheduler, "Replicas", OwnsAll)
    settings = SchedulerSettings(database_url=stack.database_url, redis_url=stack.redis_url, amqp_url=stack.amqp_url)
    stop = asyncio.Event()
    with Sink() as sink:
        await stack.runner().start()
        await load.add_callbacks(jobs=20, interval_seconds=1, url=sink.url())
        await load.add_callbacks(jobs=10, interval_seconds=1, url=sink.url("/after/1500"), overlap="skip")
        async with AsyncExitStack() as queues:
            owners = []
            for _ in range(2):
                queue = RabbitQueue(stack.amqp_url)
                queues.push_async_callback(queue.close)
                owners.append(asyncio.create_task(scheduler.run(settings, queue, stop)))
            await stack.until(_SOME_DONE, results)
            found = await load.findings(sink)
            stop.set()
            await asyncio.gather(*owners)
        found.assert_none()
        assert found.amplification == 1.0
        assert found.outcomes["skipped_overlap"]


async def test_what_was_due_while_none_was_there_follows_the_policy(stack: Stack, load: Load) -> None:
    """The outage lies before the first start: the schedules say that they are due since then."""
    with Sink() as sink:
        await stack.runner().start()
        began = await now(stack)
        policies = await add_one_of_each_policy(
            load, sink, interval_seconds=40, first_due_in=-OUTAGE_SECONDS, quiet=(-BEFORE_SECONDS, 25)
        )
        await plan_the_first(stack, policies)
        await stack.scheduler().start()
        down_since = began - timedelta(seconds=OUTAGE_SECONDS + 1)
        await compare_with_policies(stack, load, sink, policies, down_since=down_since, back_at=began)


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_what_was_due_in_an_outage_follows_the_policy(stack: Stack, load: Load) -> None:
    """The same with an outage that is one, and begins when some moments are planned that are not due yet."""
    back_in = OUTAGE_SECONDS + 30
    with Sink() as sink:
        began = await now(stack)
        # All are due within one second in thirty, so that none is due in the moment of the kill.
        quiet = (back_in - BEFORE_SECONDS, back_in + 15)
        policies = await add_one_of_each_policy(load, sink, interval_seconds=30, first_due_in=1, quiet=quiet)
        schedulers = [stack.scheduler(f"scheduler-{number}") for number in range(2)]
        await asyncio.gather(stack.runner().start(), *(each.start() for each in schedulers))
        await stack.until(_PASSED, began + timedelta(seconds=30))
        await stack.until(_EACH_POLICY_PLANNED)
        await asyncio.gather(*(each.kill() for each in schedulers))
        killed_at, back_at = await now(stack), began + timedelta(seconds=back_in)
        await stack.until(_PASSED, back_at, seconds=OUTAGE_SECONDS + 30)
        await asyncio.gather(*(each.start() for each in schedulers))
        await compare_with_policies(stack, load, sink, policies, down_since=killed_at, back_at=back_at)


async def add_one_of_each_policy(load: Load, sink: Sink, **when: Any) -> dict[UUID, str]:
    """Three schedules each, none of which is due where it would matter how fast a scheduler starts."""
    added = {}
    for catch_up, overlap in POLICIES:
        rules: dict[str, Any] = {**when, "catch_up": catch_up, "overlap": overlap}
        for schedule in await load.add_callbacks(jobs=3, url=sink.url("/after/100"), **rules):
            added[schedule] = catch_up
    return added


async def plan_the_first(stack: Stack, schedules: Iterable[UUID]) -> None:
    """As a planner does just before all are killed."""
    async with stack.transaction() as connection:
        for schedule in schedules:
            row = await connection.fetchrow("SELECT * FROM schedules WHERE id = $1", schedule)
            due_at = row["next_due"].astimezone(UTC)
            await connection.execute(_PLAN_FIRST, schedule, scheduled_job_id(schedule, Origin.SCHEDULE, due_at))
            timing = Timing(schedule, interval_seconds=row["interval_seconds"])
            await connection.execute(_MOVE_ON, schedule, timing.due_after(due_at))


async def compare_with_policies(
    stack: Stack, load: Load, sink: Sink, policies: dict[UUID, str], *, down_since: datetime, back_at: datetime
) -> None:
    """Every late moment is recorded: the one or all that the policy wants as run, the others as missed."""
    found = await load.findings(sink)
    found.assert_none()
    outcomes = {(row["schedule_id"], row["due_at"]): row["outcome_code"] for row in await stack.fetch(_OUTCOMES)}
    for schedule, policy in policies.items():
        moments = sorted(due_at for owner, due_at in outcomes if owner == schedule)
        late = [moment for moment in moments if moment <= back_at - LATE_AFTER]
        down = [moment for moment in late if moment > down_since]
        assert len(down) >= 3
        wanted = {"none": [], "latest": down[-1:], "all": down}[policy]
        missed = [moment for moment in moments if outcomes[schedule, moment] == "missed"]
        assert missed == [moment for moment in down if moment not in wanted]
        run = [moment for moment in moments if outcomes[schedule, moment] == "success"]
        assert sorted(run + missed) == moments
    assert found.amplification == 1.0


async def more_are_done(stack: Stack, count: int) -> None:
    (done,) = await stack.fetch(_DONE)
    await stack.until(_SOME_DONE, done["count"] + count)


async def now(stack: Stack) -> datetime:
    (row,) = await stack.fetch(_NOW)
    moment: datetime = row["now"]
    return moment
