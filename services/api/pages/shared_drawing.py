"""What many look at is drawn once: all who want the same version get the one drawing of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

KEEP_SECONDS = 5.0


class SharedDrawing:
    """Keeps the newest drawing, while what it says of times that pass is still true enough."""

    def __init__(self) -> None:
        self._drawing = asyncio.Lock()
        self._version = ""
        self._html = ""
        self._drawn_at = 0.0

    async def html(self, version: str, draw: Callable[[], Awaitable[str]]) -> str:
        """The drawing of that version; `draw` is called when there is none, by one at a time."""
        async with self._drawing:
            if version != self._version or time.monotonic() - self._drawn_at > KEEP_SECONDS:
                begun = time.monotonic()
                self._html = await draw()
                self._version, self._drawn_at = version, begun
            return self._html
