"""The session of a runner that was lost is ended, also when its page hangs and its driver answers nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from services.runner.browser.session import acquire
from services.runner.orphans import close_orphans
from shared.clock import DatabaseClock
from shared.database import connect
from tests.runner.browser.conftest import Listener, served, settings_for, task_for
from tests.runner.browser.test_grid import all_slots_free, sessions_of
from tests.scheduler.world import IDLE_IN_TRANSACTION, World
from tests.servers.grid import Grid

_NOTE = "INSERT INTO orphan_sessions (session_id, webdriver_url, devtools) VALUES (:id, :url, :devtools)"


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    engine = connect(database_url, application_name="parakeet tests")
    yield World(engine, DatabaseClock(engine))
    await engine.dispose()


@pytest.mark.parametrize("end", ["grid", "driver"])
async def test_a_hanging_page_does_not_keep_its_session(
    world: World, grid: Grid, webdriver_url: str, silent: Listener, end: str
) -> None:
    url = grid.url if end == "grid" else webdriver_url
    browser = await acquire(task_for("about:blank"), settings_for(url))
    session, settings = browser.session, settings_for(url)
    # As the kernel leaves it when a runner is killed: a command under way, and nobody at the other end.
    hanging = browser.start(lambda: browser.driver.get(f"{silent.url}/login"))
    await silent.asked.wait()
    browser.connection.abort()
    await asyncio.wait([hanging])
    assert hanging.exception() is not None
    await world.execute(_NOTE, id=session.id, url=session.webdriver_url, devtools=session.devtools)
    await close_orphans(world.engine, url)
    assert await world.execute("SELECT * FROM orphan_sessions") == []
    if end == "grid":
        await all_slots_free(grid)
    assert await browser.close(settings)


async def test_a_session_that_is_gone_already_is_forgotten_and_others_stay(world: World, grid: Grid) -> None:
    browser = await acquire(task_for("about:blank"), settings_for(grid.url))
    await world.execute(_NOTE, id="0" * 32, url=grid.url, devtools=None)
    await close_orphans(world.engine, grid.url)
    assert await world.execute("SELECT * FROM orphan_sessions") == []
    assert await sessions_of(grid) == [browser.session.id]
    await browser.close(settings_for(grid.url))


async def test_one_that_cannot_be_reached_is_tried_again(world: World, closed_url: str) -> None:
    await world.execute(_NOTE, id="s1", url=closed_url, devtools=None)
    await close_orphans(world.engine, closed_url)
    assert len(await world.execute("SELECT * FROM orphan_sessions")) == 1
    await world.execute("UPDATE orphan_sessions SET noted_at = now() - interval '2 hours'")
    await close_orphans(world.engine, closed_url)
    assert await world.execute("SELECT * FROM orphan_sessions") == []


async def test_no_transaction_waits_for_a_driver(world: World) -> None:
    waiting: list[int] = []

    async def end(request: web.Request) -> web.Response:
        [row] = await world.execute(IDLE_IN_TRANSACTION)
        waiting.append(row.number)
        return web.json_response({"value": None})

    app = web.Application()
    app.add_routes([web.delete("/session/{id}", end)])
    async with served(app) as url:
        await world.execute(_NOTE, id="s1", url=url, devtools=None)
        await close_orphans(world.engine, url)
        assert waiting == [0]
        await world.execute(_NOTE, id="s2", url=url, devtools=None)
        await asyncio.gather(close_orphans(world.engine, url), close_orphans(world.engine, url))
    assert await world.execute("SELECT * FROM orphan_sessions") == []
