"""A scheduler that the broker alone does not answer makes room for the others, and comes back by itself."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.processes import Stack
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.sink import Sink

_RECORDED = "SELECT count(*) FROM job_results WHERE outcome_code = 'success' HAVING count(*) >= $1"
_CUT_OFF = "SELECT id FROM replicas WHERE kind = 'scheduler' AND (report->>'cut_off')::boolean"
_ALL_ANSWERED = """
    SELECT count(*) FROM replicas WHERE kind = 'scheduler' AND renewed_at > now() - interval '1 second'
      AND NOT (report->>'cut_off')::boolean HAVING count(*) = 2
"""
# Every schedule has a moment that came due after the cut and was run, so the shards of the one cut off were taken over.
_ALL_GO_ON = """
    SELECT 1 WHERE NOT EXISTS (
        SELECT 1 FROM schedules s WHERE NOT EXISTS (
            SELECT 1 FROM job_results r WHERE r.schedule_id = s.id AND r.due_at > $1 AND r.outcome_code = 'success'))
"""


@pytest.mark.long
async def test_the_other_scheduler_takes_over_from_one_without_a_broker(stack: Stack, load: Load) -> None:
    broker = urlsplit(stack.amqp_url)
    async with Proxy(broker.hostname or "", broker.port or 0) as proxy:
        with Sink() as sink:
            cut = stack.scheduler("scheduler-1", PARAKEET_AMQP_URL=proxy.in_front_of(stack.amqp_url))
            await cut.start()
            await asyncio.gather(stack.scheduler("scheduler-2").start(), stack.runner().start())
            await load.add_callbacks(jobs=16, interval_seconds=1, url=sink.url())
            await stack.until(_RECORDED, 16)
            proxy.swallow()
            await stack.until(_CUT_OFF)
            (row,) = await stack.fetch("SELECT clock_timestamp() AS now")
            await stack.until(_ALL_GO_ON, row["now"])
            await proxy.pass_all()
            await stack.until(_ALL_ANSWERED)
            (await load.findings()).assert_none()
