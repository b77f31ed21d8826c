"""What must be there ahead, and pauses that end by themselves."""

import asyncio
from uuid import uuid4

from sqlalchemy import text

from services.scheduler.housekeeping import end_pauses, make_partitions_ahead
from tests.locks import until_someone_waits
from tests.scheduler.world import World

_NAMES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'job_results'::regclass"
_PAUSE = "UPDATE job_configurations SET paused_reason = 'x', paused_at = now(), paused_until = :until"


async def test_this_week_and_four_more_have_a_partition_however_often_they_are_made(world: World) -> None:
    for _ in range(2):
        await make_partitions_ahead(world.engine)
        assert len(await world.execute(_NAMES)) == 1 + 5


async def test_who_reads_all_that_is_divided_meets_no_deadlock(world: World) -> None:
    """As the removal of evidence does, when both begin with the scheduler."""
    async with world.engine.connect() as reader:
        await reader.execute(text("SELECT 1 FROM attempts"))
        making = asyncio.create_task(make_partitions_ahead(world.engine))
        await until_someone_waits(world.engine)
        await reader.execute(text("SELECT 1 FROM job_results"))
        await reader.commit()
    await making


async def test_a_pause_that_is_over_ends_and_counts_from_its_end(world: World) -> None:
    schedule = await world.schedule(None, configuration=world.configuration)
    await world.execute(_PAUSE, until=world.in_seconds(-1))
    await end_pauses(world.engine)
    row = await world.one("SELECT next_due FROM schedules WHERE id = :id", id=schedule)
    assert world.in_seconds(-2) < row.next_due <= world.in_seconds(60)


async def test_what_came_due_since_the_end_of_a_pause_is_not_forgotten_nor_the_end_itself(world: World) -> None:
    over_at = world.in_seconds(-600).replace(second=0, microsecond=0)
    schedule = await world.schedule(None, configuration=world.configuration, interval=None, cron="* * * * *")
    await world.execute(_PAUSE, until=over_at)
    await end_pauses(world.engine)
    row = await world.one("SELECT next_due FROM schedules WHERE id = :id", id=schedule)
    assert row.next_due == over_at


async def test_a_pause_that_is_not_over_stays(world: World) -> None:
    await world.schedule(None, configuration=world.configuration)
    await world.execute(_PAUSE, until=world.in_seconds(60))
    await end_pauses(world.engine)
    assert (await world.one("SELECT next_due = 'infinity' FROM schedules"))[0]


async def test_the_pause_of_a_job_ends_too_but_what_is_disabled_stays_still(world: World) -> None:
    insert = (
        "INSERT INTO jobs (id, name, schedule, callback_url, http_method, success, max_redirects, timeout_seconds,"
        " enabled, paused_reason, paused_at, paused_until, retry, overlap, catch_up, start_deadline_seconds,"
        " jitter_seconds, failing_after, working_after, priority)"
        " VALUES (:id, 'Job', '{}', 'https://example.com/', 'post', '{}', 0, 30, :enabled, 'x', now(), :until, '{}',"
        " 'skip', 'latest', 60, 0, 2, 1, 'normal')"
    )
    schedules = {}
    for enabled in (True, False):
        job, schedules[enabled] = uuid4(), await world.schedule(None)
        await world.execute(insert, id=job, enabled=enabled, until=world.in_seconds(-1))
        await world.execute("UPDATE schedules SET job_id = :job WHERE id = :id", job=job, id=schedules[enabled])
    await end_pauses(world.engine)
    due = "SELECT next_due < 'infinity' AS due FROM schedules WHERE id = :id"
    assert {enabled: (await world.one(due, id=id_)).due for enabled, id_ in schedules.items()} == {
        True: True,
        False: False,
    }
    assert await world.execute("SELECT 1 FROM jobs WHERE paused_at IS NOT NULL") == []
