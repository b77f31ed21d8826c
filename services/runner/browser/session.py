"""One fresh WebDriver session per attempt: got, given back, and never left behind."""

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from selenium.webdriver import Remote
from selenium.webdriver.common.options import ArgOptions

from services.runner.browser.attempt import BrowserTask, Session
from services.runner.browser.connection import DeadlineConnection, split_userinfo
from services.runner.browser.devtools.authentication import DevToolsSilent
from services.runner.browser.devtools.socket import DevTools, devtools_address
from services.runner.browser.failures import fault_while_acquiring
from services.runner.browser.grid.no_session import refined, why_not_in_time
from services.runner.browser.grid.status import MARKER, read_status
from services.runner.browser.settings import BrowserSettings

T = TypeVar("T")

_log = logging.getLogger(__name__)
_CHROMIUM_OPTIONS = {
    "chrome": "goog:chromeOptions",
    "chromium": "goog:chromeOptions",
    "MicrosoftEdge": "ms:edgeOptions",
}
_WEBKIT_NAMES = ("MiniBrowser", "Safari", "safari", "webkit")
_LATE_CREATION_SECONDS = 60.0
_late_creations: set[asyncio.Task[None]] = set()


class _Capabilities(ArgOptions):
    """Selenium's options object around capabilities that are already complete."""

    def __init__(self, capabilities: dict[str, Any]) -> None:
        super().__init__()
        self._complete = capabilities

    def to_capabilities(self) -> dict[str, Any]:
        return self._complete

    @property
    def default_capabilities(self) -> dict[str, Any]:
        return {}


class Browser:
    """A session that exists, the one thread that may send it commands, and its DevTools socket if it has one."""

    def __init__(
        self, driver: Remote, connection: DeadlineConnection, thread: ThreadPoolExecutor, http: aiohttp.ClientSession
    ) -> None:
        self.driver = driver
        self.connection = connection
        self.devtools: DevTools | None = None
        self.session = Session(str(driver.session_id), "", "", "", None)
        self._thread = thread
        self.http = http
        self._busy: asyncio.Future[Any] | None = None

    def start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Runs blocking work in the attempt's thread; the future survives the cancellation of who awaits it."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        self._busy = running
        return running

    async def close(self, settings: BrowserSettings) -> bool:
        """Ends session, thread and sockets, whatever state they are in; False if the session may be left behind."""
        busy = self._busy if self._busy is not None and not self._busy.done() else None
        if busy is not None or self.connection.stuck:
            self.connection.abort()
            # A driver queues our DELETE behind the command it works on, until the browser closes.
            if self.devtools is not None:
                await self.devtools.close_browser(min(3.0, settings.cleanup_seconds))
        if busy is not None:
            await asyncio.wait([busy], timeout=settings.cleanup_seconds)
        gone = await _delete(self.http, settings, self.session.id)
        if not gone and self.devtools is not None:
            await self.devtools.close_browser(min(3.0, settings.cleanup_seconds))
            gone = await _delete(self.http, settings, self.session.id)
        if not gone and _kill_on_this_machine(self.driver.caps, settings):
            gone = await _delete(self.http, settings, self.session.id)
        if self.devtools is not None:
            await self.devtools.close()
        self.connection.abort()
        self.connection.close()
        self._thread.shutdown(wait=busy is None or busy.done())
        await self.http.close()
        if not gone:
            _log.error("a browser session could not be closed", extra={"node": self.session.node})
        return gone


async def acquire(task: BrowserTask, settings: BrowserSettings) -> Browser:
    """A new session within `acquire_seconds`. Raises AcquireFailed; leaves nothing behind when cancelled."""
    http = aiohttp.ClientSession(trust_env=False)
    marker = uuid.uuid4().hex
    capabilities = _complete(task.capabilities, settings, marker)
    # The thread outlasts our patience, so that a creation that completes too late is seen, and undone.
    deadline = time.monotonic() + settings.acquire_seconds + _LATE_CREATION_SECONDS
    connection = DeadlineConnection(settings.webdriver_url, deadline)
    thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
    creation = asyncio.get_running_loop().run_in_executor(
        thread, lambda: Remote(command_executor=connection, options=_Capabilities(capabilities))
    )
    try:
        done, _ = await asyncio.wait([creation], timeout=settings.acquire_seconds)
        if not done:
            raise await why_not_in_time(http, settings, capabilities)
        try:
            browser = Browser(creation.result(), connection, thread, http)
        except Exception as error:
            raise await refined(fault_while_acquiring(error), http, settings, capabilities) from error
    except BaseException:
        await finish_undisturbed(_abandon(creation, connection, thread, http, settings, marker))
        raise
    try:
        await _get_to_know(browser, settings)
    except BaseException:
        await finish_undisturbed(browser.close(settings))
        raise
    return browser


async def _get_to_know(browser: Browser, settings: BrowserSettings) -> None:
    capabilities = browser.driver.caps
    node = None
    if "se:cdp" in capabilities or "se:webDriverExecutable" in capabilities:
        status = await read_status(browser.http, settings.webdriver_url)
        node = status.node_of(browser.session.id) if status else None
    browser.session = Session(
        browser.session.id,
        split_userinfo(settings.webdriver_url)[0],
        str(capabilities.get("browserName", "")),
        str(capabilities.get("browserVersion", "")),
        node,
    )
    try:
        address = await devtools_address(browser.http, capabilities, settings.webdriver_url)
        if address is not None:
            browser.session = replace(browser.session, devtools=address)
            browser.devtools = await DevTools.open(browser.http, address)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, DevToolsSilent) as error:
        _log.warning("no DevTools socket: %s", type(error).__name__)


def _complete(wanted: Mapping[str, Any], settings: BrowserSettings, marker: str) -> dict[str, Any]:
    # WebKit misses the event that "eager" waits for in two of five page loads, and then waits for ever.
    strategy = "normal" if wanted.get("browserName") in _WEBKIT_NAMES else "eager"
    capabilities = {"pageLoadStrategy": strategy, "acceptInsecureCerts": False, **wanted, MARKER: marker}
    vendor = _CHROMIUM_OPTIONS.get(str(wanted.get("browserName")))
    if vendor is not None:
        options = dict(wanted.get(vendor, {}))
        sandbox = ("--no-sandbox",) if settings.no_sandbox else ()
        options["args"] = [*settings.browser_arguments, *sandbox, *options.get("args", ())]
        if settings.browser_binary is not None:
            options.setdefault("binary", settings.browser_binary)
        capabilities[vendor] = options
    return capabilities


async def _abandon(
    creation: asyncio.Future[Remote],
    connection: DeadlineConnection,
    thread: ThreadPoolExecutor,
    http: aiohttp.ClientSession,
    settings: BrowserSettings,
    marker: str,
) -> None:
    """Gives up a creation that may still complete.

    A Grid drops a request, or stops its session, when the client hangs up. A plain driver does not: it starts the
    browser anyway, and only its answer tells the id; so we wait for that, in the background if need be.
    """
    status = None if creation.done() else await read_status(http, settings.webdriver_url)
    if status is None or status.is_grid:
        connection.abort()
    done, _ = await asyncio.wait([creation], timeout=settings.cleanup_seconds)
    if done:
        await _undo(creation, connection, thread, http, settings)
    else:
        late = asyncio.create_task(_undo(creation, connection, thread, http, settings))
        _late_creations.add(late)
        late.add_done_callback(_late_creations.discard)
        return
    if status is not None and status.is_grid:
        async with aiohttp.ClientSession(trust_env=False) as fresh:
            status = await read_status(fresh, settings.webdriver_url)
            left = status.session_marked(MARKER, marker) if status else None
            if left is not None:
                await _delete(fresh, settings, left)


async def _undo(
    creation: asyncio.Future[Remote],
    connection: DeadlineConnection,
    thread: ThreadPoolExecutor,
    http: aiohttp.ClientSession,
    settings: BrowserSettings,
) -> None:
    await asyncio.wait([creation])
    if creation.exception() is None:
        await _delete(http, settings, str(creation.result().session_id))
    connection.close()
    thread.shutdown(wait=True)
    await http.close()


async def _delete(http: aiohttp.ClientSession, settings: BrowserSettings, session_id: str) -> bool:
    """True when the session is gone: ended now, or not known any more."""
    bare, headers = split_userinfo(settings.webdriver_url)
    timeout = aiohttp.ClientTimeout(total=settings.cleanup_seconds)
    try:
        async with http.delete(f"{bare}/session/{session_id}", headers=headers, timeout=timeout) as answer:
            return answer.status in (200, 404)
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


def _kill_on_this_machine(capabilities: Mapping[str, Any], settings: BrowserSettings) -> bool:
    """The last resort against a frozen browser of a driver beside us; behind a Grid, pids mean nothing."""
    beside_us = urlsplit(settings.webdriver_url).hostname in ("127.0.0.1", "localhost", "::1")
    pid = capabilities.get("goog:processID")
    if not beside_us or pid is None or "se:cdp" in capabilities:
        return False
    try:
        # The pid may be another process's by now.
        if b"--remote-debugging" not in Path("/proc", str(pid), "cmdline").read_bytes():
            return False
        os.kill(int(pid), signal.SIGKILL)
    except OSError:
        return False
    return True


async def finish_undisturbed(cleanup: Awaitable[object]) -> None:
    """Awaits a clean-up to its end, also when cancelled once more meanwhile."""
    running = asyncio.ensure_future(cleanup)
    cancelled = False
    while not running.done():
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            cancelled = True
    running.result()
    if cancelled:
        raise asyncio.CancelledError
