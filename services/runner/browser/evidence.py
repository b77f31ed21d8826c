"""What is kept of the last page: a screenshot, its source, its network and console; with no secret in it."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from selenium.common.exceptions import UnexpectedAlertPresentException, WebDriverException

from services.runner.browser.attempt import Evidence, LastPage
from services.runner.browser.connection import ConnectionTrouble, DeadlineConnection
from services.runner.browser.devtools.authentication import DevToolsSilent
from services.runner.browser.devtools.network_log import Exchange
from services.runner.browser.devtools.socket import DevTools
from services.runner.browser.page import Page
from services.runner.browser.pictures.camera import NotHidden, take_jpeg, take_png
from services.runner.masking import Mask

T = TypeVar("T")

_MOST_SOURCE_BYTES = 512 * 1024
_MOST_EXCHANGES = 300
_MOST_NETWORK_BYTES = 256 * 1024
_MOST_URL = 500
# What tells least goes first when there is too much.
_LEAST_TELLING = ("Image", "Font", "Stylesheet", "Media", "Manifest", "Ping", "Preflight")
_TIMES = ("dns_ms", "connect_ms", "tls_ms", "wait_ms", "total_ms")


def take_evidence(page: Page, connection: DeadlineConnection, seconds: float, prefix: str = "") -> LastPage:
    """Takes what can be had within the seconds, the most telling first; where a flow went on after it had failed, the
    page is the one that it failed on. Never raises.

    `prefix` tells the names of one check's evidence from those of another.
    """
    connection.deadline = time.monotonic() + seconds
    mask, devtools = page.mask, page.devtools
    page.pictures.settle()
    page.learn_tokens()
    last = page.failed_on or show_page(page, seconds)
    pieces = list(last.evidence)

    def keep(name: str, content_type: str, content: bytes) -> None:
        pieces.append(Evidence(name, content_type, content))

    if devtools is not None:
        keep("network.json", "application/json", network_json(devtools, mask, page.clock.started))
        if any(entry.at >= page.clock.started for entry in devtools.console.entries):
            keep("console.json", "application/json", console_json(devtools, mask, page.clock.started))
    if page.redirects:
        chain = mask.text(json.dumps(page.redirects, indent=1))
        keep("redirects.json", "application/json", chain.encode("utf-8"))
    return replace(last, evidence=tuple(replace(piece, name=prefix + piece.name) for piece in pieces))


def show_page(page: Page, seconds: float) -> LastPage:
    """What the page is now, its frames left. Never raises."""
    driver, mask = page.driver, page.mask
    pieces: list[Evidence] = []

    def source() -> None:
        text = mask.source(driver.page_source or "").encode("utf-8", errors="replace")
        pieces.append(Evidence("page.html", "text/html; charset=utf-8", text[:_MOST_SOURCE_BYTES]))

    _attempt(lambda: driver.switch_to.default_content())
    final_url = _attempt(lambda: mask.text(driver.current_url))
    title = _attempt(lambda: mask.text(driver.title))
    _attempt(lambda: pieces.append(picture(page, "screenshot", seconds)))
    _attempt(source)
    return LastPage(tuple(pieces), final_url, title)


def picture(page: Page, name: str, seconds: float) -> Evidence:
    """What the page shows now, with every secret hidden; the name's ending says of what kind it is.

    Raises NotHidden, DevToolsSilent, and what selenium raises.
    """
    devtools = page.devtools
    if devtools is None:
        return Evidence(f"{name}.png", "image/png", take_png(page.driver, page.mask))
    target = None if devtools.only_page() else page.driver.current_window_handle
    taking = asyncio.run_coroutine_threadsafe(take_jpeg(devtools, target, page.mask, seconds), devtools.loop)
    return Evidence(f"{name}.jpg", "image/jpeg", taking.result(seconds + 1))


def network_json(devtools: DevTools, mask: Mask, since: float) -> bytes:
    """{entries: [{method, url, type, status, error, start_ms, dns_ms, ...}], dropped}, what began after `since`.

    Times in milliseconds, `start_ms` from the start of the check. No bodies, no headers; URLs are masked.
    """
    log = devtools.network
    found = [each for each in list(log.exchanges) if each.started >= since - 0.05]
    entries = [_entry(each, mask, since) for each in found]
    least = sorted(range(len(entries)), key=lambda index: (entries[index]["type"] not in _LEAST_TELLING, index))
    size = [len(json.dumps(entry)) + 2 for entry in entries]
    total, gone = sum(size), set[int]()
    for index in least:
        if total <= _MOST_NETWORK_BYTES and len(entries) - len(gone) <= _MOST_EXCHANGES:
            break
        gone.add(index)
        total -= size[index]
    kept = [entry for index, entry in enumerate(entries) if index not in gone]
    return json.dumps({"entries": kept, "dropped": log.dropped + len(gone)}).encode()


def _entry(exchange: Exchange, mask: Mask, since: float) -> dict[str, Any]:
    url = exchange.url
    if url.startswith("data:"):
        url = url.partition(",")[0][:100] + ",…"
    return {
        "method": exchange.method,
        "url": mask.beginning(url, _MOST_URL),
        "type": exchange.kind,
        "status": exchange.status,
        "error": exchange.error,
        "ended": exchange.ended,
        "start_ms": round((exchange.started - since) * 1000, 1),
        **{name: getattr(exchange, name) for name in _TIMES},
        "bytes": exchange.bytes,
        "from_cache": exchange.from_cache,
        "remote_address": exchange.remote_address,
        "protocol": exchange.protocol,
    }


def console_json(devtools: DevTools, mask: Mask, since: float) -> bytes:
    """{entries: [{level, source, text, url, at_ms}], dropped}: errors and warnings since then, masked."""
    log = devtools.console
    entries = [
        {
            "level": entry.level,
            "source": entry.source,
            "text": entry.masked(mask, 500),
            "url": mask.beginning(entry.url, _MOST_URL),
            "at_ms": round((entry.at - since) * 1000, 1),
        }
        for entry in list(log.entries)
        if entry.at >= since
    ]
    return json.dumps({"entries": entries, "dropped": log.dropped}).encode()


def _attempt(take: Callable[[], T]) -> T | None:
    for _ in range(2):
        try:
            return take()
        except UnexpectedAlertPresentException:
            continue  # the driver has dismissed it by now
        except (WebDriverException, ConnectionTrouble, NotHidden, DevToolsSilent, TimeoutError):
            return None
    return None
