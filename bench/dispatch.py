"""How late due moments reach the broker: `python -m bench.dispatch [N ...] [--per-second 200] [--seconds 30]`.

N interval schedules on real PostgreSQL, RabbitMQ and Valkey, one scheduler process as it is run anywhere. Lateness runs
from the due moment to the broker's confirm, both by the database's clock. Prints one JSON line for each N.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from sqlalchemy import text

from services.scheduler.__main__ import PLAN_EVERY_SECONDS
from shared.database import connect
from shared.domain.schedule import Timing, shard_of
from tests.servers.postgres import PostgresServer
from tests.servers.process import servers_folder
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.valkey import ValkeyServer

WARM_UP_SECONDS = 5
START_WITHIN_SECONDS = 30

_SCHEDULES = text("""
    INSERT INTO schedules (id, kind, shard, next_due, interval_seconds, timezone, jitter_seconds, overlap, catch_up,
                           start_deadline_seconds, priority, lane)
    SELECT id, 'check', shard, next_due, :interval, 'UTC', 0, 'allow', 'latest', 3600, 1, 'browser.bench'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:shards AS smallint[]), CAST(:next_dues AS timestamptz[]))
        AS s(id, shard, next_due)
""")
_REPORT = text("SELECT report FROM replicas WHERE kind = 'scheduler' ORDER BY renewed_at DESC LIMIT 1")


async def measure(servers: tuple[PostgresServer, RabbitMQ, ValkeyServer], count: int, args: Any) -> dict[str, Any]:
    """The figures for one number of schedules; durations in milliseconds and seconds as named."""
    postgres, rabbitmq, valkey = servers
    database_url, amqp_url = await postgres.create_database(), await rabbitmq.create_vhost()
    await valkey.flush()
    engine = connect(database_url, application_name="bench")
    async with engine.begin() as connection:
        interval = max(1, round(count / args.per_second))
        now = (await connection.execute(text("SELECT now()"))).scalar_one()
        await connection.execute(_SCHEDULES, _schedules(count, interval, now + timedelta(seconds=3)))
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE"))
    environment = os.environ | {
        "PARAKEET_DATABASE_URL": database_url,
        "PARAKEET_AMQP_URL": amqp_url,
        "PARAKEET_REDIS_URL": valkey.url,
        "PARAKEET_LOG_LEVEL": "WARNING",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.scheduler", env=environment)
    try:
        await _until_dispatching(engine)
        await asyncio.sleep(WARM_UP_SECONDS)
        watched = psutil.Process(process.pid)
        before, cpu_before, began = await _report(engine), _cpu(watched), time.monotonic()
        await asyncio.sleep(args.seconds)
        after, cpu_after, seconds = await _report(engine), _cpu(watched), time.monotonic() - began
        return {
            "schedules": count,
            "interval_seconds": interval,
            "dispatched_per_second": round((after["dispatched"] - before["dispatched"]) / seconds, 1),
            "lateness_ms": after["lateness_ms"],
            "cpu_cores": round((cpu_after - cpu_before) / seconds, 3),
            "memory_mb": round(watched.memory_info().rss / 1e6, 1),
            "tick_seconds": PLAN_EVERY_SECONDS,
        }
    finally:
        process.terminate()
        await process.wait()
        await engine.dispose()
        await rabbitmq.delete_vhost(amqp_url)
        await postgres.drop_database(database_url)


def _schedules(count: int, interval: int, after: datetime) -> dict[str, Any]:
    ids = [uuid4() for _ in range(count)]
    return {
        "interval": interval,
        "ids": ids,
        "shards": [shard_of(each) for each in ids],
        "next_dues": [Timing(each, interval_seconds=interval).due_after(after) for each in ids],
    }


async def _until_dispatching(engine: Any) -> None:
    async with asyncio.timeout(START_WITHIN_SECONDS):
        while not (await _report(engine)).get("dispatched"):
            await asyncio.sleep(0.2)


async def _report(engine: Any) -> dict[str, Any]:
    async with engine.connect() as connection:
        return (await connection.execute(_REPORT)).scalar_one_or_none() or {}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Due-to-confirmed lateness of one scheduler process.")
    parser.add_argument("counts", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--per-second", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=25)
    args = parser.parse_args()
    with servers_folder() as folder:
        servers = PostgresServer(folder / "p"), RabbitMQ(folder / "r"), ValkeyServer(folder / "v")
        try:
            for server in servers:
                await server.start()
            for count in args.counts:
                print(json.dumps(await measure(servers, count, args)), flush=True)
        finally:
            for server in servers:
                await server.stop()


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    asyncio.run(main())
