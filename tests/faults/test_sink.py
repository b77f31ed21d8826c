"""The sink keeps what it was sent, and answers as the path says."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
import pytest_asyncio

from tests.faults.sink import Sink


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as made:
        yield made


@pytest_asyncio.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def test_requests_are_kept_by_message_id(sink: Sink, client: aiohttp.ClientSession) -> None:
    before = datetime.now(UTC)
    due = "2026-03-10T12:00:00+00:00"
    for identity, attempt in (("a", 1), ("b", 1), ("a", 2)):
        body = {"type": "scheduled_job.due", "data": {"attempt": attempt, "due_at": due}}
        async with client.post(sink.url(), json=body, headers={"webhook-id": identity}) as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
    kept = sink.requests_by_message_id()
    assert {identity: [request.attempt for request in requests] for identity, requests in kept.items()} == {
        "a": [1, 2],
        "b": [1],
    }
    first = kept["a"][0]
    assert first.due_at == datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert before <= first.received_at <= datetime.now(UTC)
    assert b'"attempt": 1' in first.body
    assert first.path == "/ok"


async def test_headers_may_say_it_as_well(sink: Sink, client: aiohttp.ClientSession) -> None:
    headers = {"Parakeet-Attempt": "3", "Parakeet-Due-At": "2026-03-10T12:00:00Z"}
    async with client.get(sink.url(), headers=headers):
        pass
    (kept,) = sink.requests
    assert (kept.attempt, kept.due_at) == (3, datetime(2026, 3, 10, 12, tzinfo=UTC))


@pytest.mark.parametrize("body", [b"", b"\xff not text", b"[1, 2]", b'{"data": 7}'])
async def test_any_body_is_kept(sink: Sink, client: aiohttp.ClientSession, body: bytes) -> None:
    async with client.put(sink.url(), data=body) as answer:
        assert answer.status == 200
    (kept,) = sink.requests
    assert (kept.body, kept.message_id, kept.attempt, kept.due_at) == (body, "", None, None)


@pytest.mark.parametrize("code", [200, 204, 301, 404, 410, 429, 503])
async def test_a_path_sets_the_status(sink: Sink, client: aiohttp.ClientSession, code: int) -> None:
    async with client.post(sink.url(f"/status/{code}"), allow_redirects=False) as answer:
        assert answer.status == code


async def test_it_answers_after_the_time_that_was_asked_for(sink: Sink, client: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with client.post(sink.url("/after/50")) as answer:
        assert answer.status == 200
    assert loop.time() - before >= 0.049, "a timer never ends early"


async def test_what_hangs_is_counted_and_answered_once_released(sink: Sink, client: aiohttp.ClientSession) -> None:
    async def status() -> int:
        async with client.post(sink.url("/hang")) as answer:
            return answer.status

    hanging = [asyncio.create_task(status()) for _ in range(5)]
    assert len(await sink.await_requests(5)) == 5
    assert sink.at_once == 5
    async with client.post(sink.url()):
        pass
    assert not any(task.done() for task in hanging)
    sink.release()
    assert await asyncio.gather(*hanging) == [200] * 5
    await sink.await_at_once(0)
    assert sink.most_at_once == 6


async def test_a_client_that_goes_away_is_not_counted_any_more(sink: Sink, client: aiohttp.ClientSession) -> None:
    async def hang() -> None:
        async with client.post(sink.url("/hang")):
            pass

    task = asyncio.create_task(hang())
    await sink.await_requests(1)
    task.cancel()
    await sink.await_at_once(0)
    assert len(sink.requests) == 1


async def test_waiting_in_vain_says_what_is_missing(sink: Sink) -> None:
    with pytest.raises(AssertionError, match="1 requests; there are 0"):
        await sink.await_requests(1, seconds=0)


def test_it_needs_no_loop_of_the_test() -> None:
    with Sink() as sink:
        assert sink.port
        assert sink.requests == []
