"""Why a session did not come in time, by what the Grid says of its slots and its queue."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp

from services.runner.browser.failures import AcquireFailed
from services.runner.browser.grid.status import GridStatus, read_status
from services.runner.browser.settings import BrowserSettings
from shared.domain.evidence import Fault

_ASSIGNING_SECONDS = 1.5


async def why_not_in_time(
    http: aiohttp.ClientSession, settings: BrowserSettings, capabilities: Mapping[str, Any]
) -> AcquireFailed:
    """When our own patience is at its end, and the request still stands."""
    waited = f"no session within {settings.acquire_seconds:g} s"
    status = await read_status(http, settings.webdriver_url)
    if status is None:
        return AcquireFailed(Fault.WEBDRIVER_SILENT, f"{waited}, and no answer to /status")
    if await _starts_nothing(status, http, settings, capabilities):
        # So a Grid behaves that can start no thread for the creation, and still calls itself ready.
        return AcquireFailed(Fault.THREADS_EXHAUSTED, f"{waited}; a slot is free, but the Grid starts nothing in it")
    return _judge_wait(status, capabilities, waited)


async def refined(
    failure: AcquireFailed, http: aiohttp.ClientSession, settings: BrowserSettings, capabilities: Mapping[str, Any]
) -> AcquireFailed:
    """The Grid says "timed out" also when nobody offers the browser, or when the browser does not start."""
    if failure.fault is not Fault.QUEUE_TIMED_OUT:
        return failure
    status = await read_status(http, settings.webdriver_url)
    return failure if status is None else _judge_wait(status, capabilities, failure.detail)


async def _starts_nothing(
    status: GridStatus, http: aiohttp.ClientSession, settings: BrowserSettings, capabilities: Mapping[str, Any]
) -> bool:
    """A slot is free and nothing is being created, now and after the moment that a Grid needs to assign it."""
    if not _is_idle(status, capabilities):
        return False
    await asyncio.sleep(_ASSIGNING_SECONDS)
    later = await read_status(http, settings.webdriver_url)
    return later is not None and _is_idle(later, capabilities)


def _is_idle(status: GridStatus, capabilities: Mapping[str, Any]) -> bool:
    return status.is_grid and status.has_free_slot(capabilities) and not status.is_creating()


def _judge_wait(status: GridStatus, capabilities: Mapping[str, Any], waited: str) -> AcquireFailed:
    if not status.is_grid:
        return AcquireFailed(Fault.SESSION_REFUSED, f"{waited}; the driver is up, the browser did not start")
    if not status.offers(capabilities):
        return AcquireFailed(Fault.BROWSER_NOT_OFFERED, f"{waited}; asked for {capabilities.get('browserName')!r}")
    if status.has_free_slot(capabilities):
        return AcquireFailed(Fault.SESSION_REFUSED, f"{waited}, although a slot is free")
    return AcquireFailed(Fault.QUEUE_TIMED_OUT, f"{waited}; all slots are busy")
