"""The same checks through Selenium Grid, and what only a Grid can do wrong."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from services.runner.browser.attempt import AttemptReport, Session
from services.runner.browser.run import run_browser_task
from tests.patience import PATIENCE_SECONDS
from tests.runner.browser.conftest import DESKTOP, Listener, ignore, settings_for, task_for
from tests.servers.grid import Grid, StandaloneGrid, StarvedGrid


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small_grid(servers: Path) -> AsyncIterator[StandaloneGrid]:
    """A Grid with one slot."""
    server = StandaloneGrid(servers / "small-grid", max_sessions=1)
    await server.start()
    yield server
    await server.stop()


async def run(url: str, entry_point: str, **changes: Any) -> AttemptReport:
    on_session = changes.pop("on_session", ignore)
    names = {"acquire_seconds", "cleanup_seconds", "no_sandbox"} & changes.keys()
    settings = settings_for(url, **{name: changes.pop(name) for name in names})
    return await run_browser_task(task_for(entry_point, **changes), settings, on_session=on_session)


async def sessions_of(grid: Grid | StandaloneGrid) -> list[str]:
    status = await grid.status()
    slots = [slot for node in status["nodes"] for slot in node["slots"]]
    return [slot["session"]["sessionId"] for slot in slots if slot["session"]]


async def all_slots_free(grid: Grid | StandaloneGrid) -> None:
    """The hub hears of a session's end by an event of its node, a moment after the session is deleted."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await sessions_of(grid):
            await asyncio.sleep(0.05)


async def test_logs_in_through_hub_and_node(grid: Grid, shop: str) -> None:
    report = await run(grid.url, f"{shop}/acme/login")
    assert report.outcome.code == "success", report
    assert report.session is not None
    assert report.session.node == f"http://127.0.0.1:{grid.node_port}"
    await all_slots_free(grid)


async def test_a_hanging_page_frees_its_slot(grid: Grid, silent: Listener) -> None:
    report = await run(grid.url, f"{silent.url}/login", timeout_seconds=4)
    assert report.outcome.code == "page_timeout"
    assert [piece.name for piece in report.evidence] == ["screenshot.jpg", "page.html", "network.json"]
    await all_slots_free(grid)


async def test_a_page_in_an_endless_loop_frees_its_slot(grid: Grid, shop: str) -> None:
    report = await run(grid.url, f"{shop}/loop/login", timeout_seconds=4)
    assert report.outcome.code == "page_timeout"
    await all_slots_free(grid)


async def test_a_busy_hub_makes_us_wait_in_vain(grid: Grid, silent: Listener) -> None:
    async with asyncio.TaskGroup() as others:
        started = [asyncio.Event() for _ in range(2)]
        for event in started:
            others.create_task(run(grid.url, f"{silent.url}/login", timeout_seconds=8, on_session=_setting(event)))
        for event in started:
            await event.wait()
        report = await run(grid.url, f"{silent.url}/login", acquire_seconds=1)
    assert report.outcome.code == "session_queue_timeout", report.outcome
    assert "all slots are busy" in report.outcome.message
    assert (await grid.status())["nodes"][0]["availability"] == "UP"
    await all_slots_free(grid)


async def test_a_browser_nobody_offers_is_told_from_a_queue(grid: Grid, shop: str) -> None:
    wanted = {"browserName": "netscape", "pk:profile": "desktop"}
    report = await run(grid.url, f"{shop}/acme/login", capabilities=wanted, acquire_seconds=1)
    assert report.outcome.code == "no_matching_browser", report.outcome


async def test_a_killed_node_is_lost(grid: Grid, silent: Listener) -> None:
    running = asyncio.create_task(run(grid.url, f"{silent.url}/login", timeout_seconds=20))
    await silent.asked.wait()
    await grid.kill_node()
    report = await running
    await grid.start_node()
    assert report.outcome.code == "node_lost", report.outcome


async def test_a_session_deleted_by_others_has_expired(grid: Grid, shop: str) -> None:
    async def end(session: Session) -> None:
        async with ClientSession() as http, http.delete(f"{session.webdriver_url}/session/{session.id}"):
            pass

    report = await run(grid.url, f"{shop}/acme/login", on_session=end)
    assert report.outcome.code == "session_expired", report.outcome


async def test_logs_in_through_a_standalone_grid(small_grid: StandaloneGrid, shop: str) -> None:
    report = await run(small_grid.url, f"{shop}/globex/login")
    assert report.outcome.code == "success", report


async def test_a_standalone_grid_refuses_unknown_browsers(small_grid: StandaloneGrid, shop: str) -> None:
    report = await run(small_grid.url, f"{shop}/acme/login", capabilities={**DESKTOP, "browserName": "netscape"})
    assert report.outcome.code == "no_matching_browser"
    assert "No nodes support the capabilities" in report.outcome.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's Chromium refuses to start with its sandbox")
async def test_a_browser_that_exits_on_a_node_is_a_session_not_created(small_grid: StandaloneGrid, shop: str) -> None:
    report = await run(small_grid.url, f"{shop}/acme/login", no_sandbox=False)
    assert report.outcome.code == "session_not_created", report.outcome
    assert "Chrome instance exited" in report.outcome.message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user of its own, with a limit on threads")
async def test_a_grid_without_threads_left_is_told_although_a_slot_is_free(servers: Path, shop: str) -> None:
    grid = StarvedGrid(servers / "starved")
    await grid.start()
    before = await run(grid.url, f"{shop}/acme/login")
    await grid.start_no_more_threads()
    codes: list[str] = []
    # It may need threads to answer /status as well; then it is not told from one that is gone.
    while not codes or codes[-1] == "grid_unreachable":
        codes.append((await run(grid.url, f"{shop}/acme/login", acquire_seconds=5)).outcome.code)
    await grid.stop()
    assert before.outcome.code == "success", before.outcome
    assert codes[-1] == "native_thread_exhausted"


async def test_cancelling_while_a_grid_creates_leaves_no_session(small_grid: StandaloneGrid, shop: str) -> None:
    for delay in (0.05, 0.3, 0.6, 0.9):
        running = asyncio.create_task(run(small_grid.url, f"{shop}/acme/login"))
        await asyncio.wait([running], timeout=delay)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    await all_slots_free(small_grid)


def _setting(event: asyncio.Event) -> Callable[[Session], Awaitable[None]]:
    async def set_event(session: Session) -> None:
        event.set()

    return set_event
