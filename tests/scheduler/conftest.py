from collections.abc import AsyncIterator

import pytest_asyncio

from shared.clock import DatabaseClock
from shared.database import connect
from tests.scheduler.world import World


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    engine = connect(database_url, application_name="parakeet tests", pool_size=10)
    world = World(engine, DatabaseClock(engine))
    await world.settle_in()
    yield world
    await engine.dispose()
