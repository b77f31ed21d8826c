"""What is kept of the last page: a screenshot, its source, where it was; with no secret in it."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Remote

from services.runner.browser.attempt import Credentials, Evidence
from services.runner.browser.connection import ConnectionTrouble, DeadlineConnection
from services.runner.browser.page import Page

T = TypeVar("T")

_REDACT = Path(__file__).with_name("redact.js").read_text("utf-8")
_MOST_SOURCE_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class LastPage:
    """The last state of the browser; every text is masked. A crashed or hanging tab gives less, or nothing."""

    evidence: tuple[Evidence, ...] = ()
    final_url: str | None = None
    title: str | None = None


def take_evidence(
    page: Page, connection: DeadlineConnection, credentials: Sequence[Credentials], seconds: float
) -> LastPage:
    """Takes what can be had within the seconds, the most telling first. Never raises."""
    connection.deadline = time.monotonic() + seconds
    driver, mask = page.driver, page.mask
    pieces: list[Evidence] = []
    secrets = [secret for each in credentials for secret in (each.password, each.totp_secret) if secret] + page.codes

    def screenshot() -> None:
        pieces.append(Evidence("screenshot.png", "image/png", picture(driver, secrets)))

    def source() -> None:
        text = mask.source(driver.page_source or "")
        content = text.encode("utf-8", errors="replace")[:_MOST_SOURCE_BYTES]
        pieces.append(Evidence("page.html", "text/html; charset=utf-8", content))

    _attempt(lambda: driver.switch_to.default_content())
    final_url = _attempt(lambda: mask.text(driver.current_url))
    title = _attempt(lambda: mask.text(driver.title))
    _attempt(screenshot)
    _attempt(source)
    if page.redirects:
        chain = mask.text(json.dumps(page.redirects, indent=1))
        pieces.append(Evidence("redirects.json", "application/json", chain.encode("utf-8")))
    return LastPage(tuple(pieces), final_url, title)


def picture(driver: Remote, secrets: Sequence[str]) -> bytes:
    """A screenshot as PNG. Without the redaction there is none: it might show a password that a page made visible."""
    driver.execute_script(_REDACT, secrets)
    return driver.get_screenshot_as_png()


def _attempt(take: Callable[[], T]) -> T | None:
    try:
        return take()
    except (WebDriverException, ConnectionTrouble):
        return None
