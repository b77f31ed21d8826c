"""Our own side: the Grid, the queues, the replicas."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.api.settings import ApiSettings
from tests.api.conftest import Service, Starter, make_due, schedules
from tests.api.job_records import add_job
from tests.api.records import record
from tests.api.test_status import ago, replica

CHROME = {"stereotype": {"browserName": "chrome"}}
GRID_STATUS = {
    "value": {
        "ready": True,
        "message": "Selenium Grid ready.",
        "nodes": [
            {"slots": [{**CHROME, "session": {"sessionId": "a"}}, {**CHROME, "session": None}]},
            {"slots": [{"stereotype": {"browserName": "firefox"}, "session": None}]},
        ],
    }
}
GRID_QUEUE = {"data": {"sessionsInfo": {"sessionQueueRequests": [json.dumps({"browserName": "chrome"})] * 2}}}


class FakeGrid:
    """Answers like Selenium Grid 4, or like something else when a test says so."""

    def __init__(self) -> None:
        self.status: Callable[[], Any] = lambda: web.json_response(GRID_STATUS)
        self.graphql: Callable[[], Any] = lambda: web.json_response(GRID_QUEUE)
        self.never = asyncio.Event()

    async def answer_status(self, _: web.Request) -> web.StreamResponse:
        answer = self.status()
        return answer if isinstance(answer, web.StreamResponse) else await answer

    async def answer_graphql(self, _: web.Request) -> web.StreamResponse:
        answer = self.graphql()
        return answer if isinstance(answer, web.StreamResponse) else await answer


@pytest_asyncio.fixture
async def fake_grid() -> AsyncIterator[tuple[FakeGrid, str]]:
    grid = FakeGrid()
    app = web.Application()
    app.router.add_get("/status", grid.answer_status)
    app.router.add_post("/graphql", grid.answer_graphql)
    async with TestServer(app) as server:
        yield grid, str(server.make_url("/"))
        grid.never.set()


@pytest_asyncio.fixture
async def with_grid(
    fake_grid: tuple[FakeGrid, str], settings: ApiSettings, start: Starter
) -> AsyncIterator[tuple[FakeGrid, httpx.AsyncClient]]:
    grid, url = fake_grid
    service = await start(settings.model_copy(update={"webdriver_url": url}))
    async with service.client(await service.key("ops", "read")) as client:
        yield grid, client


async def read_grid(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/api/v1/infrastructure")
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()["grid"]
    return view


async def test_slots_and_queue_are_counted_by_browser(with_grid: tuple[FakeGrid, httpx.AsyncClient]) -> None:
    _, client = with_grid
    assert await read_grid(client) == {
        "configured": True,
        "reachable": True,
        "ready": True,
        "message": "Selenium Grid ready.",
        "nodes": 2,
        "slots": 3,
        "busy": 1,
        "queued": 2,
        "browsers": [
            {"browser_name": "chrome", "slots": 2, "busy": 1, "queued": 2},
            {"browser_name": "firefox", "slots": 1, "busy": 0, "queued": 0},
        ],
    }


async def test_a_plain_driver_has_no_slots_to_tell(with_grid: tuple[FakeGrid, httpx.AsyncClient]) -> None:
    grid, client = with_grid
    grid.status = lambda: web.json_response({"value": {"ready": True, "message": "ChromeDriver ready"}})
    grid.graphql = lambda: web.Response(status=404)
    view = await read_grid(client)
    assert (view["reachable"], view["ready"], view["slots"], view["queued"]) == (True, True, None, None)


async def test_a_grid_that_talks_nonsense_is_an_answer_too(with_grid: tuple[FakeGrid, httpx.AsyncClient]) -> None:
    grid, client = with_grid
    nonsense = ("<html>", "[]", "{}", '{"value": 5}', '{"value": {"nodes": 5}}', '{"value": {"nodes": [5]}}')
    for text in nonsense:
        grid.status = partial(web.Response, text=text)
        assert (await read_grid(client))["ready"] is False


async def test_a_silent_grid_does_not_hold_up_the_answer(with_grid: tuple[FakeGrid, httpx.AsyncClient]) -> None:
    grid, client = with_grid

    async def silence() -> web.Response:
        await grid.never.wait()
        return web.Response()

    grid.status = silence
    assert (await read_grid(client))["reachable"] is False


async def test_without_an_address_the_grid_is_not_asked(api: httpx.AsyncClient) -> None:
    assert (await api.get("/infrastructure")).json()["grid"]["configured"] is False


async def test_replicas_lateness_queues_and_failures_are_read_from_the_ledger(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await replica(service, "scheduler", report='{"lateness_p99_ms": 4.5, "dispatched_per_second": 2.0}')
    await replica(service, "scheduler", report='{"lateness_p99_ms": 9.5, "dispatched_per_second": 1.5}')
    await replica(service, "runner", report='{"slots": 8, "busy": 3, "lanes": {"http": {"slots": 4, "busy": 1}}}')
    told: dict[str, Any] = {"lanes": {"http": {"slots": 2, "busy": 2}, "browser.chromium": {}}}
    told["grid"] = {"trouble": {"chromium": "It is away."}}
    await replica(service, "runner", report=json.dumps(told))
    await replica(service, "runner", seconds_ago=10, report='{"slots": 100, "busy": 100}')
    [schedule] = await schedules(service)
    await make_due(service, schedule["id"], -5, "dispatched")
    await make_due(service, schedule["id"], -4)
    await record(service, ago(1), "node_lost")
    await record(service, ago(2), "credentials_rejected")
    for minute, code in enumerate(("missed", "skipped_overlap", "missed"), 3):
        await record(service, ago(minute), code)
    view = (await api.get("/infrastructure")).json()
    assert [item["kind"] for item in view["replicas"]] == ["runner", "runner", "scheduler", "scheduler"]
    assert view["schedulers"]["lateness_p99_seconds"] == 0.0095
    assert (view["schedulers"]["alive"], view["schedulers"]["dispatched_per_second"]) == (2, 3.5)
    assert view["schedulers"]["overdue"] == 1
    assert view["schedulers"]["oldest_overdue_seconds"] >= 4
    assert view["runners"] == {
        "alive": 2,
        "slots": 8,
        "busy": 3,
        "lanes": [
            {"lane": "browser.chromium", "slots": 0, "busy": 0, "trouble": "It is away."},
            {"lane": "http", "slots": 6, "busy": 3, "trouble": None},
        ],
    }
    assert view["queues"] == [
        {"lane": "browser.chromium", "priority": "high", "depth": 0},
        {"lane": "browser.chromium", "priority": "normal", "depth": 1},
        {"lane": "browser.chromium", "priority": "low", "depth": 0},
    ]
    assert view["failures_last_hour"] == {"total": 1, "by_code": [{"code": "node_lost", "count": 1}]}
    assert view["not_run_last_hour"] == {
        "total": 3,
        "by_code": [{"code": "missed", "count": 2}, {"code": "skipped_overlap", "count": 1}],
    }
    summary = (await api.get("/status")).json()["infrastructure"]
    assert (summary["failures_last_hour"], summary["not_run_last_hour"]) == (1, 3)


async def test_the_lane_of_callbacks_is_there_before_anything_waits_in_it(
    api: httpx.AsyncClient, service: Service
) -> None:
    await add_job(service)
    assert (await api.get("/infrastructure")).json()["queues"] == [
        {"lane": "http", "priority": priority, "depth": 0} for priority in ("high", "normal", "low")
    ]
