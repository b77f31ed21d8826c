"""How a process of ours lives: duties that repeat until it is told to stop, and a pulse that nothing can starve."""

import asyncio
import signal
import threading
import time
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

log = structlog.get_logger(__name__)

MAX_BACKOFF_SECONDS = 5.0


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` on the first SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


async def repeat(name: str, duty: Callable[[], Awaitable[None]], every_seconds: float, stop: asyncio.Event) -> None:
    """Do the duty again and again. An error is logged and waited out, doubling; it never ends the loop."""
    backoff = every_seconds
    while not stop.is_set():
        started = time.monotonic()
        try:
            await duty()
            backoff = every_seconds
        except Exception as error:
            log.warning("duty_failed", duty=name, error=f"{type(error).__name__}: {error}"[:500])
            backoff = min(max(backoff * 2, 0.5), MAX_BACKOFF_SECONDS)
        await wait_for(stop, max(0.0, backoff - (time.monotonic() - started)))


class Pulse:
    """Does one small thing on the database every so often, in a thread and on a connection of its own.

    A renewal must not depend on the event loop it vouches for: a busy loop would look dead, and lose its work.
    """

    def __init__(
        self, name: str, database_url: str, every_seconds: float, beat: Callable[[asyncpg.Connection], Awaitable[None]]
    ) -> None:
        self._url = database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
        self._every = every_seconds
        self._beat = beat
        self._last = float("-inf")
        self._stop = threading.Event()
        self._first = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=name, daemon=True)

    @property
    def age_seconds(self) -> float:
        """Since the last beat that succeeded, by the monotonic clock, counted from when that beat began."""
        return time.monotonic() - self._last

    async def start(self, timeout_seconds: float = 30) -> None:
        """Returns after the first beat. Raises TimeoutError when the database does not answer in time."""
        self._thread.start()
        if not await asyncio.to_thread(self._first.wait, timeout_seconds):
            raise TimeoutError("the database did not answer")

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.to_thread(self._thread.join, 5)

    async def _run(self) -> None:
        connection: asyncpg.Connection | None = None
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if connection is None or connection.is_closed():
                    connection = await asyncpg.connect(self._url, timeout=2, command_timeout=2)
                await asyncio.wait_for(self._beat(connection), 2)
                self._last = began
                self._first.set()
            except Exception as error:  # whatever it was, a pulse that ends would stop the whole process's work
                log.warning("pulse_missed", pulse=self._thread.name, error=type(error).__name__)
                if connection is not None:
                    connection.terminate()
                    connection = None
            self._stop.wait(max(0.05, self._every - (time.monotonic() - began)))
        if connection is not None:
            await connection.close(timeout=1)
