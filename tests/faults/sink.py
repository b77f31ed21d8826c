"""An HTTP server that keeps every request it gets, by message id, and answers as its path says.

`/ok`, `/after/{milliseconds}`, `/status/{code}` and `/hang` (until `release`); any method. It runs in a thread and loop
of its own, so that a busy test does not slow its answers; what it has kept can be read from anywhere.
"""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.patience import PATIENCE_SECONDS

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Received:
    """One request. `attempt` and `due_at` as the headers or the JSON of the body say; None where they do not."""

    path: str
    message_id: str
    attempt: int | None
    due_at: datetime | None
    received_at: datetime
    headers: dict[str, str]
    body: bytes


class Sink:
    """Use as `with Sink() as sink` or `async with`; `sink.url("/ok")` is where to send to."""

    def __init__(self, *, message_id_header: str = "webhook-id") -> None:
        self._header = message_id_header
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink", daemon=True)
        # Guards all below, and wakes those who wait for more requests.
        self._changed = threading.Condition()
        self._requests: list[Received] = []
        self._at_once = self._most_at_once = 0
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._in_loop(self._start()).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_loop(self._stop()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def url(self, path: str = "/ok") -> str:
        return f"http://{LOOPBACK}:{self.port}{path}"

    @property
    def requests(self) -> list[Received]:
        """All so far, in the order of their arrival."""
        with self._changed:
            return list(self._requests)

    def requests_by_message_id(self) -> dict[str, list[Received]]:
        found: dict[str, list[Received]] = defaultdict(list)
        for request in self.requests:
            found[request.message_id].append(request)
        return dict(found)

    @property
    def at_once(self) -> int:
        """Requests that wait for their answer now."""
        with self._changed:
            return self._at_once

    @property
    def most_at_once(self) -> int:
        with self._changed:
            return self._most_at_once

    async def await_requests(self, count: int, *, seconds: float = PATIENCE_SECONDS) -> list[Received]:
        """All so far, once there are `count`."""
        await self._until(lambda: len(self._requests) >= count, seconds, f"{count} requests")
        return self.requests

    async def await_at_once(self, count: int, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Until exactly so many requests wait for their answer."""
        await self._until(lambda: self._at_once == count, seconds, f"{count} requests at once")

    def release(self) -> None:
        """Answer what hangs, and what comes to `/hang` from now on, with 200."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def _until(self, reached: Callable[[], bool], seconds: float, what: str) -> None:
        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(reached, seconds)

        assert await asyncio.to_thread(wait), (
            f"not within {seconds:g} s: {what}; there are {len(self.requests)} requests"
        )

    def _in_loop(self, work: Any) -> "Future[None]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _start(self) -> None:
        application = web.Application(middlewares=[self._keep])
        application.router.add_route("*", "/ok", _ok)
        application.router.add_route("*", r"/after/{milliseconds:\d+}", _after)
        application.router.add_route("*", r"/status/{code:[1-9]\d\d}", _status)
        application.router.add_route("*", "/hang", self._hang)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        self._released.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _keep(self, request: web.Request, handler: Any) -> web.StreamResponse:
        received_at = datetime.now(UTC)
        received = _received(request, self._header, await request.read(), received_at)
        with self._changed:
            self._requests.append(received)
            self._at_once += 1
            self._most_at_once = max(self._most_at_once, self._at_once)
            self._changed.notify_all()
        try:
            answer: web.StreamResponse = await handler(request)
            return answer
        finally:
            with self._changed:
                self._at_once -= 1
                self._changed.notify_all()

    async def _hang(self, request: web.Request) -> web.Response:
        await self._released.wait()
        return web.Response(text="released")


async def _ok(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _after(request: web.Request) -> web.Response:
    await asyncio.sleep(int(request.match_info["milliseconds"]) / 1000)
    return web.Response(text="ok")


async def _status(request: web.Request) -> web.Response:
    code = int(request.match_info["code"])
    # Otherwise a client would follow it to nowhere, which is another fault than the one asked for.
    headers = {"Location": "/ok"} if 300 <= code < 400 else {}
    return web.Response(status=code, headers=headers)


def _received(request: web.Request, header: str, body: bytes, received_at: datetime) -> Received:
    said = {name.lower().replace("-", "_"): value for name, value in request.headers.items()}
    told = {**_object(body), **said}

    def about(name: str) -> Any:
        """A header of that name, with or without a prefix, goes before the field of the body."""
        return next((value for key, value in reversed(told.items()) if key == name or key.endswith(f"_{name}")), None)

    attempt, due_at = about("attempt"), about("due_at")
    return Received(
        path=request.path,
        message_id=request.headers.get(header, ""),
        attempt=int(attempt) if attempt is not None else None,
        due_at=datetime.fromisoformat(due_at) if due_at is not None else None,
        received_at=received_at,
        headers=dict(request.headers),
        body=body,
    )


def _object(body: bytes) -> dict[str, Any]:
    """The fields of a JSON body, and of its `data`; empty for any other."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    data = found.get("data")
    return {**found, **data} if isinstance(data, dict) else found
