"""How late due moments reach the broker: `python -m bench.dispatch [N ...] [--per-second 500] [--saturate]`.

N schedules on real PostgreSQL, RabbitMQ and Valkey, one scheduler process as it is run anywhere. Lateness runs from the
due moment to the broker's confirm, both by the database's clock; start-up from the start of the process to its first
dispatch. `--saturate` instead has a backlog due at once, and counts what one and two processes dispatch per second.
Nobody consumes. Prints one JSON line for each N.
"""

import argparse
import asyncio
import json
import time
from typing import Any

from bench.rig import Rig, cpu_seconds, in_seconds, installation, machine, servers
from services.scheduler.__main__ import PLAN_EVERY_SECONDS

WARM_UP_SECONDS = 5
IDLE_SECONDS = 10
BACKLOG = 30_000

_SKIP_PAST = """
    UPDATE schedules SET next_due = next_due + interval_seconds * interval '1 second'
    WHERE next_due < now() + interval '1 second'
"""
_REPORT = "SELECT report FROM replicas WHERE kind = 'scheduler' ORDER BY started_at DESC LIMIT 1"
_DISPATCHED = "SELECT count(*) FROM scheduled_jobs WHERE state = 'dispatched'"


async def measure(rig: Rig, count: int, args: Any) -> dict[str, Any]:
    """The figures for one number of schedules; durations in milliseconds and seconds as named."""
    interval = max(1, round(count / args.per_second))
    await rig.add_callbacks(count, url="http://127.0.0.1/", interval_seconds=interval, after=await rig.now())
    # What came due while they were made would be a backlog, and no steady state.
    await rig.execute(_SKIP_PAST)
    started = time.monotonic()
    process = await rig.start("services.scheduler")
    await rig.until(lambda: _has_dispatched(rig), seconds=60)
    ready_after = time.monotonic() - started
    await asyncio.sleep(WARM_UP_SECONDS)
    before, cpu_before, began = await _report(rig), cpu_seconds(process), time.monotonic()
    await asyncio.sleep(args.seconds)
    after, cpu_after, seconds = await _report(rig), cpu_seconds(process), time.monotonic() - began
    memory = process.memory_info().rss
    # With everything due in an hour only, what is left is what a tick costs by itself.
    await rig.stop()
    await rig.execute("UPDATE schedules SET next_due = now() + interval '1 hour'")
    await rig.execute("DELETE FROM scheduled_jobs")
    process = await rig.start("services.scheduler")
    await asyncio.sleep(WARM_UP_SECONDS)
    idle_before, idle_began = cpu_seconds(process), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    idle = (cpu_seconds(process) - idle_before) / (time.monotonic() - idle_began)
    return {
        "bench": "dispatch",
        "schedules": count,
        "interval_seconds": interval,
        "first_dispatch_after_seconds": round(ready_after, 1),
        "dispatched_per_second": round((after["dispatched"] - before["dispatched"]) / seconds, 1),
        "lateness_ms": after["lateness_ms"],
        "cpu_cores": round((cpu_after - cpu_before) / seconds, 3),
        "idle_cpu_cores": round(idle, 3),
        "memory_mb": round(memory / 1e6, 1),
        "tick_seconds": PLAN_EVERY_SECONDS,
        **machine(),
    }


async def saturate(rig: Rig, count: int) -> dict[str, Any]:
    """What one and then two processes dispatch of a backlog, per second."""
    rates = {}
    for processes in (1, 2):
        await rig.execute("DELETE FROM schedules")
        await rig.add_callbacks(
            count, url="http://127.0.0.1/", interval_seconds=3600, after=await rig.now(), due=await _just_passed(rig)
        )
        await rig.execute("TRUNCATE scheduled_jobs")
        for _ in range(processes):
            await rig.start("services.scheduler")
        await rig.until(lambda: _more_dispatched(rig, 500), seconds=60)
        first, began = await rig.value(_DISPATCHED), time.monotonic()
        await rig.until(lambda: _more_dispatched(rig, count), seconds=120)
        rates[processes] = (count - first) / (time.monotonic() - began)
        await rig.stop()
    return {
        "bench": "dispatch_saturation",
        "backlog": count,
        "one_process_per_second": round(rates[1]),
        "two_processes_per_second": round(rates[2]),
        "ratio": round(rates[2] / rates[1], 2),
        **machine(),
    }


async def _just_passed(rig: Rig) -> Any:
    return in_seconds(await rig.now(), -1)


async def _more_dispatched(rig: Rig, count: int) -> bool:
    return bool(await rig.value(_DISPATCHED) >= count)


async def _report(rig: Rig) -> dict[str, Any]:
    return await rig.value(_REPORT) or {}


async def _has_dispatched(rig: Rig) -> bool:
    return bool((await _report(rig)).get("dispatched"))


async def main() -> None:
    parser = argparse.ArgumentParser(description="Due-to-confirmed lateness of one scheduler process.")
    parser.add_argument("counts", nargs="*", type=int)
    parser.add_argument("--per-second", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=25)
    parser.add_argument("--saturate", action="store_true")
    args = parser.parse_args()
    async with servers() as started:
        for count in args.counts or ([BACKLOG] if args.saturate else [1_000, 100_000, 1_000_000]):
            async with installation(*started) as rig:
                found = await (saturate(rig, count) if args.saturate else measure(rig, count, args))
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
