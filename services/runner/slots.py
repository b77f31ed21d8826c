"""How many checks run at once. Of those that wait the most urgent goes first."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count


@dataclass(slots=True)
class Turn:
    """One message's turn: whether what it is about was begun, and so has asked for what its slot stands for."""

    begun: bool = False


class Slots:
    def __init__(self, total: int) -> None:
        self.total = total
        self.busy = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    @asynccontextmanager
    async def taken(self, priority: int) -> AsyncIterator[None]:
        """Waits for a free slot and holds it inside."""
        await self.take(priority)
        try:
            yield
        finally:
            self.give_back()

    async def take(self, priority: int = 1) -> None:
        """Waits for a free slot, which is then the caller's until `give_back`."""
        if self.busy < self.total:
            self.busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # the slot was handed over in the same moment
            raise

    def give_back(self) -> None:
        """The slot goes to who waits, the most urgent first."""
        self.busy -= 1
        self._hand_over()

    def resize(self, total: int) -> None:
        """More slots go to who waits at once; of fewer, those that are taken stay taken until they are given back."""
        self.total = total
        self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting and self.busy < self.total:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self.busy += 1
                turn.set_result(None)
