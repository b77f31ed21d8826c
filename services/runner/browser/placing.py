"""A session on a node that is not avoided. A Grid lets nobody choose the node, so what lands wrong is given back.

It is kept open until another is had, because the Grid would place the next session on the emptied node again.
"""

import asyncio
import time
from dataclasses import replace

from services.runner.browser.attempt import BrowserTask
from services.runner.browser.failures import AcquireFailed
from services.runner.browser.grid.status import read_status
from services.runner.browser.session import Browser, acquire, finish_undisturbed
from services.runner.browser.settings import BrowserSettings

MOST_GIVEN_BACK = 3


async def acquire_well_placed(task: BrowserTask, settings: BrowserSettings) -> Browser:
    """Within `acquire_seconds`, on an avoided node if there is no other. Raises AcquireFailed."""
    until = time.monotonic() + settings.acquire_seconds
    browser = await acquire(task, settings)
    given_back: list[Browser] = []
    try:
        while browser.session.node in task.avoid_nodes and len(given_back) < MOST_GIVEN_BACK:
            left = until - time.monotonic()
            if left < 1 or not await _elsewhere_is_room(browser, task, settings):
                break
            given_back.append(browser)
            try:
                browser = await acquire(task, replace(settings, acquire_seconds=left))
            except AcquireFailed:
                return given_back.pop()
    except BaseException:
        if browser not in given_back:
            given_back.append(browser)
        raise
    finally:
        await finish_undisturbed(asyncio.gather(*(each.close(settings) for each in given_back)))
    return browser


async def _elsewhere_is_room(browser: Browser, task: BrowserTask, settings: BrowserSettings) -> bool:
    status = await read_status(browser.http, settings.webdriver_url)
    return status is not None and status.has_free_slot(task.capabilities, task.avoid_nodes)
