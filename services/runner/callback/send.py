"""Sends HTTP callbacks: prepare, send, follow redirects, read, judge."""

import asyncio
import time
import traceback
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import (
    ClientConnectorError,
    ClientOSError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
)

from services.runner.callback.connection import PROGRESS, GuardedConnector, Progress
from services.runner.callback.control import ControlPage
from services.runner.callback.failures import Finding, TooManyRedirects, finding_of
from services.runner.callback.request import Request, redirected, request_of, secrets_of
from services.runner.callback.response import (
    KEPT_BYTES,
    SEARCHED_BYTES,
    LazyMask,
    charset_of,
    decoded,
    kept,
    read_body,
    retry_after_seconds,
)
from services.runner.callback.task import CallbackReport, CallbackTask
from shared.domain.address_guard import AddressGuard
from shared.domain.callback import CallbackFacts, judge_callback
from shared.domain.outcome import CODES_THE_NETWORK_MAY_CAUSE, Outcome

# For one connection with its TLS handshake; the task's own limit may be shorter, and holds for everything together.
CONNECT_SECONDS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A kept-alive connection may be closed by the target just when it is used again; receivers know repetitions by the id.
_FRESH_TRIES = 2
_TRACEBACK_LENGTH = 10_000


@dataclass(slots=True)
class _Sending:
    """What is known of one sending so far, also when it breaks off."""

    task: CallbackTask
    progress: Progress = field(default_factory=Progress)
    request: Request | None = None
    redirects: list[str] = field(default_factory=list)
    response: ClientResponse | None = None
    address: str | None = None
    body: bytearray = field(default_factory=bytearray)
    truncated: bool = False
    status_expected: bool | None = None
    body_matched: bool | None = None

    @property
    def port(self) -> int:
        return (self.request.url.port if self.request else None) or 0


class CallbackSender:
    """Sends at most `connections` callbacks at once; to be entered before, and left after the last one ended.

    When the network seems to fail, `control_url` is asked, outside of the guard and for at most 5 s beyond the task's
    own limit.
    """

    def __init__(self, guard: AddressGuard, *, connections: int, control_url: str | None = None) -> None:
        self._guard = guard
        self._slots = asyncio.Semaphore(connections)
        self._control = ControlPage(control_url)
        self._stack = AsyncExitStack()
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._control.close)
        self._session = await self._stack.enter_async_context(
            ClientSession(
                connector=GuardedConnector(self._guard),
                timeout=ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=DummyCookieJar(),
                headers={"User-Agent": "Parakeet"},
                trust_env=False,
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def send(self, task: CallbackTask) -> CallbackReport:
        """Raises nothing but CancelledError. The time that it waits for a place is not counted."""
        async with self._slots:
            started_at, started = datetime.now(UTC), time.perf_counter()
            sending = _Sending(task)
            PROGRESS.set(sending.progress)
            finding, trace = Finding(), None
            try:
                async with asyncio.timeout(task.timeout_seconds):
                    await self._exchange(sending, int(started_at.timestamp()))
            except Exception as error:
                finding = finding_of(error, sending.progress, self._guard, sending.port)
                trace = traceback.format_exc()[-_TRACEBACK_LENGTH:] if finding.fault else None
            duration = time.perf_counter() - started
            try:
                return await self._report(sending, finding, trace, started_at, duration)
            except Exception as error:
                outcome = Outcome("internal_error", f"An error of Parakeet's own: {type(error).__name__}.")
                return CallbackReport(outcome, started_at, duration, None, None, False, None)

    async def _exchange(self, sending: _Sending, timestamp: int) -> None:
        task = sending.task
        request = sending.request = request_of(task, timestamp)
        while True:
            response = sending.response = await self._request(request, sending.progress)
            sending.address = sending.progress.peer
            try:
                location = response.headers.get("location") if response.status in _REDIRECTS else None
                sending.status_expected = task.success.expects(response.status)
                if location is None or sending.status_expected or task.max_redirects == 0:
                    await _read(sending, response)
                    return
            finally:
                if not response.closed:
                    response.close()
            if len(sending.redirects) >= task.max_redirects:
                raise TooManyRedirects
            following = redirected(request, response.status, location, task)
            sending.redirects.append(str(request.url))
            request = sending.request = following

    async def _request(self, request: Request, progress: Progress) -> ClientResponse:
        assert self._session is not None, "to be used inside of `async with`"
        tries = 0
        while True:
            try:
                return await self._session.request(
                    request.method, request.url, headers=request.headers, data=request.body, allow_redirects=False
                )
            except (ServerDisconnectedError, ClientOSError) as error:
                stale = progress.connected and progress.reused and not isinstance(error, ClientConnectorError)
                if not stale or tries == _FRESH_TRIES:
                    raise
                tries += 1

    async def _report(
        self, sending: _Sending, finding: Finding, trace: str | None, started_at: datetime, duration: float
    ) -> CallbackReport:
        mask = LazyMask(tuple(secrets_of(sending.task)))
        response = sending.response
        outcome = await self._judge(sending, finding, duration)
        retry_after = response.headers.get("retry-after") if response is not None else None
        return CallbackReport(
            outcome=outcome if outcome.success else Outcome(outcome.code, mask.text(outcome.message)),
            started_at=started_at,
            duration_seconds=duration,
            response=_kept(sending, response, mask) if response is not None else None,
            retry_after_seconds=None if outcome.success else retry_after_seconds(retry_after, datetime.now(UTC)),
            forbidden=finding.forbidden is not None,
            traceback=mask.text(trace) if trace is not None else None,
        )

    async def _judge(self, sending: _Sending, finding: Finding, duration: float) -> Outcome:
        facts = _facts(sending, finding, duration, None)
        outcome = judge_callback(facts)
        if finding.network is None or outcome.code not in CODES_THE_NETWORK_MAY_CAUSE:
            return outcome
        failed = await self._control.failed()
        return judge_callback(_facts(sending, finding, duration, failed)) if failed else outcome


async def _read(sending: _Sending, response: ClientResponse) -> None:
    wanted = sending.task.success.body_contains
    sending.truncated = True
    sending.truncated = await read_body(response.content, SEARCHED_BYTES if wanted else KEPT_BYTES, sending.body)
    if wanted:
        sending.body_matched = wanted in decoded(sending.body, charset_of(response))


def _facts(sending: _Sending, finding: Finding, duration: float, control_page_failed: bool | None) -> CallbackFacts:
    url = sending.request.url if sending.request else None
    forbidden = finding.forbidden
    if forbidden is not None and sending.redirects and url is not None:
        forbidden = f"redirected to {url.host}, and {forbidden}"
    return CallbackFacts(
        host=(url.authority if url else "") or "The target",
        duration_seconds=duration,
        timeout_seconds=sending.task.timeout_seconds,
        slow_after_seconds=sending.task.slow_after_seconds,
        forbidden=forbidden,
        fault=finding.fault,
        network=finding.network,
        detail=finding.detail,
        status=sending.response.status if sending.response is not None else None,
        status_expected=sending.status_expected,
        body_matched=sending.body_matched,
        control_page_failed=control_page_failed,
    )


def _kept(sending: _Sending, response: ClientResponse, mask: LazyMask) -> dict[str, Any]:
    return kept(response, sending.body, sending.truncated, sending.redirects, sending.address, mask)
