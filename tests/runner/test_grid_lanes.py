"""What the runner takes from the queue when the Grid has nothing to give, or one slot, or is back again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio
from aiohttp import web
from cryptography.fernet import Fernet

from services.embedded.process import LOOPBACK, free_port
from services.runner.__main__ import run
from services.runner.settings import RunnerSettings
from shared.clock import DatabaseClock
from shared.database import connect
from shared.queue import Message
from shared.queue.memory import MemoryQueue
from tests.end_to_end.processes import until
from tests.scheduler.world import LANE, World

NORMAL = f"{LANE}.normal"


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    engine = connect(database_url, application_name="parakeet tests", pool_size=5)
    world = World(engine, DatabaseClock(engine))
    await world.settle_in()
    yield world
    await engine.dispose()


async def publish(world: World, queue: MemoryQueue, count: int) -> list[UUID]:
    jobs = [await world.job(due_in=-1 - number, state="dispatched") for number in range(count)]
    for job in jobs:
        await queue.publish(Message(job, 0, LANE))
    return jobs


@asynccontextmanager
async def running(queue: MemoryQueue, database_url: str, url: str, folder: Path, **changed: Any) -> AsyncIterator[None]:
    given = {
        "database_url": database_url,
        "webdriver_url": url,
        "secret_keys": Fernet.generate_key().decode(),
        "evidence_dir": folder,
        "stop_grace_seconds": 0,
        **changed,
    }
    stop = asyncio.Event()
    task = asyncio.create_task(run(RunnerSettings.model_validate(given), queue, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def attempts(world: World, count: int) -> list[str]:
    async def look() -> list[str]:
        rows = await world.attempts()
        return [row.outcome_code for row in rows] if len(rows) >= count else []

    found: list[str] = await until(look, what=f"{count} attempts")
    return found


async def test_a_grid_that_is_away_is_probed_by_one_check_and_the_others_stay_with_the_queue(
    world: World, database_url: str, tmp_path: Path
) -> None:
    queue = MemoryQueue()
    await publish(world, queue, 5)
    url = f"http://{LOOPBACK}:{free_port()}"
    async with running(queue, database_url, url, tmp_path, browser_slots=3, grid_probe_seconds=600):
        assert await attempts(world, 1) == ["grid_unreachable"]
        # One more is in hand and waits for the slot; to be seen in the runner's own account.
        [told] = await until(
            lambda: world.execute("SELECT report FROM replicas WHERE report->'grid'->'trouble' <> '{}'"), what="report"
        )
        assert told.report["grid"]["trouble"] == {"chromium": "The Grid does not answer."}
        assert told.report["lanes"][LANE] == {"slots": 1, "busy": 1, "limit": 3}
        assert await queue.depths([LANE]) == {NORMAL: 3}
        assert len(await world.attempts()) == 1


async def test_what_can_t_be_claimed_has_probed_nothing(world: World, database_url: str, tmp_path: Path) -> None:
    queue = MemoryQueue()
    await queue.publish(Message(uuid4(), 0, LANE))
    await publish(world, queue, 1)
    url = f"http://{LOOPBACK}:{free_port()}"
    async with running(queue, database_url, url, tmp_path, browser_slots=1, grid_probe_seconds=600):
        assert await attempts(world, 1) == ["grid_unreachable"]


async def test_once_it_is_back_all_go_on_without_waiting_for_the_next_probe(
    world: World, database_url: str, tmp_path: Path
) -> None:
    queue, port = MemoryQueue(), free_port()
    await publish(world, queue, 3)
    async with running(queue, database_url, f"http://{LOOPBACK}:{port}", tmp_path, grid_probe_seconds=600):
        await attempts(world, 1)
        async with refusing_driver(port):
            assert (await attempts(world, 3)).count("grid_unreachable") == 1


@asynccontextmanager
async def refusing_driver(port: int) -> AsyncIterator[None]:
    """A driver that is ready and can start no browser."""

    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"value": {"ready": True, "message": "ready"}})

    async def refuse(_: web.Request) -> web.Response:
        error = {"error": "session not created", "message": "session not created: no browser", "stacktrace": ""}
        return web.json_response({"value": error}, status=500)

    app = web.Application()
    app.router.add_get("/status", ready)
    app.router.add_post("/session", refuse)
    server = web.AppRunner(app)
    await server.setup()
    await web.TCPSite(server, LOOPBACK, port).start()
    try:
        yield
    finally:
        await server.cleanup()
