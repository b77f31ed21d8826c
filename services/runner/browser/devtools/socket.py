"""Our own Chrome DevTools socket: it can interrupt a blocked browser, and it hears what the network and console do.

Selenium's commands queue behind one another; this socket does not, so the event loop uses it for deadlines, and
pictures are taken through it while the check goes on.
"""

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from services.runner.browser.connection import split_userinfo
from services.runner.browser.devtools.authentication import Authentication, DevToolsSilent
from services.runner.browser.devtools.console_log import ConsoleLog
from services.runner.browser.devtools.network_log import NetworkLog

_MOST_SENDING = 400


class DevTools:
    """Bound to one browser; the event loop writes, the attempt's thread may read `network` and `console`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.network = NetworkLog()
        self.console = ConsoleLog()
        self.loop = asyncio.get_running_loop()
        # One picture at a time: the end of one uncovers what must be hidden in another.
        self.taking = asyncio.Lock()
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, str] = {}
        # Frames of other sites are processes, and so targets, of their own: each session with that of its page.
        self._frames: dict[str, str] = {}
        # The loop itself keeps tasks only weakly.
        self._listening: list[asyncio.Future[None]] = []
        self._sending: deque[asyncio.Future[None]] = deque(maxlen=_MOST_SENDING)
        self._authentication: Authentication | None = None
        self._attached = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, address: str) -> "DevTools":
        """Connects and listens to every page of the browser.

        Raises OSError, aiohttp.ClientError, TimeoutError, DevToolsSilent.
        """
        async with asyncio.timeout(5):
            tools = cls(await http.ws_connect(address, max_msg_size=0, autoping=True))
            try:
                await tools.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
                await tools._attached.wait()
            except BaseException:
                await tools.close()
                raise
        return tools

    async def call(
        self, method: str, *, session: str | None = None, seconds: float = 2.0, **params: Any
    ) -> dict[str, Any]:
        """One command and its result. Raises DevToolsSilent."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._socket.send_str(json.dumps(message))
                result: dict[str, Any] = await answer
                return result
        except (TimeoutError, ConnectionError, aiohttp.ClientError) as error:
            raise DevToolsSilent(method) from error
        finally:
            self._answers.pop(number, None)

    async def stop_loading(self) -> None:
        """Frees a blocked navigation; the page stays usable."""
        for session in list(self._pages):
            try:
                await self.call("Page.stopLoading", session=session, seconds=0.5)
            except DevToolsSilent:
                continue

    async def answers(self) -> bool:
        """Whether the browser process is alive, even if its page hangs."""
        try:
            await self.call("Browser.getVersion", seconds=2.0)
        except DevToolsSilent:
            return False
        return True

    async def opens(self, url: str, seconds: float) -> bool:
        """Whether a page of ours opens in a new tab of the same browser, answering below 400."""
        target = None
        try:
            async with asyncio.timeout(seconds):
                target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
                attached = await self.call("Target.attachToTarget", targetId=target, flatten=True)
                page = attached["sessionId"]
                moved = await self.call("Page.navigate", session=page, seconds=seconds, url=url)
                if moved.get("errorText"):
                    return False
                script = "performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0"
                read = await self.call("Runtime.evaluate", session=page, seconds=seconds, expression=script)
                return int(read.get("result", {}).get("value", 0)) < 400
        except (DevToolsSilent, TimeoutError, KeyError):
            return False
        finally:
            if target is not None:
                # The next check of the session must find the page that the driver is at as the only one.
                with suppress(DevToolsSilent):
                    await self.call("Target.closeTarget", targetId=target)

    @contextmanager
    def answering(self, origin: str, username: str, password: str) -> Iterator[Authentication]:
        """For the attempt's thread. Raises DevToolsSilent."""
        answers = Authentication(self.call, origin, username, password)
        self._hold_requests(answers, {"urlPattern": "*"})
        try:
            yield answers
        finally:
            self._let_requests_go()

    @contextmanager
    def declining(self) -> Iterator[None]:
        """For the attempt's thread. Scripts get each answer: one that asks for HTTP authentication, as of a log-in that
        was refused, a browser keeps from them while a dialog of its own asks whoever sits there."""
        with suppress(DevToolsSilent, TimeoutError):
            self._hold_requests(Authentication(self.call), {"resourceType": "XHR"}, {"resourceType": "Fetch"})
        try:
            yield
        finally:
            with suppress(DevToolsSilent, TimeoutError):
                self._let_requests_go()

    def _hold_requests(self, authentication: Authentication, *patterns: Mapping[str, str]) -> None:
        self._authentication = authentication
        self._from_thread(self._everywhere("Fetch.enable", handleAuthRequests=True, patterns=patterns))

    def _let_requests_go(self) -> None:
        try:
            self._from_thread(self._everywhere("Fetch.disable"))
        finally:
            self._authentication = None

    async def _everywhere(self, method: str, **params: Any) -> None:
        for session in list(self._pages):
            await self.call(method, session=session, **params)

    def _from_thread(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=5)

    def sessions_of(self, target: str | None) -> list[str]:
        """The sessions of a page and of the frames in it that are apart, its own first; None: of the latest page."""
        pages = [session for session, page in self._pages.items() if target in (None, page)]
        return pages[-1:] + [frame for frame, page in self._frames.items() if page in pages[-1:]]

    def only_page(self) -> bool:
        return len(self._pages) == 1

    async def close_browser(self, seconds: float) -> None:
        with suppress(DevToolsSilent):
            await self.call("Browser.close", seconds=seconds)

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        try:
            async with asyncio.timeout(1):
                await self._socket.close()
        except (TimeoutError, aiohttp.ClientError, ConnectionError):
            pass

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._take(json.loads(frame.data))
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the DevTools socket is closed"))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            answer = self._answers.get(message["id"])
            if answer is not None and not answer.done():
                answer.set_result(message.get("result", {}))
            return
        method, params, session = message["method"], message["params"], message.get("sessionId", "")
        if method == "Target.attachedToTarget":
            self._attach(params["sessionId"], params["targetInfo"], session)
        elif method == "Target.detachedFromTarget":
            gone = self._pages.pop(params["sessionId"], None)
            if gone is not None:
                self.network.close(gone)
            self._frames.pop(params["sessionId"], None)
        elif method.startswith("Fetch.") and self._authentication is not None:
            self._sending.append(asyncio.ensure_future(self._authentication.take(method, params, session)))
        elif method.startswith("Network."):
            self.network.hear(method, params, self._pages.get(session), time.monotonic())
        elif method.startswith(("Log.", "Runtime.")):
            self.console.hear(method, params, time.monotonic())

    def _attach(self, session: str, info: Mapping[str, Any], parent: str) -> None:
        if info["type"] == "page":
            self._pages[session] = info["targetId"]
        elif info["type"] == "iframe":
            self._frames[session] = self._frames.get(parent, parent)
        else:
            return
        self._listening.append(asyncio.ensure_future(self._listen(session)))

    async def _listen(self, session: str) -> None:
        try:
            for domain in ("Network", "Log", "Runtime"):
                await self.call(f"{domain}.enable", session=session)
            # A window that a page opens does not load before all who listen, not the driver alone, let it go on.
            await self.call("Runtime.runIfWaitingForDebugger", session=session)
            await self.call(
                "Target.setAutoAttach", session=session, autoAttach=True, waitForDebuggerOnStart=False, flatten=True
            )
        except DevToolsSilent:
            return
        finally:
            self._attached.set()


async def devtools_address(
    http: aiohttp.ClientSession, capabilities: Mapping[str, Any], webdriver_url: str
) -> str | None:
    """Where the browser's DevTools socket is: behind the Grid, or beside a plain driver; None if it has none."""
    bare, _ = split_userinfo(webdriver_url)
    end = urlsplit(bare)
    behind_grid = capabilities.get("se:cdp")
    if behind_grid:
        # The Grid names itself as it sees itself, which need not be how we reach it.
        socket_url = urlsplit(str(behind_grid))
        return socket_url._replace(scheme="wss" if end.scheme == "https" else "ws", netloc=end.netloc).geturl()
    for vendor in ("goog:chromeOptions", "ms:edgeOptions"):
        debugger = capabilities.get(vendor, {}).get("debuggerAddress")
        if debugger:
            async with http.get(f"http://{debugger}/json/version", timeout=aiohttp.ClientTimeout(total=3)) as answer:
                return str((await answer.json(content_type=None))["webSocketDebuggerUrl"])
    return None
