"""Due moments: their phase, their jitter, and which of the past ones still run."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.schedule import (
    MAX_CATCH_UP,
    MAX_MOMENTS_A_PLAN,
    SHARDS,
    CatchUp,
    Origin,
    Plan,
    Timing,
    plan,
    scheduled_job_id,
    shard_of,
)

SCHEDULE = UUID("6f1d0c5e-2b1a-4a58-9d0a-3f1f7a3f9b11")
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
AHEAD = timedelta(seconds=2)
MINUTELY = Timing(SCHEDULE, cron="* * * * *")
ids = st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number))


def minutes_before_noon(*numbers: int) -> tuple[datetime, ...]:
    return tuple(NOON - timedelta(minutes=number) for number in numbers)


def planned_at_noon(catch_up: CatchUp, deadline: timedelta, first: datetime) -> Plan:
    return plan(MINUTELY, catch_up, deadline, next_due=first, now=NOON + timedelta(seconds=30), until=NOON + AHEAD)


@given(ids, st.integers(10, 100_000), st.timedeltas(timedelta(days=-9_000), timedelta(days=9_000)))
def test_an_interval_never_leaves_its_phase(schedule: UUID, interval: int, away: timedelta) -> None:
    start = NOON + away
    timing = Timing(schedule, interval_seconds=interval)
    first = timing.due_after(start)
    assert timedelta() < first - start <= timedelta(seconds=interval)
    assert timing.due_after(first) - first == timedelta(seconds=interval)
    assert timing.due_after(first - timedelta(microseconds=1)) == first
    later = first + timedelta(seconds=interval) * 12_345
    assert timing.due_after(later) == later + timedelta(seconds=interval)


def test_schedules_of_one_interval_are_spread_over_it() -> None:
    dues = {Timing(uuid4(), interval_seconds=900).due_after(NOON) for _ in range(500)}
    assert len({(due - NOON) // timedelta(seconds=90) for due in dues}) == 10


def test_jitter_is_the_same_in_every_process_and_stays_within_its_bound() -> None:
    timing = Timing(SCHEDULE, interval_seconds=60, jitter_seconds=30)
    delays = [timing.run_after(NOON + timedelta(minutes=n)) - (NOON + timedelta(minutes=n)) for n in range(200)]
    assert all(timedelta() <= delay < timedelta(seconds=30) for delay in delays)
    assert len(set(delays)) > 150
    again = Timing(SCHEDULE, interval_seconds=60, jitter_seconds=30)
    assert again.run_after(NOON) == timing.run_after(NOON)
    assert Timing(SCHEDULE, interval_seconds=60).run_after(NOON) == NOON


def test_every_schedule_has_a_shard_and_all_shards_are_used() -> None:
    shards = [shard_of(UUID(int=number)) for number in range(5_000)]
    assert set(shards) == set(range(SHARDS))
    assert shards == [shard_of(UUID(int=number)) for number in range(5_000)]


def test_a_due_moment_has_one_id_however_its_zone_is_written() -> None:
    elsewhere = NOON.astimezone(Timing(SCHEDULE, cron="0 0 * * *").due_after(NOON).tzinfo)
    assert scheduled_job_id(SCHEDULE, Origin.SCHEDULE, NOON) == scheduled_job_id(SCHEDULE, Origin.SCHEDULE, elsewhere)
    assert scheduled_job_id(SCHEDULE, Origin.MANUAL, NOON) != scheduled_job_id(SCHEDULE, Origin.SCHEDULE, NOON)


def test_what_is_on_time_or_a_little_late_always_runs() -> None:
    for catch_up in CatchUp:
        made = plan(
            MINUTELY,
            catch_up,
            timedelta(minutes=1),
            next_due=NOON,
            now=NOON + timedelta(seconds=9),
            until=NOON + timedelta(seconds=11),
        )
        assert made == Plan((NOON,), (), NOON + timedelta(minutes=1))


DEADLINE = timedelta(minutes=3)


@pytest.mark.parametrize(
    ("catch_up", "deadline", "run", "missed"),
    [
        (CatchUp.NONE, DEADLINE, (), (4, 3, 2, 1, 0)),
        (CatchUp.LATEST, DEADLINE, (0,), (4, 3, 2, 1)),
        (CatchUp.ALL, DEADLINE, (2, 1, 0), (4, 3)),
        (CatchUp.ALL, timedelta(hours=1), (4, 3, 2, 1, 0), ()),
        (CatchUp.LATEST, timedelta(seconds=20), (), (4, 3, 2, 1, 0)),
        (CatchUp.ALL, timedelta(), (), (4, 3, 2, 1, 0)),
    ],
)
def test_after_downtime_the_policy_and_the_start_deadline_decide(
    catch_up: CatchUp, deadline: timedelta, run: tuple[int, ...], missed: tuple[int, ...]
) -> None:
    made = planned_at_noon(catch_up, deadline, NOON - timedelta(minutes=4))
    due_next = NOON + timedelta(minutes=1)
    assert made == Plan(minutes_before_noon(*run), minutes_before_noon(*missed), due_next, caught_up=len(run))


def test_the_latest_is_not_caught_up_when_a_newer_one_is_due_anyway() -> None:
    made = plan(
        MINUTELY,
        CatchUp.LATEST,
        DEADLINE,
        next_due=NOON - timedelta(minutes=2),
        now=NOON + timedelta(seconds=5),
        until=NOON + timedelta(seconds=7),
    )
    assert made == Plan((NOON,), minutes_before_noon(2, 1), NOON + timedelta(minutes=1))


def test_at_most_a_hundred_are_caught_up() -> None:
    made = planned_at_noon(CatchUp.ALL, timedelta(days=1), NOON - timedelta(minutes=499))
    assert len(made.run) == MAX_CATCH_UP
    assert made.run[-1] == NOON
    assert len(made.missed) == 400


def test_a_long_downtime_is_planned_piece_by_piece() -> None:
    first = NOON - timedelta(minutes=2_500)
    made = planned_at_noon(CatchUp.ALL, timedelta(days=30), first)
    assert made.run == ()
    assert len(made.missed) < MAX_MOMENTS_A_PLAN
    assert made.missed[0] == first
    assert made.next_due == made.missed[-1] + timedelta(minutes=1)


@settings(max_examples=60, deadline=None)
@given(
    schedule=ids,
    interval=st.integers(10, 7_200),
    moments=st.one_of(st.integers(0, 30), st.integers(900, 1_100), st.integers(1_900, 3_200)),
    into=st.floats(0, 1),
    catch_up=st.sampled_from(CatchUp),
    deadline=st.integers(0, 100_000),
)
def test_every_moment_is_run_or_missed_or_still_to_come(
    schedule: UUID, interval: int, moments: int, into: float, catch_up: CatchUp, deadline: int
) -> None:
    timing = Timing(schedule, interval_seconds=interval)
    first = timing.due_after(NOON)
    now = first + timedelta(seconds=interval * (moments + into))
    until = now + AHEAD
    oracle = [first + timedelta(seconds=interval) * n for n in range(moments + 2)]
    run: list[datetime] = []
    missed: list[datetime] = []
    next_due = first
    while next_due <= until:
        made = plan(timing, catch_up, timedelta(seconds=deadline), next_due=next_due, now=now, until=until)
        assert made.next_due > next_due
        next_due = made.next_due
        run.extend(made.run)
        missed.extend(made.missed)
    assert sorted(run + missed) == [moment for moment in oracle if moment <= until]
    assert next_due == timing.due_after(until)
    assert all(moment <= now - timedelta(seconds=10) for moment in missed)
    assert len(run) <= MAX_CATCH_UP + 2


def test_a_fixed_delay_has_one_moment_and_then_counts_from_the_end_of_its_run() -> None:
    timing = Timing(MINUTELY.schedule_id, interval_seconds=60, fixed_delay=True)
    now = NOON + timedelta(seconds=5)
    made = plan(timing, CatchUp.ALL, DEADLINE, next_due=NOON, now=now, until=now + timedelta(seconds=2))
    assert made == Plan((NOON,), (), now + timedelta(minutes=1))
    assert timing.due_after(now) == now + timedelta(minutes=1)


def test_a_fixed_delay_that_is_not_due_stays_where_it_is() -> None:
    timing = Timing(MINUTELY.schedule_id, interval_seconds=60, fixed_delay=True)
    later = NOON + timedelta(seconds=30)
    made = plan(timing, CatchUp.ALL, DEADLINE, next_due=later, now=NOON, until=NOON + timedelta(seconds=2))
    assert made == Plan((), (), later)
