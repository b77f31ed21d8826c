"""The page changes by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from services.embedded.driver import find
from tests.api.conftest import Service
from tests.api.pages.conftest import set_state
from tests.api.records import record
from tests.patience import PATIENCE_SECONDS, PLAIN_HTTP


async def changes(stream: httpx.Response) -> AsyncIterator[str]:
    """The versions that the stream tells of."""
    lines = stream.aiter_lines()
    async for line in lines:
        if line == "event: changed":
            yield (await anext(lines)).removeprefix("data: ")


async def test_the_stream_tells_of_a_result_and_ends_when_the_server_stops(
    service: Service, server: str, configuration: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {await service.key('wall', 'read')}"}
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        httpx.AsyncClient(base_url=server, headers=headers, **PLAIN_HTTP) as client,
        client.stream("GET", "/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        versions = changes(stream)
        first = await anext(versions)
        await record(service, datetime.now(UTC), "success")
        second = await anext(versions)
        assert second != first
        service.app.state.live.close()
        assert [version async for version in versions] == []


@pytest.fixture
def chromium(webdriver_url: str) -> Iterator[webdriver.Remote]:
    options = webdriver.ChromeOptions()
    programs = find()
    assert programs is not None
    options.binary_location = str(programs.browser)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    driver = webdriver.Remote(webdriver_url, options=options)
    yield driver
    driver.quit()


async def test_a_browser_shows_a_new_state_without_a_reload(
    service: Service, server: str, configuration: dict[str, Any], chromium: webdriver.Remote
) -> None:
    key = await service.key("wall", "read")

    def wait(script: str) -> None:
        WebDriverWait(chromium, PATIENCE_SECONDS).until(lambda driver: driver.execute_script(f"return {script}"))

    def sign_in() -> None:
        chromium.get(f"{server}/")
        chromium.find_element(By.ID, "key").send_keys(key)
        chromium.find_element(By.CSS_SELECTOR, "main form").submit()
        wait("document.getElementById('stream')?.dataset.state === 'on'")
        chromium.execute_script("window.stillTheSamePage = true")

    await asyncio.to_thread(sign_in)
    await record(service, datetime.now(UTC), "credentials_rejected")
    await set_state(service, "failing")
    await asyncio.to_thread(wait, "document.querySelector('.cell.failing')?.innerText.includes('Credentials rejected')")
    assert await asyncio.to_thread(chromium.execute_script, "return window.stillTheSamePage") is True
