"""The planning rule under any history: a model ledger is planned into, edited, paused and left alone for hours.

What is due by an oracle must end once each, as run or as missed, and which of both must be what the policy says.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.domain.schedule import LATE_AFTER, MAX_CATCH_UP, CatchUp, Timing, plan
from tests.domain.cron_oracle import DAY, Stretch, at, cut, due_moments, stretches

AHEAD = timedelta(seconds=2)
# Always the same examples: what this finds, it finds for everybody.
PROFILE = settings(derandomize=True, max_examples=120, stateful_step_count=25, deadline=None, database=None)
ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]
CRONS = ["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "15,45 0-3 * * *", "0 2 * * 0", "59 23 * * 6"]
# Near the changes of the clock in these zones, and far from them.
STARTS = [datetime(2026, month, day, 20, tzinfo=UTC) for month, day in [(3, 28), (4, 3), (7, 1), (10, 2), (10, 24)]]

schedule_ids = st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number))
intervals = st.fixed_dictionaries({"interval_seconds": st.sampled_from([10, 11, 60, 97, 900, 3_600, 86_400])})
crons = st.fixed_dictionaries({"cron": st.sampled_from(CRONS), "timezone": st.sampled_from(ZONES)})
jitters = st.sampled_from([0, 0, 1, 30])
deadlines = st.sampled_from([0, 5, 60, 600, 7_200, 100_000]).map(lambda seconds: timedelta(seconds=seconds))
steps = st.one_of(
    st.integers(0, 3_000_000).map(lambda count: timedelta(microseconds=count)),
    st.integers(1, 120).map(lambda count: timedelta(seconds=count)),
    st.integers(1, 90).map(lambda count: timedelta(minutes=count)),
)
outages = st.integers(60, 8 * 3_600).map(lambda count: timedelta(seconds=count))


@cache
def clock_of(zone: str) -> list[Stretch]:
    return stretches(zone, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC))


def due_between(timing: Timing, after: datetime, until: datetime) -> list[datetime]:
    """The oracle: after the one, up to and with the other; by the phase alone, or by every minute of a clock."""
    if until <= after:
        return []
    if timing.cron is not None:
        first, last = (int(moment.timestamp()) // 60 for moment in (after, until))
        # From a day before: in a repeated hour it matters what the clock has shown by then.
        clock = cut(clock_of(timing.timezone), first - DAY, last + 1)
        found = (at(instant) for instant in due_moments(timing.cron, clock))
        return [moment for moment in found if after < moment <= until]
    assert timing.interval_seconds is not None
    return list(_by_phase(timing, timedelta(seconds=timing.interval_seconds), after, until))


def _by_phase(timing: Timing, interval: timedelta, after: datetime, until: datetime) -> Iterator[datetime]:
    # Any one moment tells them all: it is never asked again, so a drift would show.
    anchor = timing.due_after(STARTS[0])
    moment = anchor + (after - anchor) // interval * interval
    while moment <= until:
        if moment > after:
            yield moment
        moment += interval


class Schedules(RuleBasedStateMachine):
    """One schedule, its planner, and the ledger as a dictionary: what became of each due moment."""

    @initialize(
        identity=schedule_ids,
        definition=st.one_of(intervals, crons),
        jitter=jitters,
        start=st.sampled_from(STARTS),
        catch_up=st.sampled_from(CatchUp),
        deadline=deadlines,
    )
    def begin(
        self,
        identity: UUID,
        definition: dict[str, int | str],
        jitter: int,
        start: datetime,
        catch_up: CatchUp,
        deadline: timedelta,
    ) -> None:
        self.now = start
        self.timing = _timing(identity, definition, jitter)
        self.catch_up, self.deadline = catch_up, deadline
        self.ledger: dict[datetime, str] = {}
        self.expected: list[datetime] = []  # of the definitions before this one
        self.since = start
        self.next_due: datetime | None = self.timing.due_after(start)

    @rule(step=steps)
    def time_passes(self, step: timedelta) -> None:
        self.now += step

    @rule(step=steps)
    def time_passes_and_the_planner_ticks(self, step: timedelta) -> None:
        self.now += step
        self.tick()

    @rule(outage=outages)
    def all_schedulers_are_down(self, outage: timedelta) -> None:
        self.now += outage
        self.tick()

    @rule()
    def tick(self) -> None:
        self._plan(self.now + AHEAD)

    @rule(definition=st.one_of(intervals, crons), jitter=jitters)
    def the_timing_is_edited(self, definition: dict[str, int | str], jitter: int) -> None:
        running = self.next_due is not None
        self._close()
        self.timing = _timing(self.timing.schedule_id, definition, jitter)
        if running:
            self._open()

    @rule(catch_up=st.sampled_from(CatchUp), deadline=deadlines)
    def the_policy_is_edited(self, catch_up: CatchUp, deadline: timedelta) -> None:
        # As the API does: what is overdue is still decided by the policy that held.
        self._plan(self.now)
        self.catch_up, self.deadline = catch_up, deadline

    @precondition(lambda self: self.next_due is not None)
    @rule()
    def it_is_paused(self) -> None:
        self._close()

    @precondition(lambda self: self.next_due is None)
    @rule()
    def it_is_resumed(self) -> None:
        self._open()

    @invariant()
    def every_due_moment_has_ended_once_or_is_to_come(self) -> None:
        due = list(self.expected)
        if self.next_due is not None:
            *before, last = due_between(self.timing, self.since, self.next_due)
            assert last == self.next_due, "the next due moment is none by the oracle: lateness became drift"
            due += before
        assert sorted(self.ledger) == due

    def _close(self) -> None:
        """The definition ends now: what was due is planned, what was planned ahead is withdrawn."""
        self._plan(self.now)
        if self.next_due is not None:
            self.expected += due_between(self.timing, self.since, self.now)
        self.ledger = {moment: end for moment, end in self.ledger.items() if moment <= self.now}
        self.next_due = None

    def _open(self) -> None:
        self.since = self.now
        self.next_due = self.timing.due_after(self.now)

    def _plan(self, until: datetime) -> None:
        """One tick; compared with what the policy says about all moments that it dealt with."""
        if self.next_due is None:
            return
        run: list[datetime] = []
        missed: list[datetime] = []
        first = self.next_due
        while self.next_due <= until:
            made = plan(self.timing, self.catch_up, self.deadline, next_due=self.next_due, now=self.now, until=until)
            assert made.next_due > self.next_due
            self.next_due = made.next_due
            run += made.run
            missed += made.missed
        assert run == self._to_run(due_between(self.timing, first - timedelta(microseconds=1), until))
        for moment in run:
            start = self.timing.run_after(moment)
            assert moment <= start <= moment + timedelta(seconds=self.timing.jitter_seconds)
            assert moment <= until, "planned too far ahead for an edit to take it back"
        for end, moments in (("run", run), ("missed", missed)):
            for moment in moments:
                assert moment not in self.ledger, f"ended before as {self.ledger.get(moment)}, and now as {end}"
                self.ledger[moment] = end

    def _to_run(self, due: list[datetime]) -> list[datetime]:
        late = [moment for moment in due if self.now - moment >= LATE_AFTER]
        on_time = due[len(late) :]
        startable = [moment for moment in late if self.now - moment <= self.deadline]
        newer = any(moment <= self.now for moment in on_time)
        count = {CatchUp.NONE: 0, CatchUp.LATEST: 0 if newer else 1, CatchUp.ALL: MAX_CATCH_UP}[self.catch_up]
        return startable[len(startable) - min(count, len(startable)) :] + on_time


def _timing(identity: UUID, definition: dict[str, int | str], jitter: int) -> Timing:
    return replace(Timing(identity, jitter_seconds=jitter), **definition)  # type: ignore[arg-type]


def test_any_history_ends_every_due_moment_once() -> None:
    print(f"derandomized; {PROFILE.max_examples} histories of up to {PROFILE.stateful_step_count} steps")
    run_state_machine_as_test(Schedules, settings=PROFILE)


@pytest.mark.parametrize("catch_up", CatchUp)
@pytest.mark.parametrize("moments", [99, 100, 101, 999, 1_000, 1_001, 1_050, 1_100, 1_101, 2_000])
def test_an_outage_that_is_planned_in_pieces(catch_up: CatchUp, moments: int) -> None:
    """Too rare for chance: the bounds of what one call decides, and of what is caught up."""
    machine = Schedules()
    machine.begin(UUID(int=7), {"interval_seconds": 10}, 0, STARTS[0], catch_up, timedelta(days=1))
    machine.now += timedelta(seconds=10 * moments)
    machine.tick()
    machine.every_due_moment_has_ended_once_or_is_to_come()
