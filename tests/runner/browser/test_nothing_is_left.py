"""Mixed checks, a fifth of them hanging: afterwards no process, thread, session, socket or file is left over."""

import asyncio
import gc
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import psutil
import pytest

from services.runner.browser.attempt import Credentials, Session
from services.runner.browser.run import run_browser_task
from tests.patience import PATIENCE_SECONDS
from tests.runner.browser.conftest import Listener, browsers, ignore, settings_for, task_for
from tests.runner.browser.test_grid import all_slots_free, sessions_of
from tests.servers.grid import Grid

AT_ONCE = 2
WRONG = Credentials("probe", "last-years")


@dataclass(frozen=True)
class Left:
    """What is there, of ours and of the Grid's node."""

    browsers: int
    sessions: int
    children_of_node: int
    threads: int
    sockets: int
    files: int


async def what_is_there(grid: Grid) -> Left:
    gc.collect()
    me = psutil.Process()
    return Left(
        browsers=len(browsers()),
        sessions=len(await sessions_of(grid)),
        children_of_node=len(psutil.Process(grid.node_pid).children(recursive=True)),
        threads=sum(thread.name.startswith("browser") for thread in threading.enumerate()),
        sockets=sum(1 for each in me.net_connections("inet") if each.raddr and each.raddr.port == grid.port),
        files=len(me.open_files()),
    )


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(1, id="10 checks"),
        pytest.param(20, id="200 checks", marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
    ],
)
async def test_nothing_is_left_of_mixed_checks(
    grid: Grid, shop: str, silent: Listener, closed_url: str, rounds: int
) -> None:
    """Ten checks a round, of which two hang."""
    kinds: list[tuple[str, dict[str, Any], Callable[[Session], Awaitable[None]]]] = [
        (f"{shop}/acme/login", {}, ignore),
        (f"{silent.url}/login", {"timeout_seconds": 3}, ignore),
        (f"{shop}/acme/login", {"credentials": WRONG}, ignore),
        (f"{closed_url}/login", {}, ignore),
        (f"{shop}/globex/login", {}, ignore),
        (f"{shop}/loop/login", {"timeout_seconds": 3}, ignore),
        (f"{shop}/acme/login", {}, _raise),
        ("about:blank", {"timeout_seconds": 3}, ignore),
        (f"{shop}/acme/login", {"capabilities": {"browserName": "netscape"}, "acquire_seconds": 1}, ignore),
        (f"{shop}/acme/login", {}, _end_session(grid)),
    ]
    slots, outcomes = asyncio.Semaphore(AT_ONCE), Counter[str]()

    async def run(entry_point: str, changes: dict[str, Any], on_session: Callable[[Session], Awaitable[None]]) -> None:
        changes = dict(changes)
        settings = settings_for(grid.url, acquire_seconds=changes.pop("acquire_seconds", 30))
        async with slots:
            report = await run_browser_task(task_for(entry_point, **changes), settings, on_session=on_session)
        outcomes[report.outcome.code] += 1

    await run(*kinds[0])  # what is made once, and kept, is made now
    await all_slots_free(grid)
    before = await what_is_there(grid)
    async with asyncio.TaskGroup() as checks:
        for number in range(rounds * len(kinds)):
            checks.create_task(run(*kinds[number % len(kinds)]))
    await all_slots_free(grid)
    async with asyncio.timeout(PATIENCE_SECONDS):  # an ended session's processes and sockets take a moment to go
        while (after := await what_is_there(grid)) != before:
            await asyncio.sleep(0.2)
    print(f"{sum(outcomes.values()) - 1} checks: {dict(outcomes)}; before and after: {after}")
    assert {"success", "page_timeout", "credentials_rejected", "connection_refused"} <= outcomes.keys()
    assert {"internal_error", "session_expired", "no_matching_browser"} <= outcomes.keys()


async def _raise(session: Session) -> None:
    raise RuntimeError("the ledger is away")


def _end_session(grid: Grid) -> Callable[[Session], Awaitable[None]]:
    async def end(session: Session) -> None:
        async with aiohttp.ClientSession() as http, http.delete(f"{grid.url}/session/{session.id}"):
            pass

    return end
