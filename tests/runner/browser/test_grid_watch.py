"""What the Grid can give a runner: slots, those that others hold, other runners, nodes that fail, trouble."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import aiohttp
import pytest
import pytest_asyncio

from services.runner.browser.attempt import AttemptReport, CheckReport, Session
from services.runner.browser.grid.nodes import NodeRules
from services.runner.browser.grid.watch import Allowance, GridWatch
from services.runner.browser.settings import SAFE_CHROMIUM_ARGUMENTS
from shared.clock import DatabaseClock
from shared.database import connect
from shared.domain.outcome import Outcome
from tests.runner.browser.conftest import DESKTOP
from tests.scheduler.world import World
from tests.servers.grid import Grid

BROWSERS = {"desktop": DESKTOP, "mobile": {"browserName": "chrome", "pk:profile": "mobile"}}
NODE = "http://node:5555"
ME = UUID(int=1)


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    engine = connect(database_url, application_name="parakeet tests")
    yield World(engine, DatabaseClock(engine))
    await engine.dispose()


def watch_for(world: World, url: str, limit: int = 5, pause: float = 300) -> GridWatch:
    return GridWatch(world.engine, ME, url, limit, NodeRules(3, pause))


async def another_runner(world: World, limit: int) -> None:
    lanes = {"http": {"limit": 200}, **{f"browser.{name}": {"limit": limit} for name in BROWSERS}}
    insert = "INSERT INTO replicas (id, kind, report) VALUES (:id, 'runner', CAST(:report AS jsonb))"
    await world.execute(insert, id=uuid4(), report=json.dumps({"lanes": lanes}))


def report(code: str, node: str | None = NODE, created: bool = True) -> AttemptReport:
    outcome = Outcome(code)
    session = Session("s", "http://grid:4444", "chrome", "150", node) if created else None
    return report_of(CheckReport("login", outcome, 1.0, (), session=session))


def report_of(*checks: CheckReport) -> AttemptReport:
    return AttemptReport(checks[0].outcome, checks, (), checks[-1].session, datetime.now(UTC), 1.0)


async def test_a_lane_has_the_slots_of_its_browser_and_all_together_what_the_node_can_hold(
    world: World, grid: Grid
) -> None:
    watch = watch_for(world, grid.url)
    await watch.look({**BROWSERS, "netscape": {"browserName": "netscape"}})
    assert watch.lanes == {
        "desktop": Allowance(2),
        "mobile": Allowance(2),
        "netscape": Allowance(1, "No node offers this browser."),
    }
    assert watch.sessions == 2


async def test_what_others_hold_is_not_ours(world: World, grid: Grid) -> None:
    watch = watch_for(world, grid.url)
    arguments = [*SAFE_CHROMIUM_ARGUMENTS, "--no-sandbox"]
    wanted = {**DESKTOP, "goog:chromeOptions": {"args": arguments}}
    async with aiohttp.ClientSession() as http:
        body, headers = {"capabilities": {"alwaysMatch": wanted}}, {"Content-Type": "application/json; charset=utf-8"}
        async with http.post(f"{grid.url}/session", data=json.dumps(body), headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            session = (await answer.json())["value"]["sessionId"]
        await watch.look(BROWSERS)
        async with http.delete(f"{grid.url}/session/{session}") as answer:
            assert answer.status == 200
    assert watch.lanes == {"desktop": Allowance(1), "mobile": Allowance(1)}
    assert watch.sessions == 1


async def test_runners_share_what_there_is_and_one_that_is_gone_has_no_share(world: World, grid: Grid) -> None:
    await another_runner(world, limit=5)
    watch = watch_for(world, grid.url)
    await watch.look(BROWSERS)
    assert watch.lanes == {"desktop": Allowance(1), "mobile": Allowance(1)}
    assert watch.sessions == 1
    await world.execute("UPDATE replicas SET renewed_at = now() - interval '5 seconds'")
    await watch.look(BROWSERS)
    assert watch.sessions == 2


async def test_a_grid_that_does_not_answer_is_probed(world: World, closed_url: str) -> None:
    watch = watch_for(world, closed_url)
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"] == Allowance(1, "The Grid does not answer.")
    assert watch.report()["trouble"] == dict.fromkeys(BROWSERS, "The Grid does not answer.")


async def test_one_look_without_an_answer_is_no_trouble_yet(world: World, grid: Grid, closed_url: str) -> None:
    watch = watch_for(world, grid.url)
    await watch.look(BROWSERS)
    watch._url = closed_url
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"] == Allowance(2)
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"].trouble == "The Grid does not answer."


async def test_a_plain_driver_has_no_slots_to_count(world: World, webdriver_url: str) -> None:
    watch = watch_for(world, webdriver_url, limit=3)
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"] == Allowance(3)
    assert watch.sessions == 6


async def test_a_grid_out_of_threads_is_probed_until_a_session_is_created(world: World, webdriver_url: str) -> None:
    watch = watch_for(world, webdriver_url)
    await watch.learn("desktop", report("native_thread_exhausted", created=False))
    await watch.look(BROWSERS)
    assert "threads" in str(watch.lanes["desktop"].trouble)
    assert watch.lanes["mobile"].slots == 1
    await watch.learn("mobile", report("success"))
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"] == Allowance(5)


async def test_a_browser_that_is_not_created_three_times_in_a_row_is_probed(world: World, webdriver_url: str) -> None:
    watch = watch_for(world, webdriver_url)
    for _ in range(3):
        await watch.look(BROWSERS)
        assert watch.lanes["desktop"].trouble is None
        await watch.learn("desktop", report("session_not_created", created=False))
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"] == Allowance(1, "3 sessions in a row were not created.")
    assert watch.lanes["mobile"] == Allowance(5)
    await watch.learn("desktop", report("credentials_rejected"))
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"] == Allowance(5)


async def test_a_node_that_fails_three_times_in_a_row_is_avoided_by_all_and_retried_later(
    world: World, webdriver_url: str
) -> None:
    first, second = watch_for(world, webdriver_url), watch_for(world, webdriver_url)
    for code, avoided in (("browser_crashed", False), ("node_lost", False), ("session_expired", True)):
        await first.learn("desktop", report(code))
        await second.look(BROWSERS)
        assert second.nodes.avoided == (frozenset({NODE}) if avoided else frozenset())
    await world.execute("UPDATE grid_nodes SET avoided_until = now()")
    await second.look(BROWSERS)
    assert (second.nodes.avoided, second.nodes.troubled) == (frozenset(), frozenset({NODE}))
    await second.learn("desktop", report("page_timeout"))
    assert await world.execute("SELECT * FROM grid_nodes") == []


async def test_a_failure_counts_for_the_node_that_the_check_ran_on(world: World, webdriver_url: str) -> None:
    watch = watch_for(world, webdriver_url)
    crashed = report("browser_crashed").checks[0]
    elsewhere = report("success", node="http://other:5555").checks[0]
    await watch.learn("desktop", report_of(crashed, elsewhere))
    assert [row.node for row in await world.execute("SELECT node FROM grid_nodes")] == [NODE]


async def test_a_second_session_that_is_not_created_counts(world: World, webdriver_url: str) -> None:
    watch = watch_for(world, webdriver_url)
    for _ in range(3):
        await watch.learn("desktop", report("session_not_created", created=False))
    refused = report("session_not_created", created=False).checks[0]
    await watch.learn("desktop", report_of(report("success").checks[0], refused))
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"].trouble is None
    for _ in range(2):
        await watch.learn("desktop", report("session_not_created", created=False))
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"].trouble == "3 sessions in a row were not created."


@pytest.mark.parametrize("code", ["page_timeout", "internal_error", "grid_unreachable"])
async def test_what_the_node_is_not_to_blame_for_does_not_count(world: World, webdriver_url: str, code: str) -> None:
    await watch_for(world, webdriver_url).learn("desktop", report(code))
    assert await world.execute("SELECT * FROM grid_nodes") == []


async def test_avoided_nodes_give_no_slots_and_when_all_are_avoided_one_is_probed(world: World, grid: Grid) -> None:
    watch = watch_for(world, grid.url)
    for _ in range(3):
        await watch.learn("desktop", report("browser_crashed", node=f"http://127.0.0.1:{grid.node_port}"))
    await watch.look(BROWSERS)
    assert watch.lanes["desktop"] == Allowance(1, "Every node that offers this browser is avoided.")
    assert watch.sessions == 1
