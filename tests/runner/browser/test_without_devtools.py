"""A browser without a DevTools socket: what is not known of it is blamed on nobody. And a socket that is silent."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import aiohttp
import psutil
import pytest
from aiohttp import web

from services.runner.browser import session
from services.runner.browser.attempt import AttemptReport
from services.runner.browser.run import run_browser_task
from services.runner.browser.session import acquire
from tests.patience import PATIENCE_SECONDS
from tests.runner.browser.conftest import Listener, ignore, served, settings_for, task_for
from tests.runner.browser.test_grid import all_slots_free, sessions_of
from tests.servers.grid import Grid

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(*_: object) -> None:
        return None

    monkeypatch.setattr(session, "devtools_address", nowhere)


@pytest.mark.usefixtures("no_socket")
async def test_a_page_that_had_to_be_cut_off_says_nothing_of_our_network(check: Check, shop: str) -> None:
    report = await check(f"{shop}/loop/login", timeout_seconds=4, control_url=f"{shop}/control", cleanup_seconds=2)
    assert report.outcome.code == "page_timeout", report.outcome


@pytest.mark.usefixtures("no_socket")
async def test_our_own_network_is_still_blamed_where_the_browser_can_be_asked(check: Check, closed_url: str) -> None:
    report = await check(f"{closed_url}/login", control_url=f"{closed_url}/control")
    assert report.outcome.code == "network_unreachable", report.outcome


@pytest.mark.usefixtures("no_socket")
@pytest.mark.parametrize(("frozen", "code"), [("hub_pid", "grid_unreachable"), ("node_pid", "node_lost")])
async def test_a_frozen_grid_is_not_the_site_s_fault(grid: Grid, silent: Listener, frozen: str, code: str) -> None:
    task = task_for(f"{silent.url}/login", timeout_seconds=3)
    settings = settings_for(grid.url, cleanup_seconds=1)
    running = asyncio.create_task(run_browser_task(task, settings, on_session=ignore))
    await silent.asked.wait()
    process = psutil.Process(getattr(grid, frozen))
    process.suspend()
    try:
        report = await running
    finally:
        process.resume()
        async with aiohttp.ClientSession() as http:
            for left in await sessions_of(grid):
                with suppress(aiohttp.ClientError):
                    await http.delete(f"{grid.url}/session/{left}")
        await all_slots_free(grid)
    assert report.outcome.code == code, report.outcome


async def test_a_session_whose_socket_is_silent_goes_on_without(
    webdriver_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = asyncio.Event()

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        closed.set()
        return socket

    app = web.Application()
    app.add_routes([web.get("/devtools", listen)])
    async with served(app) as url:

        async def there(*_: object) -> str:
            return f"{url}/devtools"

        monkeypatch.setattr(session, "devtools_address", there)
        browser = await acquire(task_for(""), settings_for(webdriver_url))
        try:
            assert browser.devtools is None
            async with asyncio.timeout(PATIENCE_SECONDS):
                await closed.wait()
        finally:
            await browser.close(settings_for(webdriver_url))


async def test_the_tab_of_the_control_page_is_closed(webdriver_url: str, shop: str) -> None:
    settings = settings_for(webdriver_url)
    browser = await acquire(task_for(""), settings)
    try:
        assert browser.devtools is not None
        assert await browser.devtools.opens(f"{shop}/control", 5)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not browser.devtools.only_page():
                await asyncio.sleep(0.05)
        assert len(await browser.start(lambda: browser.driver.window_handles)) == 1
    finally:
        await browser.close(settings)
