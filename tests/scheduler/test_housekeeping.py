"""What must be there ahead, and pauses that end by themselves."""

from services.scheduler.housekeeping import end_pauses, make_partitions_ahead
from tests.scheduler.world import World

_NAMES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'job_results'::regclass"
_PAUSE = "UPDATE job_configurations SET paused_reason = 'x', paused_at = now(), paused_until = :until"


async def test_this_week_and_four_more_have_a_partition_however_often_they_are_made(world: World) -> None:
    for _ in range(2):
        await make_partitions_ahead(world.engine)
        assert len(await world.execute(_NAMES)) == 1 + 5


async def test_a_pause_that_is_over_ends_and_counts_from_now(world: World) -> None:
    schedule = await world.schedule(None, configuration=world.configuration)
    await world.execute(_PAUSE, until=world.in_seconds(-1))
    before = world.clock.now()
    await end_pauses(world.engine)
    row = await world.one("SELECT next_due FROM schedules WHERE id = :id", id=schedule)
    assert before < row.next_due <= world.in_seconds(60)


async def test_a_pause_that_is_not_over_stays(world: World) -> None:
    await world.schedule(None, configuration=world.configuration)
    await world.execute(_PAUSE, until=world.in_seconds(60))
    await end_pauses(world.engine)
    assert (await world.one("SELECT next_due = 'infinity' FROM schedules"))[0]
