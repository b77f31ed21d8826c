"""Pages as a browser asks for them, and the application behind a real server for what streams."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio
import uvicorn

from tests.api.conftest import Service
from tests.patience import PATIENCE_SECONDS

HTML = {"Accept": "text/html"}


@pytest_asyncio.fixture
async def browser(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has not signed in."""
    async with service.client() as client:
        client.headers.update(HTML)
        yield client


@pytest_asyncio.fixture
async def reader(service: Service, browser: httpx.AsyncClient) -> httpx.AsyncClient:
    """A browser that has signed in with a key that may only read."""
    answer = await browser.post("/sign-in", data={"key": await service.key("wall", "read")})
    assert answer.status_code == 303, answer.text
    return browser


class Server:
    """The application of `service` on a port, in this loop; its lifespan has begun already."""

    def __init__(self, service: Service) -> None:
        config = uvicorn.Config(service.app, port=0, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve())

    async def started(self) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self._server.started:
                await asyncio.sleep(0.01)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.should_exit = True
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._task


@pytest_asyncio.fixture
async def server(service: Service) -> AsyncIterator[str]:
    running = Server(service)
    yield await running.started()
    service.app.state.live.close()
    await running.stop()


async def set_state(service: Service, state: str, **change: Any) -> None:
    """What the runner's judgement would have left in `check_states`."""
    values = {"partner": "acme", "browser": "chromium", "check": "login", **change}
    await service.execute(
        """
        INSERT INTO check_states (partner, browser, "check", state, since, judged_due_at, failures_in_a_row,
            passes_in_a_row)
        VALUES (:partner, :browser, :check, :state, :now, :now, 0, 0)
        ON CONFLICT (partner, browser, "check") DO UPDATE SET state = :state, since = :now
        """,
        state=state,
        now=datetime.now(UTC),
        **values,
    )
