"""Who locks many scheduled jobs does it in the order of their ids, so that two never wait for each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from services.runner.claim import claim_all
from services.runner.lease import renew
from shared.clock import DatabaseClock
from shared.database import connect
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord, Ending, end_attempts, end_not_run
from shared.queue import Message
from tests.locks import until_someone_waits
from tests.scheduler.world import LANE, World

LOW, HIGH = UUID(int=1), UUID(int=2)
_LOCK = text("SELECT 1 FROM scheduled_jobs WHERE id = :id FOR UPDATE NOWAIT")


@dataclass
class Two:
    """Two scheduled jobs, the one with the higher id first, in the table and wherever they are named."""

    world: World
    database_url: str
    tokens: dict[UUID, UUID]

    async def claim(self) -> None:
        await claim_all(self.world.engine, [Message(job, 0, LANE) for job in self.tokens], uuid4())

    async def renew(self) -> None:
        connection = await asyncpg.connect(self.database_url.replace("+asyncpg", ""))
        try:
            await renew(connection, {token: job for job, token in self.tokens.items()})
        finally:
            await connection.close()

    async def end(self, retry_at: datetime | None = None) -> None:
        record = AttemptRecord(Outcome("success", "Words."), datetime.now(UTC), 1.0)
        endings = [Ending(job, token, record, retry_at) for job, token in self.tokens.items()]
        async with self.world.engine.begin() as connection:
            assert await end_attempts(connection, endings) == set(self.tokens.values())

    async def retry(self) -> None:
        await self.end(datetime.now(UTC))

    async def end_not_run(self) -> None:
        async with self.world.engine.begin() as connection:
            assert len(await end_not_run(connection, list(self.tokens), "cancelled", "Words.")) == 2


@pytest_asyncio.fixture
async def two(database_url: str) -> AsyncIterator[Two]:
    engine = connect(database_url, application_name="parakeet tests", pool_size=10)
    world = World(engine, DatabaseClock(engine))
    await world.settle_in()
    yield Two(world, database_url, {})
    await engine.dispose()


@pytest.mark.parametrize(
    ("state", "act"),
    [
        ("planned", Two.claim),
        ("planned", Two.end_not_run),
        ("running", Two.renew),
        ("running", Two.end),
        ("running", Two.retry),
    ],
)
async def test_jobs_are_locked_in_the_order_of_their_ids(
    two: Two, state: str, act: Callable[[Two], Awaitable[None]]
) -> None:
    for job in (HIGH, LOW):
        if state == "running":
            _, two.tokens[job] = await two.world.running(lease_in=10, id=job)
        else:
            two.tokens[job] = await two.world.job(due_in=-1, id=job)
    async with two.world.engine.connect() as other:
        await other.execute(_LOCK, {"id": LOW})
        acting = asyncio.ensure_future(act(two))
        try:
            await until_someone_waits(two.world.engine)
            await other.execute(_LOCK, {"id": HIGH})
        finally:
            await other.rollback()
            await acting
