"""What every bench needs: real servers, an installation of its own on them, and processes as they are run anywhere."""

import asyncio
import json
import os
import platform
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.domain.schedule import Timing, shard_of
from tests.servers.postgres import PostgresServer
from tests.servers.process import ROOT, servers_folder
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.valkey import ValkeyServer

RETRY = {"attempts": 1, "min_backoff_seconds": 1, "max_backoff_seconds": 10, "max_age_seconds": 3600}
AT_ONCE = 50_000

_JOBS = text("""
    INSERT INTO jobs (id, name, schedule, callback_url, http_method, payload, success, max_redirects, timeout_seconds,
                      retry, overlap, catch_up, start_deadline_seconds, jitter_seconds, failing_after, working_after,
                      priority)
    SELECT id, 'Bench', CAST(:schedule AS jsonb), :url, 'post', '{"from": "bench"}', '{"status_codes": ["200-299"]}', 0,
           30, CAST(:retry AS jsonb), 'allow', 'all', 3600, 0, 2, 1, 'normal'
    FROM unnest(CAST(:ids AS uuid[])) AS j(id)
""")
_SCHEDULES = text("""
    INSERT INTO schedules (id, kind, shard, next_due, interval_seconds, timezone, jitter_seconds, overlap, catch_up,
                           start_deadline_seconds, priority, lane, job_id)
    SELECT id, 'callback', shard, next_due, :interval, 'UTC', 0, 'allow', 'all', 3600, 1, 'http', job_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:shards AS smallint[]), CAST(:next_dues AS timestamptz[]),
                CAST(:jobs AS uuid[])) AS s(id, shard, next_due, job_id)
""")


@dataclass
class Rig:
    """One installation on its own database, virtual host and processes."""

    folder: Path
    postgres: PostgresServer
    rabbitmq: RabbitMQ
    valkey: ValkeyServer
    database_url: str
    amqp_url: str
    engine: AsyncEngine
    secret_key: str = field(default_factory=lambda: Fernet.generate_key().decode())
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def now(self) -> datetime:
        return await self.value("SELECT clock_timestamp()")

    async def value(self, query: str, **values: Any) -> Any:
        """The first column of the first row; None without one."""
        async with self.engine.connect() as connection:
            row = (await connection.execute(text(query), values)).first()
        return None if row is None else row[0]

    async def execute(self, statement: str, **values: Any) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), values)

    async def add_callbacks(
        self, count: int, *, url: str, interval_seconds: int, after: datetime, due: datetime | None = None
    ) -> list[UUID]:
        """Jobs, each with its schedule: next due at its own phase after `after`, or all at `due`. Schedule ids."""
        made: list[UUID] = []
        async with self.engine.begin() as connection:
            for start in range(0, count, AT_ONCE):
                ids = [uuid4() for _ in range(min(AT_ONCE, count - start))]
                jobs = [uuid4() for _ in ids]
                given = {"schedule": json.dumps({"interval_seconds": interval_seconds}), "retry": json.dumps(RETRY)}
                await connection.execute(_JOBS, {"ids": jobs, "url": url, **given})
                rows = {
                    "ids": ids,
                    "shards": [shard_of(each) for each in ids],
                    "jobs": jobs,
                    "interval": interval_seconds,
                    "next_dues": [
                        due or Timing(each, interval_seconds=interval_seconds).due_after(after) for each in ids
                    ],
                }
                await connection.execute(_SCHEDULES, rows)
                made += ids
        async with self.engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE"))
        return made

    async def start(self, module: str, *arguments: str, **settings: str) -> psutil.Process:
        environment = os.environ | {
            "PARAKEET_DATABASE_URL": self.database_url,
            "PARAKEET_AMQP_URL": self.amqp_url,
            "PARAKEET_REDIS_URL": self.valkey.url,
            "PARAKEET_WEBDRIVER_URL": "http://127.0.0.1:9",
            "PARAKEET_SECRET_KEYS": self.secret_key,
            "PARAKEET_EVIDENCE_DIR": str(self.folder / "evidence"),
            "PARAKEET_CALLBACK_ALLOW": "127.0.0.1",
            "PARAKEET_LOG_LEVEL": "WARNING",
            **settings,
        }
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, env=environment)
        self.processes.append(process)
        return psutil.Process(process.pid)

    async def stop(self, *which: psutil.Process) -> None:
        """All of its processes, or only these."""
        ids = {process.pid for process in which}
        ending = [process for process in self.processes if not ids or process.pid in ids]
        for process in ending:
            if process.returncode is None:
                process.terminate()
        for process in ending:
            await process.wait()
            self.processes.remove(process)

    async def until(self, look: Callable[[], Awaitable[Any]], seconds: float, every: float = 0.1) -> Any:
        """What `look` returns, once that is something."""
        async with asyncio.timeout(seconds):
            while not (found := await look()):
                if any(process.returncode for process in self.processes):
                    raise RuntimeError("a process of the bench ended with an error")
                await asyncio.sleep(every)
            return found


@asynccontextmanager
async def servers() -> AsyncIterator[tuple[Path, PostgresServer, RabbitMQ, ValkeyServer]]:
    os.chdir(ROOT)
    with servers_folder() as folder:
        started = PostgresServer(folder / "p"), RabbitMQ(folder / "r"), ValkeyServer(folder / "v")
        try:
            await asyncio.gather(*(server.start() for server in started))
            yield (folder, *started)
        finally:
            for server in started:
                await server.stop()


@asynccontextmanager
async def installation(
    folder: Path, postgres: PostgresServer, rabbitmq: RabbitMQ, valkey: ValkeyServer
) -> AsyncIterator[Rig]:
    """An empty installation on these servers; its processes end with it."""
    database_url, amqp_url = await postgres.create_database(), await rabbitmq.create_vhost()
    await valkey.flush()
    # Without the limits of the services: on a slow machine a million rows take longer than any of theirs.
    engine = create_async_engine(database_url)
    rig = Rig(folder, postgres, rabbitmq, valkey, database_url, amqp_url, engine)
    try:
        yield rig
    finally:
        await rig.stop()
        await engine.dispose()
        await rabbitmq.delete_vhost(amqp_url)
        await postgres.drop_database(database_url)


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def in_seconds(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=seconds)


def machine() -> dict[str, Any]:
    """What the figures were measured on; PostgreSQL runs without fsync, as in the tests."""
    return {"cores": os.cpu_count(), "python": platform.python_version(), "fsync": "off"}
