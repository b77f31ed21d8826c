"""One installation a test, with a plain browser driver; its processes end with the test."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.end_to_end.processes import Stack
from tests.faults.load import Load


@pytest_asyncio.fixture
async def stack(
    servers: Path, database_url: str, amqp_url: str, redis_url: str, webdriver_url: str
) -> AsyncIterator[Stack]:
    made = Stack(servers / f"faults-{uuid4().hex[:8]}", database_url, amqp_url, redis_url, webdriver_url)
    yield made
    await made.stop()


@pytest.fixture
def load(stack: Stack) -> Load:
    return Load(stack)
