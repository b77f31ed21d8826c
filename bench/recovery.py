"""How long catching up takes after 60 s without one part: `python -m bench.recovery [--outage 60] [--per-second 200]`.

Callbacks due at a steady rate, two schedulers, two runners, an endpoint that answers at once. Each part in turn is
taken away for the time of the outage: all schedulers, all runners, PostgreSQL, RabbitMQ, Valkey. Measured from its
return until no result is more than 2 s behind its due moment. Prints one JSON line.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
from sqlalchemy.exc import SQLAlchemyError

from bench.rig import Rig, installation, machine, servers
from services.embedded.process import free_port

JOBS = 2_000
SETTLE_SECONDS = 10
PARTS = ("schedulers", "runners", "postgres", "rabbitmq", "valkey")
# Behind: a moment that is due for more than 2 s and has no result yet.
_BEHIND = """
    SELECT (SELECT count(*) FROM scheduled_jobs WHERE due_at < clock_timestamp() - interval '2 seconds')
         + (SELECT count(*) FROM schedules WHERE next_due < clock_timestamp() - interval '2 seconds')
"""
_LOST = """
    SELECT count(*) FROM (
        SELECT due_at, lag(due_at) OVER (PARTITION BY schedule_id ORDER BY due_at) AS before FROM job_results) moments
    WHERE before IS NOT NULL AND due_at - before <> make_interval(secs => :interval)
"""


class Processes:
    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.running: dict[str, list[psutil.Process]] = {"schedulers": [], "runners": []}

    async def start(self, part: str) -> None:
        module = {"schedulers": "services.scheduler", "runners": "services.runner"}[part]
        self.running[part] = [await self._rig.start(module, PARAKEET_LOG_LEVEL="ERROR") for _ in range(2)]

    async def kill(self, part: str) -> None:
        for process in self.running[part]:
            process.kill()
        await self._rig.stop(*self.running[part])


@asynccontextmanager
async def without(part: str, rig: Rig, processes: Processes) -> AsyncIterator[None]:
    """The part is gone inside, killed as `kill -9` would, and back after."""
    server = {"postgres": rig.postgres, "rabbitmq": rig.rabbitmq, "valkey": rig.valkey}.get(part)
    await (processes.kill(part) if server is None else server.kill())
    yield
    await (processes.start(part) if server is None else server.start())


async def measure(rig: Rig, url: str, args: Any) -> dict[str, Any]:
    interval = max(1, round(JOBS / args.per_second))
    await rig.add_callbacks(JOBS, url=url, interval_seconds=interval, after=await rig.now())
    processes = Processes(rig)
    for part in ("schedulers", "runners"):
        await processes.start(part)
    found = {}
    for part in args.parts:
        await rig.until(lambda: _caught_up(rig), seconds=300)
        await asyncio.sleep(SETTLE_SECONDS)
        if part == "rabbitmq":
            await rig.rabbitmq.settle()
        async with without(part, rig, processes):
            await asyncio.sleep(args.outage)
        back = time.monotonic()
        await rig.until(lambda: _caught_up(rig), seconds=600)
        found[part] = round(time.monotonic() - back, 1)
        print(f"{part}: caught up after {found[part]} s", file=sys.stderr, flush=True)
    return {
        "bench": "recovery",
        "outage_seconds": args.outage,
        "per_second": args.per_second,
        "caught_up_after_seconds": found,
        "recorded": await rig.value("SELECT count(*) FROM job_results"),
        "gaps": await rig.value(_LOST, interval=interval),
        **machine(),
    }


async def _caught_up(rig: Rig) -> bool:
    try:
        return bool(await rig.value(_BEHIND) == 0)
    except (SQLAlchemyError, OSError):
        return False  # it is not back yet


async def main() -> None:
    parser = argparse.ArgumentParser(description="Catching up after an outage of each part.")
    parser.add_argument("parts", nargs="*", default=PARTS)
    parser.add_argument("--outage", type=float, default=60)
    parser.add_argument("--per-second", type=int, default=200)
    args = parser.parse_args()
    port = free_port()
    endpoint = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.endpoint", str(port), "0"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert endpoint.stdout is not None
        await endpoint.stdout.readline()
        async with servers() as started, installation(*started) as rig:
            print(json.dumps(await measure(rig, f"http://127.0.0.1:{port}/", args)), flush=True)
    finally:
        endpoint.terminate()
        await endpoint.wait()


if __name__ == "__main__":
    asyncio.run(main())
