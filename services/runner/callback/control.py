"""Before a target is blamed for the network: does a page of ours answer?"""

import asyncio
import time

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

LIMIT_SECONDS = 5
REMEMBERED_SECONDS = 5


class ControlPage:
    """Asked outside of the guard, and once for all sendings that fail at about the same time."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._asked: asyncio.Task[bool] | None = None
        self._asked_at = 0.0

    async def failed(self) -> bool | None:
        """None when there is no such page. Any answer in HTTP will do."""
        if self._url is None:
            return None
        if self._asked is None or (self._asked.done() and time.monotonic() > self._asked_at + REMEMBERED_SECONDS):
            self._asked_at = time.monotonic()
            self._asked = asyncio.create_task(_fails(self._url))
        # One sending that is cancelled must not take the answer from the others.
        return await asyncio.shield(self._asked)

    async def close(self) -> None:
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.gather(self._asked, return_exceptions=True)
            self._asked = None


async def _fails(url: str) -> bool:
    timeout = ClientTimeout(total=LIMIT_SECONDS)
    try:
        async with (
            ClientSession(timeout=timeout, cookie_jar=DummyCookieJar(), trust_env=False) as session,
            session.get(url, allow_redirects=False),
        ):
            return False
    except (ClientError, OSError, ValueError):
        return True
