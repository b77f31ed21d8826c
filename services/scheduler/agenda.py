"""The priority queue of what is due soon. Only a cache, rebuilt from rows at every tick: nothing is lost with it."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# Job, attempt, publication, and when its row was made.
Key = tuple[UUID, int, int, datetime | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One planned scheduled job; priority 0 goes first."""

    run_after: datetime
    id: UUID
    priority: int
    attempt: int
    publication: int
    lane: str
    # Its schedule has an earlier job that has not ended: the overlap rule decides when it is due.
    overlapping: bool = False
    # It was overdue when it was read, so somebody may have published it before.
    published_before: bool = False
    created_at: datetime | None = None

    @property
    def key(self) -> Key:
        """What one publication is about: a retry, or a renewed publication of the sweeper's, is another one.

        So is the same moment planned anew, after an edit took it back: what was sent for the row before is used up.
        """
        return (self.id, self.attempt, self.publication, self.created_at)


class Agenda:
    """A heap for each priority: whatever is due of a higher one goes before all of a lower one, however old."""

    def __init__(self) -> None:
        # The number keeps entries of one moment in the order they were read, and from being compared.
        self._heaps: dict[int, list[tuple[datetime, int, Entry]]] = {}
        self._in_hand: set[Key] = set()
        self._released: set[Key] = set()

    def __len__(self) -> int:
        return sum(len(heap) for heap in self._heaps.values())

    def begin_reading(self) -> None:
        """To be called before the rows for `rebuild` are read."""
        self._released.clear()

    def rebuild(self, entries: Iterable[Entry]) -> None:
        """Hold exactly these, but for what the dispatcher has in hand, or had when they were read."""
        self._heaps = {}
        for number, entry in enumerate(entries):
            if entry.key not in self._in_hand and entry.key not in self._released:
                self._heaps.setdefault(entry.priority, []).append((entry.run_after, number, entry))
        for heap in self._heaps.values():
            heapq.heapify(heap)

    def next_run_after(self) -> datetime | None:
        return min((heap[0][0] for heap in self._heaps.values() if heap), default=None)

    def take_due(self, now: datetime, limit: int) -> list[Entry]:
        """What is due, the most urgent first, at most `limit`. It stays in hand until `release`."""
        due: list[Entry] = []
        for _, heap in sorted(self._heaps.items()):
            while heap and heap[0][0] <= now and len(due) < limit:
                due.append(heapq.heappop(heap)[2])
        self._in_hand.update(entry.key for entry in due)
        return due

    def release(self, entry: Entry) -> None:
        """The dispatcher is done with it: marked, ended, or to be tried again at the next tick."""
        self._in_hand.discard(entry.key)
        self._released.add(entry.key)
