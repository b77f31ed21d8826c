"""What the priority queue hands out, and in which order."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.scheduler.agenda import Agenda, Entry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entry(run_in: float, priority: int = 1) -> Entry:
    return Entry(NOW + timedelta(seconds=run_in), uuid4(), priority, 0, 0, "http")


def test_what_is_due_comes_by_priority_and_then_by_age() -> None:
    backfill, high, normal, older = entry(-90, 2), entry(-1, 0), entry(-2), entry(-3)
    agenda = Agenda()
    agenda.rebuild([backfill, high, normal, older, entry(1, 0)])
    assert agenda.take_due(NOW, 10) == [high, older, normal, backfill]


def test_a_backlog_of_backfill_leaves_room_for_what_is_more_urgent() -> None:
    agenda = Agenda()
    agenda.rebuild([*(entry(-60, 2) for _ in range(50)), run_now := entry(0, 0)])
    assert agenda.take_due(NOW, 1) == [run_now]


def test_nothing_is_handed_out_before_its_time_nor_twice() -> None:
    agenda, due = Agenda(), entry(0)
    later = entry(0.001)
    agenda.rebuild([due, later])
    assert agenda.take_due(NOW, 10) == [due]
    agenda.rebuild([due, later])
    assert agenda.take_due(NOW, 10) == []
    assert agenda.next_run_after() == later.run_after
    agenda.begin_reading()
    agenda.release(due)
    agenda.rebuild([due])
    assert agenda.take_due(NOW, 10) == [], "it was read before it was marked"
    agenda.begin_reading()
    agenda.rebuild([due])
    assert agenda.take_due(NOW, 10) == [due]


def test_a_retry_is_another_entry_than_the_attempt_in_hand() -> None:
    agenda, first = Agenda(), entry(-1)
    agenda.rebuild([first])
    agenda.take_due(NOW, 1)
    retry = Entry(first.run_after, first.id, 1, 1, 0, "http")
    agenda.rebuild([first, retry])
    assert agenda.take_due(NOW, 10) == [retry]
    assert agenda.next_run_after() is None
