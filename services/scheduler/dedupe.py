"""The Redis keys that spare a second publication. Only ever a saving: without Redis there are duplicates, no losses."""

from collections.abc import Iterable
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.scheduler.agenda import Key

log = structlog.get_logger(__name__)

ANSWER_WITHIN_SECONDS = 0.02
CONNECTIONS = 50
KEEP_MILLISECONDS = 600_000
_SILENT = (RedisError, OSError, TimeoutError)


class Dedupe:
    def __init__(self, url: str, *, answer_within_seconds: float = ANSWER_WITHIN_SECONDS) -> None:
        # Beyond so many at once it is as if Redis did not answer, and connections do not grow with a backlog.
        self._redis = Redis.from_url(
            url,
            socket_timeout=answer_within_seconds,
            socket_connect_timeout=answer_within_seconds,
            max_connections=CONNECTIONS,
        )

    async def remember(self, keys: Iterable[Key]) -> None:
        """To be called after the broker's confirm, never before: a key without a message would lose the moment."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.set(_name(key), 1, px=KEEP_MILLISECONDS)
                await pipeline.execute()
        except _SILENT as error:
            log.debug("dedupe_unavailable", error=type(error).__name__)

    async def was_published(self, key: Key) -> bool:
        """False whenever Redis does not say otherwise in time."""
        try:
            return bool(await self._redis.exists(_name(key)))
        except _SILENT:
            return False

    async def close(self) -> None:
        with suppress(*_SILENT):
            await self._redis.aclose()


def _name(key: Key) -> str:
    job, attempt, publication, created_at = key
    return f"parakeet:published:{job}:{attempt}:{publication}:{created_at and created_at.timestamp()}"
