"""Our own Chrome DevTools socket: it can interrupt a blocked browser, and it hears what the network and console do.

Selenium's commands queue behind one another; this socket does not, so the event loop uses it for deadlines. What it
keeps in memory leaves out bodies and headers, which hold passwords and cookies.
"""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from services.runner.browser.authentication import Authentication, DevToolsSilent
from services.runner.browser.connection import split_userinfo

_KEPT = 400


@dataclass(slots=True)
class Exchange:
    """One request of a page. `status` and `error` (`ERR_...`) are None while unknown; `sent`: it had a connection.

    `asks_for_password`: the answer asked for HTTP authentication. `loader` tells which document it belongs to.
    """

    url: str
    method: str
    main_document: bool
    background: bool
    status: int | None = None
    error: str | None = None
    sent: bool = False
    ended: bool = False
    asks_for_password: bool = False
    loader: str = ""


class DevTools:
    """Bound to one browser; the event loop writes, the attempt's thread may read `exchanges` and `console_errors`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.exchanges: deque[Exchange] = deque(maxlen=_KEPT)
        self.heard = 0
        self.console_errors: deque[str] = deque(maxlen=50)
        self._by_request: dict[str, Exchange] = {}
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, str] = {}
        self._documents: dict[str | None, str] = {}
        self._left: set[str] = set()
        # The loop itself keeps tasks only weakly.
        self._listening: list[asyncio.Future[None]] = []
        self._sending: deque[asyncio.Future[None]] = deque(maxlen=_KEPT)
        self._authentication: Authentication | None = None
        self._loop = asyncio.get_running_loop()
        self._attached = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, address: str) -> "DevTools":
        """Connects and listens to every page of the browser. Raises OSError, aiohttp.ClientError, TimeoutError."""
        async with asyncio.timeout(5):
            tools = cls(await http.ws_connect(address, max_msg_size=0, autoping=True))
            await tools.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
            await tools._attached.wait()
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

    @contextmanager
    def answering(self, origin: str, username: str, password: str) -> Iterator[None]:
        """For the attempt's thread. Raises DevToolsSilent."""
        self._authentication = Authentication(self.call, origin, username, password)
        self._from_thread(self._everywhere("Fetch.enable", handleAuthRequests=True, patterns=[{"urlPattern": "*"}]))
        try:
            yield
        finally:
            self._from_thread(self._everywhere("Fetch.disable"))
            self._authentication = None

    async def _everywhere(self, method: str, **params: Any) -> None:
        for session in list(self._pages):
            await self.call(method, session=session, **params)

    def _from_thread(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=5)

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
        if method == "Target.attachedToTarget" and params["targetInfo"]["type"] == "page":
            self._listening.append(
                asyncio.ensure_future(self._listen(params["sessionId"], params["targetInfo"]["targetId"]))
            )
        elif method == "Target.detachedFromTarget":
            self._pages.pop(params["sessionId"], None)
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.console_errors.append(str(params["entry"].get("text", ""))[:500])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            described = details.get("exception", {}).get("description") or details.get("text", "")
            self.console_errors.append(str(described)[:500])
        elif method.startswith("Fetch.") and self._authentication is not None:
            self._sending.append(asyncio.ensure_future(self._authentication.take(method, params, session)))
        elif method.startswith("Network."):
            self._note_exchange(method, params, self._pages.get(session))

    async def _listen(self, session: str, target: str) -> None:
        self._pages[session] = target
        try:
            # A window that a page opens does not load before all who listen, not the driver alone, let it go on.
            await self.call("Runtime.runIfWaitingForDebugger", session=session)
            for domain in ("Network", "Log", "Runtime"):
                await self.call(f"{domain}.enable", session=session)
            # A window that a page opens waits for every debugger, whoever asked it to.
            await self.call("Runtime.runIfWaitingForDebugger", session=session)
        except DevToolsSilent:
            return
        finally:
            self._attached.set()

    def _note_exchange(self, method: str, params: Mapping[str, Any], target: str | None) -> None:
        number = params.get("requestId", "")
        if method == "Network.requestWillBeSent":
            kind = params.get("type")
            before = self._by_request.get(number)
            if before is not None and "redirectResponse" in params:
                # A redirect keeps its request's id.
                before.status, before.sent, before.ended = params["redirectResponse"]["status"], True, True
            main = kind == "Document" and params.get("frameId") == target
            request = params["request"]
            exchange = Exchange(request["url"], request["method"], main, kind in ("XHR", "Fetch"))
            exchange.loader = params.get("loaderId", "")
            exchange.ended = exchange.loader in self._left
            self._by_request[number] = exchange
            self.exchanges.append(exchange)
            self.heard += 1
            while len(self._by_request) > _KEPT:
                del self._by_request[next(iter(self._by_request))]
            return
        exchange_or_none = self._by_request.get(number)
        if exchange_or_none is None:
            return
        if method == "Network.requestWillBeSentExtraInfo":
            exchange_or_none.sent = True
        elif method == "Network.responseReceived":
            exchange_or_none.status = params["response"]["status"]
            headers = {name.lower() for name in params["response"].get("headers", {})}
            exchange_or_none.asks_for_password = "www-authenticate" in headers
            exchange_or_none.sent = True
            if exchange_or_none.main_document:
                self._arrive(target, exchange_or_none.loader)
        elif method == "Network.loadingFailed":
            exchange_or_none.error = str(params.get("errorText", "")).removeprefix("net::")
            exchange_or_none.ended = True
        elif method == "Network.loadingFinished":
            exchange_or_none.ended = True

    def _arrive(self, target: str | None, loader: str) -> None:
        """At a new document. Of what the former one had under way, the end is not always told."""
        former = self._documents.get(target, loader)
        self._documents[target] = loader
        if former != loader:
            self._left.add(former)
            for exchange in self.exchanges:
                exchange.ended = exchange.ended or exchange.loader == former


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
