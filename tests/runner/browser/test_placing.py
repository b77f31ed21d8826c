"""Checks stay off a node that is avoided, for as long as there is another. A Grid lets nobody choose the node."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.runner.browser.placing import acquire_well_placed
from services.runner.browser.session import Browser, acquire
from tests.runner.browser.conftest import settings_for, task_for
from tests.runner.browser.test_grid import all_slots_free, sessions_of
from tests.servers.grid import Grid

pytestmark = pytest.mark.long


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two_nodes(servers: Path) -> AsyncIterator[tuple[Grid, list[str]]]:
    """A hub with two nodes of one session each, and their addresses."""
    server = Grid(servers / "two-nodes", max_sessions=1)
    await server.start()
    second = await server.add_node()
    yield server, [f"http://127.0.0.1:{server.node_port}", second]
    await server.stop()


async def close(*browsers: Browser, url: str) -> None:
    for browser in browsers:
        assert await browser.close(settings_for(url))


@pytest.mark.parametrize("place", [0, 1])
async def test_a_session_on_an_avoided_node_is_given_back_for_one_elsewhere(
    two_nodes: tuple[Grid, list[str]], place: int
) -> None:
    grid, nodes = two_nodes
    avoided = frozenset({nodes[place]})
    for _ in range(4):
        browser = await acquire_well_placed(task_for("about:blank", avoid_nodes=avoided), settings_for(grid.url))
        assert browser.session.node == nodes[1 - place]
        await close(browser, url=grid.url)
        await all_slots_free(grid)


async def test_with_no_room_elsewhere_the_avoided_node_is_better_than_none(two_nodes: tuple[Grid, list[str]]) -> None:
    grid, nodes = two_nodes
    settings = settings_for(grid.url)
    good = await acquire_well_placed(task_for("about:blank", avoid_nodes=frozenset({nodes[0]})), settings)
    second = await acquire_well_placed(task_for("about:blank", avoid_nodes=frozenset({nodes[0]})), settings)
    assert [good.session.node, second.session.node] == [nodes[1], nodes[0]]
    assert len(await sessions_of(grid)) == 2
    await close(good, second, url=grid.url)
    await all_slots_free(grid)


async def test_with_every_node_avoided_any_will_do(two_nodes: tuple[Grid, list[str]]) -> None:
    grid, nodes = two_nodes
    task = task_for("about:blank", avoid_nodes=frozenset(nodes))
    browser = await acquire_well_placed(task, settings_for(grid.url))
    assert browser.session.node in nodes
    assert len(await sessions_of(grid)) == 1
    await close(browser, url=grid.url)
    await all_slots_free(grid)


async def test_a_plain_grid_s_own_choice_is_spread(two_nodes: tuple[Grid, list[str]]) -> None:
    grid, nodes = two_nodes
    settings = settings_for(grid.url)
    first, second = await acquire(task_for("about:blank"), settings), await acquire(task_for("about:blank"), settings)
    assert {first.session.node, second.session.node} == set(nodes)
    await close(first, second, url=grid.url)
    await all_slots_free(grid)
