"""The priority queue of what is due soon. Only a cache, rebuilt from rows at every tick: nothing is lost with it."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One planned scheduled job, ordered by when it runs, then by priority (0 first)."""

    run_after: datetime
    priority: int
    id: UUID
    attempt: int = field(compare=False)
    publication: int = field(compare=False)
    lane: str = field(compare=False)
    # Its schedule has an earlier job that has not ended: the overlap rule decides when it is due.
    overlapping: bool = field(compare=False, default=False)
    # It was overdue when it was read, so somebody may have published it before.
    published_before: bool = field(compare=False, default=False)

    @property
    def key(self) -> tuple[UUID, int, int]:
        """What one publication is about: a retry, or a renewed publication of the sweeper's, is another one."""
        return (self.id, self.attempt, self.publication)


class Agenda:
    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._in_hand: set[tuple[UUID, int, int]] = set()

    def __len__(self) -> int:
        return len(self._heap)

    def rebuild(self, entries: Iterable[Entry]) -> None:
        """Hold exactly these, but for what the dispatcher has in hand."""
        self._heap = [entry for entry in entries if entry.key not in self._in_hand]
        heapq.heapify(self._heap)

    def next_run_after(self) -> datetime | None:
        return self._heap[0].run_after if self._heap else None

    def take_due(self, now: datetime, limit: int) -> list[Entry]:
        """What is due, the most urgent first, at most `limit`. It stays in hand until `release`."""
        due: list[Entry] = []
        while self._heap and self._heap[0].run_after <= now and len(due) < limit:
            entry = heapq.heappop(self._heap)
            self._in_hand.add(entry.key)
            due.append(entry)
        # Under a backlog everything is due: then priority goes before age.
        return sorted(due, key=lambda entry: (entry.priority, entry.run_after))

    def release(self, entry: Entry) -> None:
        """The dispatcher is done with it: marked, ended, or to be tried again at the next tick."""
        self._in_hand.discard(entry.key)
