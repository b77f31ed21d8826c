"""How many checks run at once. Whoever waits with high priority goes first."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Slots:
    def __init__(self, total: int) -> None:
        self.total = total
        self.busy = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    @asynccontextmanager
    async def taken(self, *, high_priority: bool) -> AsyncIterator[None]:
        """Waits for a free slot and holds it inside."""
        await self._take(0 if high_priority else 1)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, priority: int) -> None:
        if self.busy < self.total:
            self.busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # the slot was handed over in the same moment
            raise

    def _give_back(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)  # the slot changes hands and stays busy
                return
        self.busy -= 1
