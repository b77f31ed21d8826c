"""Before a partner is blamed for the network: does a page of ours open in the same browser?"""

import time

from selenium.common.exceptions import WebDriverException

from services.runner.browser.connection import ConnectionTrouble
from services.runner.browser.page import Page
from services.runner.browser.session import Browser
from services.runner.browser.settings import BrowserSettings
from shared.domain.evidence import Facts
from shared.domain.outcome import classify, may_be_the_network


async def control_page_failed(facts: Facts, page: Page, browser: Browser, settings: BrowserSettings) -> bool | None:
    """None when there was no reason, or no way, to ask."""
    url = settings.control_url
    if url is None or facts.fault is not None or not may_be_the_network(facts, classify(facts)):
        return None
    if browser.devtools is not None:
        # A new tab, since the one of the check may hang.
        return not await browser.devtools.opens(url, settings.control_seconds)
    if not browser.connection.usable:
        return None
    return await browser.start(lambda: not _opens(page, browser, url, settings.control_seconds))


def _opens(page: Page, browser: Browser, url: str, seconds: float) -> bool:
    browser.connection.deadline = time.monotonic() + seconds
    try:
        page.driver.set_page_load_timeout(seconds)
        page.driver.get(url)
        return not str(page.driver.execute_script("return location.href")).startswith(("chrome-error:", "about:"))
    except (WebDriverException, ConnectionTrouble):
        return False
