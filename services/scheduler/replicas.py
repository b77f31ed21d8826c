"""Which schedulers are alive, and which shards are mine: rendezvous hashing over live replicas.

Ownership only saves work. Safety must hold with two owners of a shard, because a paused process will give two.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from shared.domain.schedule import SHARDS
from shared.process import Pulse

RENEW_SECONDS = 0.5
TIME_TO_LIVE_SECONDS = 2.0
# It stops firing this much before the others take over.
MARGIN_SECONDS = 0.5

_RENEW = """
    INSERT INTO replicas (id, kind, report) VALUES ($1, 'scheduler', $2)
    ON CONFLICT (id) DO UPDATE SET renewed_at = now(), report = excluded.report
"""
_ALIVE = """
    SELECT id, coalesce((report->>'cut_off')::boolean, false) AS cut_off FROM replicas
    WHERE kind = 'scheduler' AND renewed_at > now() - make_interval(secs => $1)
"""


class Replicas:
    def __init__(self, database_url: str, report: Callable[[], dict[str, Any]]) -> None:
        self.id = uuid4()
        self.shards: frozenset[int] = frozenset()
        self._report = report
        self._pulse = Pulse("scheduler replica", database_url, RENEW_SECONDS, self._beat)

    async def start(self) -> None:
        await self._pulse.start()

    async def stop(self) -> None:
        await self._pulse.stop()

    def may_fire(self) -> bool:
        """False when our own renewal is so old that others may have taken our shards."""
        return self._pulse.age_seconds < TIME_TO_LIVE_SECONDS - MARGIN_SECONDS

    async def _beat(self, connection: asyncpg.Connection) -> None:
        await connection.execute(_RENEW, self.id, json.dumps(self._report()))
        alive = await connection.fetch(_ALIVE, TIME_TO_LIVE_SECONDS)
        self.shards = owned_shards(self.id, {UUID(str(row["id"])): not row["cut_off"] for row in alive})


def owned_shards(me: UUID, alive: Mapping[UUID, bool]) -> frozenset[int]:
    """The shards for which `me` has the highest hash; each shard has exactly one owner.

    `alive` says of each living replica whether the broker answers it. Those it does not answer own nothing, unless it
    answers none of them: then all wait for it together.
    """
    able = {replica for replica, answered in alive.items() if answered} or {*alive, me}
    return frozenset(shard for shard in range(SHARDS) if max(able, key=lambda each: _weight(each, shard)) == me)


def _weight(replica: UUID, shard: int) -> bytes:
    return hashlib.blake2b(replica.bytes + shard.to_bytes(2, "big"), digest_size=8).digest()
