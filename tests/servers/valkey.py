"""Valkey for tests."""

import redis.asyncio

from services.embedded.valkey import Valkey


class ValkeyServer(Valkey):
    """The wheel's Valkey. Port and password survive `kill` and `restart`."""

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def flush(self) -> None:
        async with redis.asyncio.from_url(self.url) as client:
            await client.flushall()
