"""Tells open pages that something changed: one look at the database a second, and only while somebody listens."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.dependencies import Resources
from services.api.infrastructure.grid import read_grid
from services.api.infrastructure.schemas import GridView
from services.api.pages.shared_drawing import SharedDrawing

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 15.0
GRID_SECONDS = 5.0
RETRY_MILLISECONDS = 2000
CHANGED, STALE = "changed", "stale"

# Of jobs only what stays few: each of their moments ends in a result, which changes it anyway.
_FINGERPRINT = text("""
    SELECT concat_ws('|',
        (SELECT max(recorded_at) FROM job_results),
        (SELECT md5(string_agg(concat_ws(',', partner, browser, "check", state, since), ';'
                ORDER BY partner, browser, "check")) FROM check_states),
        (SELECT md5(string_agg(concat_ws(',', id, next_due), ';' ORDER BY id)) FROM schedules
           WHERE job_id IS NULL),
        (SELECT md5(string_agg(concat_ws(',', id, checks, paused_at, paused_reason, paused_until), ';' ORDER BY id))
           FROM job_configurations),
        (SELECT md5(string_agg(concat_ws(',', code, name, active, inactive_reason, tags), ';' ORDER BY code))
           FROM partners),
        (SELECT concat_ws(',', count(*), max(updated_at)) FROM jobs),
        (SELECT md5(string_agg(concat_ws(',', job_id, state, since), ';' ORDER BY job_id)) FROM job_states
           WHERE state <> 'working'),
        (SELECT string_agg(concat_ws(',', kind, alive), ';' ORDER BY kind) FROM (
            SELECT kind, count(*) AS alive FROM replicas WHERE renewed_at > clock_timestamp() - interval '3 seconds'
            GROUP BY kind) AS replicas),
        (SELECT string_agg(node, ';' ORDER BY node) FROM grid_nodes WHERE avoided_until > now()),
        (SELECT count(*) > 0 FROM scheduled_jobs WHERE state = 'planned' AND run_after <= clock_timestamp()),
        (SELECT count(*) FROM job_results WHERE recorded_at > now() - interval '1 hour'
            AND outcome_class = 'infrastructure_failure'))
""")


class Live:
    """The one broadcaster of an application. `version` names what the last look saw."""

    def __init__(self) -> None:
        self.closed = False
        self.version: str | None = None
        self.status = SharedDrawing()
        self._listeners: set[asyncio.Queue[str]] = set()
        self._task: asyncio.Task[None] | None = None
        self._grid: tuple[float, GridView] | None = None
        self._asking_grid = asyncio.Lock()

    def close(self) -> None:
        """Ends every stream. Call it when the server is told to stop: it waits for streams before anything else."""
        self.closed = True
        for listener in self._listeners:
            listener.put_nowait("")
        if self._task is not None:
            self._task.cancel()

    async def listen(self, resources: Resources) -> AsyncIterator[str]:
        """Server-sent events, until closed. The first tells the version, for a page that is older than the stream."""
        listener: asyncio.Queue[str] = asyncio.Queue()
        self._listeners.add(listener)
        if self._task is None or self._task.done():
            self.version = None
            self._task = asyncio.create_task(self._watch(resources))
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n"
            if self.version is not None:
                yield _event(CHANGED, self.version)
            while not self.closed:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                        yield await listener.get()
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def grid(self, webdriver_url: str | None) -> GridView:
        """The Grid's account, asked for at most every few seconds: a silent Grid takes 2 s to not answer."""
        async with self._asking_grid:
            if self._grid is None or time.monotonic() - self._grid[0] > GRID_SECONDS:
                self._grid = (time.monotonic(), await read_grid(webdriver_url))
            return self._grid[1]

    async def read_version(self, session: AsyncSession, webdriver_url: str | None) -> str:
        """Changes when a page would look different, apart from times that pass."""
        grid = await self.grid(webdriver_url)
        ledger = (await session.execute(_FINGERPRINT)).scalar_one()
        return hashlib.sha256(f"{ledger}|{grid.model_dump_json()}".encode()).hexdigest()[:16]

    async def _watch(self, resources: Resources) -> None:
        failing = False
        while not self.closed:
            try:
                async with resources.sessions.begin() as session:
                    version = await self.read_version(session, resources.settings.webdriver_url)
                if failing or version != self.version:
                    self.version = version
                    self._tell(_event(CHANGED, version))
                failing = False
            except (SQLAlchemyError, OSError) as error:
                if not failing:
                    log.warning("live_updates_paused", error=type(error).__name__)
                    self._tell(_event(STALE, ""))
                failing = True
            await asyncio.sleep(POLL_SECONDS)

    def _tell(self, event: str) -> None:
        for listener in self._listeners:
            listener.put_nowait(event)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
