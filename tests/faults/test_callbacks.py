"""Callbacks through all processes: each due moment is sent once and recorded, and nothing is sent early."""

import asyncio

from tests.end_to_end.processes import Stack
from tests.faults.load import Load
from tests.faults.sink import Sink

_RECORDED = "SELECT count(*) FROM job_results WHERE outcome_code = 'success' HAVING count(*) >= $1"


async def test_every_due_moment_is_sent_once_and_recorded(stack: Stack, load: Load) -> None:
    with Sink() as sink:
        await asyncio.gather(stack.scheduler().start(), stack.runner().start())
        await load.add_callbacks(jobs=20, interval_seconds=1, url=sink.url("/after/50"))
        await stack.until(_RECORDED, 100)
        found = await load.findings()
        found.assert_none()
        sent = sink.requests_by_message_id()
        results = {str(row["id"]): row["due_at"] for row in await stack.fetch("SELECT id, due_at FROM job_results")}
        assert {message: [request.due_at for request in requests] for message, requests in sent.items()} == {
            message: [due_at] for message, due_at in results.items()
        }
        assert all(request.received_at >= request.due_at for request in sink.requests if request.due_at)
