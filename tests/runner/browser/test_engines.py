"""The other engines: Chromium as a phone, WebKit, Firefox; with the Grid configurations of examples/grid."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.runner.browser.attempt import AttemptReport, Credentials
from services.runner.browser.run import run_browser_task
from tests.runner.browser.conftest import GOOD, Listener, ignore, settings_for, task_for
from tests.servers import webkit
from tests.servers.example_grid import ExampleGrid
from tests.servers.webkit import WebKitDriver

WRONG = Credentials("probe", "last-years")
DESKTOP = {"browserName": "chrome", "pk:profile": "desktop"}
PHONE = {"browserName": "chrome", "pk:profile": "phone"}
WEBKIT = {"browserName": "MiniBrowser", "pk:profile": "webkit"}
FIREFOX = {"browserName": "firefox", "pk:profile": "desktop"}

needs_webkit = pytest.mark.skipif(not webkit.is_installed(), reason="WebKit's driver is not installed")
needs_firefox = pytest.mark.skipif(
    not (shutil.which("geckodriver") and (shutil.which("firefox") or shutil.which("firefox-esr"))),
    reason="Firefox and geckodriver are not installed",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def webkit_driver(servers: Path) -> AsyncIterator[WebKitDriver]:
    server = WebKitDriver(servers / "webkit")
    await server.start()
    yield server
    await server.stop()


async def run(url: str, entry_point: str, capabilities: dict[str, Any], **changes: Any) -> AttemptReport:
    task = task_for(entry_point, capabilities=capabilities, **changes)
    return await run_browser_task(task, settings_for(url), on_session=ignore)


async def test_the_standalone_example_offers_a_desktop_and_a_phone(servers: Path, shop: str) -> None:
    grid = ExampleGrid(servers / "example", "standalone")
    await grid.start()
    reports = [await run(grid.url, f"{shop}/acme/login", each) for each in (DESKTOP, PHONE)]
    await grid.stop()
    assert [report.outcome.code for report in reports] == ["success", "success"]
    assert [_width(report) for report in reports] == [1366, 390]


@needs_webkit
@pytest.mark.parametrize(
    ("path", "credentials", "code"),
    [
        ("acme/login", GOOD, "success"),
        ("acme/login", WRONG, "credentials_rejected"),
        ("globex/login", GOOD, "success"),
        ("spa/login", GOOD, "success"),
        ("frame/login", GOOD, "success"),
        ("hooli/login", GOOD, "http_5xx"),
        ("umbrella/login", GOOD, "login_form_not_found"),
        ("alert/login", GOOD, "unexpected_dialog"),
    ],
)
async def test_webkit(webkit_driver: WebKitDriver, shop: str, path: str, credentials: Credentials, code: str) -> None:
    report = await run(webkit_driver.url, f"{shop}/{path}", {"browserName": "MiniBrowser"}, credentials=credentials)
    assert report.outcome.code == code, report


@needs_webkit
async def test_webkit_tells_a_site_that_can_t_be_reached_and_one_that_hangs(
    webkit_driver: WebKitDriver, closed_url: str, silent: Listener
) -> None:
    plain = {"browserName": "MiniBrowser"}
    refused = await run(webkit_driver.url, f"{closed_url}/login", plain)
    assert refused.outcome.code == "connection_refused", refused
    hanging = await run(webkit_driver.url, f"{silent.url}/login", plain, timeout_seconds=4)
    assert hanging.outcome.code == "page_timeout", hanging


@needs_webkit
@needs_firefox
@pytest.mark.long
async def test_a_hub_with_all_the_example_nodes(servers: Path, webkit_driver: WebKitDriver, shop: str) -> None:
    nodes = ("node-chromium", "node-webkit", "node-firefox")
    grid = ExampleGrid(servers / "examples", "hub", *nodes, relayed=webkit_driver.port)
    await grid.start()
    try:
        for capabilities in (DESKTOP, PHONE, WEBKIT, FIREFOX):
            for credentials, code in ((GOOD, "success"), (WRONG, "credentials_rejected")):
                report = await run(grid.url, f"{shop}/acme/login", capabilities, credentials=credentials)
                assert report.outcome.code == code, (capabilities, report)
    finally:
        await grid.stop()


def _width(report: AttemptReport) -> int:
    """Of the page in the screenshot, in CSS pixels as the page itself told it."""
    page = next(piece for piece in report.evidence if piece.name == "page.html").content.decode()
    return int(page.partition('data-width="')[2].partition('"')[0])
