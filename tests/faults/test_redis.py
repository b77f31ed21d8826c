"""Redis goes away, forgets, keeps its answers to itself, or gives them late: at worst something is sent twice."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest_asyncio

from tests.end_to_end.processes import Stack
from tests.faults.load import Load, change_jobs
from tests.faults.proxy import LOOPBACK, Proxy
from tests.faults.sink import Sink
from tests.servers.valkey import ValkeyServer

_NOW = "SELECT clock_timestamp() AS now"
_DONE_SINCE = (
    "SELECT 1 FROM job_results WHERE due_at > $1::timestamptz AND outcome_code = 'success' HAVING count(*) >= $2"
)
# What a scheduler that died in between leaves behind: published, but not marked as dispatched.
_AGAIN = change_jobs("state = 'planned', dispatched_at = NULL", "state = 'dispatched'")


@pytest_asyncio.fixture
async def proxy(redis_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(LOOPBACK, urlsplit(redis_url).port or 0) as made:
        yield made


async def test_nothing_depends_on_redis(stack: Stack, load: Load, proxy: Proxy, valkey_server: ValkeyServer) -> None:
    url = proxy.in_front_of(stack.redis_url)
    with Sink() as sink:
        await asyncio.gather(stack.scheduler("scheduler-1", PARAKEET_REDIS_URL=url).start(), stack.runner().start())
        await stack.scheduler("scheduler-2", PARAKEET_REDIS_URL=url).start()
        await load.add_callbacks(jobs=15, interval_seconds=1, url=sink.url("/after/20"))

        async def dispatch_goes_on() -> None:
            """What is due from now on is sent, and so is what has to be published again meanwhile."""
            (row,) = await stack.fetch(_NOW)
            await stack.until(_DONE_SINCE, row["now"], 8)
            await stack.fetch(_AGAIN)
            await stack.until(_DONE_SINCE, row["now"], 18)

        await dispatch_goes_on()
        await valkey_server.flush()
        await dispatch_goes_on()
        # Later than anybody waits for.
        proxy.delay(0.1)
        await dispatch_goes_on()
        proxy.delay(0.0)
        proxy.swallow("down")
        await dispatch_goes_on()
        assert proxy.swallowed
        await proxy.pass_all()
        await proxy.refuse()
        proxy.reset()
        await dispatch_goes_on()
        await proxy.pass_all()
        await valkey_server.kill()
        await dispatch_goes_on()
        await valkey_server.start()
        await dispatch_goes_on()
        found = await load.findings()
        found.assert_none()
        # Twice in the queue, but claimed once: the second message finds nothing.
        assert {len(requests) for requests in sink.requests_by_message_id().values()} == {1}
        assert found.outcomes == {"success": found.due}
