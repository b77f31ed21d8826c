"""The second write of a runner: renew the leases it holds, from a thread that a busy event loop cannot starve."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.runner.claim import LEASE_SECONDS, Claimed
from shared.process import Pulse

log = structlog.get_logger(__name__)

RENEW_SECONDS = 5
REPORT_SECONDS = 1
# Two misses: then another may have the job, and ours must stop.
GIVE_UP_SECONDS = 2 * RENEW_SECONDS + 2

_RENEW = """
    WITH held AS (
        SELECT id FROM scheduled_jobs JOIN unnest($1::uuid[], $2::uuid[]) AS h(id, token) USING (id, token)
        ORDER BY id FOR UPDATE OF scheduled_jobs
    )
    UPDATE scheduled_jobs SET lease_until = now() + make_interval(secs => $3)
    FROM held WHERE scheduled_jobs.id = held.id RETURNING scheduled_jobs.token
"""
_REPORT = """
    INSERT INTO replicas (id, kind, report) VALUES ($1, 'runner', $2)
    ON CONFLICT (id) DO UPDATE SET renewed_at = now(), report = excluded.report
"""


async def renew(connection: asyncpg.Connection, held: Mapping[UUID, UUID]) -> set[UUID]:
    """Give what we hold, jobs by token, another lease each; returns the tokens of those that are not ours any more."""
    rows = await connection.fetch(_RENEW, list(held.values()), list(held), LEASE_SECONDS)
    return held.keys() - {UUID(str(row["token"])) for row in rows}


class Leases:
    """`report` is what the runner says of itself in its row of `replicas`; called from the thread."""

    def __init__(self, database_url: str, runner: UUID, report: Callable[[], dict[str, Any]]) -> None:
        self._runner = runner
        self._report = report
        self._held: dict[UUID, tuple[UUID, asyncio.Task[Any]]] = {}
        self._beats = 0
        self._loop = asyncio.get_running_loop()
        self._pulse = Pulse("runner leases", database_url, REPORT_SECONDS, self._beat)

    @property
    def age_seconds(self) -> float:
        """Since the database last took a beat of ours."""
        return self._pulse.age_seconds

    async def start(self) -> None:
        await self._pulse.start()

    async def stop(self) -> None:
        await self._pulse.stop()

    @contextmanager
    def hold(self, claimed: Claimed, work: asyncio.Task[Any]) -> Iterator[None]:
        """Renew the claim's lease meanwhile; `work` is cancelled when the lease is lost."""
        self._held[claimed.token] = (claimed.id, work)
        try:
            yield
        finally:
            self._held.pop(claimed.token, None)

    async def abort_if_cut_off(self) -> None:
        """To be called every second: without a renewal for two periods, what we hold may be somebody else's."""
        if self._held and self._pulse.age_seconds > GIVE_UP_SECONDS:
            log.error("leases_given_up", held=len(self._held))
            for _, work in self._held.values():
                work.cancel()

    async def _beat(self, connection: asyncpg.Connection) -> None:
        await connection.execute(_REPORT, self._runner, json.dumps(self._report()))
        self._beats += 1
        if self._beats % RENEW_SECONDS:
            return
        held = {token: job for token, (job, _) in dict(self._held).items()}
        for token in await renew(connection, held) if held else ():
            self._loop.call_soon_threadsafe(self._lost, token)

    def _lost(self, token: UUID) -> None:
        job, work = self._held.get(token, (None, None))
        # What is being recorded has left its row already, perhaps between the renewal's look and now.
        if work is not None and not work.done():
            log.warning("lease_lost", job=str(job))
            work.cancel()
