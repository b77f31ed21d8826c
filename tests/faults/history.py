"""What was asked of one schedule and answered, from which its due moments follow as far as they are certain."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from shared.domain.schedule import Timing
from tests.faults.checker import Moment, Watched

_A_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """An edit or pause. It took effect between the moment it was sent and the moment it was answered."""

    sent_at: datetime
    answered_at: datetime
    timing: Timing | None  # None while it is paused
    version: int


@dataclass(slots=True)
class History:
    """One job's changes in their order; the first says what it began with."""

    schedule: UUID
    changes: list[Change] = field(default_factory=list)

    @property
    def last(self) -> Change:
        return self.changes[-1]

    def stretches(self, end: datetime) -> list[tuple[Change, datetime, datetime]]:
        """From each answer until the next change was sent: there it is certain what was in force."""
        ends = [*(change.sent_at for change in self.changes[1:]), end]
        return [(change, change.answered_at, until) for change, until in zip(self.changes, ends, strict=True)]

    def watched(self, end: datetime) -> "Edited":
        return Edited(Timing(self.schedule), self.changes[0].answered_at, end, self)


@dataclass(frozen=True, slots=True)
class Edited(Watched):
    history: History

    def due_moments(self) -> list[Moment]:
        return [
            moment
            for change, start, end in self.history.stretches(self.end)
            for moment in _moments(change.timing, start, end)
        ]

    def doubtful_moments(self) -> list[Moment]:
        """While a change was under way the timing before it or the one after it was in force."""
        changes = self.history.changes
        return [
            moment
            for before, after in pairwise(changes)
            for timing in (before.timing, after.timing)
            for moment in _moments(timing, after.sent_at - _A_MOMENT, after.answered_at + _A_MOMENT)
        ]


def _moments(timing: Timing | None, start: datetime, end: datetime) -> list[Moment]:
    return Watched(timing, timing.due_after(start), end).due_moments() if timing is not None else []
