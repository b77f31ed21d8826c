"""How many publications are under way at once: as many as the broker confirms in time.

Without it a broker that is slow for a moment is lost for good: of 500 at once the last time out, all are published
again, and the broker never catches up. So every timeout halves the window, and every confirm widens it a little.
"""

import asyncio
import time

from shared.process import wait_for

WIDEST = 500
NARROWEST = 8
PAUSE_SECONDS = 0.5
CUT_OFF_SECONDS = 3.0


class PublishWindow:
    def __init__(self) -> None:
        self.size = WIDEST
        self._under_way = 0
        self._wait_until = 0.0
        self._failing_since: float | None = None
        self._freed = asyncio.Event()

    @property
    def open(self) -> bool:
        return self._under_way < self.size and time.monotonic() >= self._wait_until

    @property
    def room(self) -> int:
        """How many more may begin."""
        return self.size - self._under_way

    def enter(self) -> None:
        self._under_way += 1

    def leave(self) -> None:
        self._under_way -= 1
        self._freed.set()

    async def freed(self, at_most_seconds: float) -> None:
        """Until one of those under way has ended, or so long."""
        self._freed.clear()
        await wait_for(self._freed, at_most_seconds)

    def grow(self) -> None:
        """After a confirm."""
        self.size = min(WIDEST, self.size + 1)
        self._failing_since = None

    @property
    def cut_off(self) -> bool:
        """Nothing was confirmed for so long that others should take over."""
        return self._failing_since is not None and time.monotonic() - self._failing_since > CUT_OFF_SECONDS

    def shrink(self) -> bool:
        """After none came in time. What fails together counts once: False for all but the first."""
        if time.monotonic() < self._wait_until:
            return False
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        self.size = max(NARROWEST, self.size // 2)
        self._wait_until = time.monotonic() + PAUSE_SECONDS
        return True
