"""Runs the blocking work of a check under deadlines that the event loop owns.

At the soft deadline the page is stopped, so that evidence can still be taken; at the hard one the wire is cut.
"""

import asyncio
import time
from collections.abc import Callable

from services.runner.browser.grid.status import read_status
from services.runner.browser.page import Page
from services.runner.browser.session import Browser
from services.runner.browser.settings import BrowserSettings
from shared.domain.evidence import Facts, Fault, TimedOut


async def run_until_deadline(
    browser: Browser, page: Page, work: Callable[[], Facts], settings: BrowserSettings
) -> Facts:
    """The facts of the work, or those of its being cut off. Never later than the page's clock allows, bar clean-up."""
    clock = page.clock
    browser.connection.deadline = time.monotonic() + clock.limit
    running = browser.start(work)
    done, _ = await asyncio.wait([running], timeout=clock.soft)
    if not done:
        clock.over.set()
        if browser.devtools is not None:
            await browser.devtools.stop_loading()
        done, _ = await asyncio.wait([running], timeout=max(clock.limit - clock.elapsed(), 0.1))
    if not done:
        browser.connection.abort()
        await asyncio.wait([running], timeout=settings.cleanup_seconds)
        waited_for = page.waits_for()
        # Between pages the work ends by itself; what is still stuck is stuck in a page.
        facts = page.facts(timed_out=TimedOut.PAGE if waited_for is TimedOut.CHECK else waited_for)
    else:
        facts = running.result()
    if facts.timed_out is not None:
        fault = await _why_silent(browser, settings)
        if fault is not None:
            return page.facts(fault=fault, detail="it stopped answering")
    return facts


async def _why_silent(browser: Browser, settings: BrowserSettings) -> Fault | None:
    """None when the browser is alive, or may be, so that the time was lost by the site and not by us."""
    devtools, node = browser.devtools, browser.session.node
    if devtools is not None and await devtools.answers():
        return None
    if devtools is None and node is None:
        # Who drives the browser itself may answer nothing else while a page holds it up.
        return None
    if await read_status(browser.http, settings.webdriver_url) is None:
        return Fault.WEBDRIVER_SILENT
    if node is not None and await read_status(browser.http, node) is None:
        return Fault.NODE_GONE
    return Fault.BROWSER_GONE if devtools is not None else None
