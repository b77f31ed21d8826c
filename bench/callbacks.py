"""Callbacks of one runner beside a bare aiohttp loop: `python -m bench.callbacks [--count 2000] [--at-once 100]`.

Both post the same document to the same endpoint, which answers after 200 ms, with as many at once. The loop only
sends; the runner takes each from RabbitMQ, claims it, guards the address, and records attempt, result and state in
PostgreSQL. The endpoint, PostgreSQL and RabbitMQ share the machine with both. Prints one JSON line; `ratio` is the
runner's rate as a part of the loop's, medians of the rounds.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from typing import Any

import uvloop

from bench.rig import Rig, cpu_seconds, installation, machine, servers
from services.embedded.process import free_port
from shared.queue import Message
from shared.queue.rabbitmq import RabbitQueue

_DISPATCHED = """
    INSERT INTO scheduled_jobs (id, schedule_id, origin, due_at, kind, shard, lane, priority, overlap, job_id, state,
                                run_after, start_by, dispatched_at)
    SELECT gen_random_uuid(), id, 'schedule', now(), kind, shard, lane, priority, overlap, job_id, 'dispatched',
           now(), now() + interval '1 hour', now()
    FROM schedules
"""
_RECORDED = "SELECT count(*) FROM job_results WHERE outcome_code = 'success'"
_SECONDS = "SELECT extract(epoch FROM max(recorded_at) - min(executed_at)) FROM job_results"


async def bare_loop(url: str, count: int, at_once: int) -> dict[str, float]:
    """In a process of its own, as the runner is."""
    arguments = (sys.executable, "-m", "bench.bare_loop", url, str(count), str(at_once))
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    found: dict[str, float] = json.loads(output)
    return found


async def runner(rig: Rig, url: str, count: int, at_once: int) -> dict[str, float]:
    await rig.add_callbacks(count, url=url, interval_seconds=86_400, after=await rig.now())
    await rig.execute(_DISPATCHED)
    queue = RabbitQueue(rig.amqp_url)
    try:
        async with rig.engine.connect() as connection:
            rows = (await connection.exec_driver_sql("SELECT id FROM scheduled_jobs")).scalars().all()
        for start in range(0, count, 500):
            await asyncio.gather(*(queue.publish(Message(each, 0, "http")) for each in rows[start : start + 500]))
    finally:
        await queue.close()
    process = await rig.start(
        "services.runner", PARAKEET_CALLBACK_SLOTS=str(at_once), PARAKEET_CALLBACKS_PER_HOST=str(at_once)
    )

    async def all_recorded() -> bool:
        return bool(await rig.value(_RECORDED) == count)

    await rig.until(all_recorded, seconds=120)
    seconds, cpu = float(await rig.value(_SECONDS)), cpu_seconds(process)
    await rig.stop(process)
    return {"per_second": count / seconds, "cpu_ms_per_job": cpu * 1000 / count}


async def measure(args: Any) -> dict[str, Any]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    bare, ours = [], []
    async with servers() as started:
        endpoint = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.endpoint", str(port), "200"), stdout=asyncio.subprocess.PIPE
        )
        assert endpoint.stdout is not None
        await endpoint.stdout.readline()
        try:
            for _ in range(args.rounds):
                bare.append(await bare_loop(url, args.count, args.at_once))
                async with installation(*started) as rig:
                    ours.append(await runner(rig, url, args.count, args.at_once))
        finally:
            endpoint.terminate()
            await endpoint.wait()
    median = {
        name: {key: round(statistics.median(each[key] for each in rounds), 2) for key in rounds[0]}
        for name, rounds in (("bare_loop", bare), ("runner", ours))
    }
    ratios = [mine["per_second"] / loop["per_second"] for mine, loop in zip(ours, bare, strict=True)]
    return {
        "bench": "callbacks",
        "count": args.count,
        "at_once": args.at_once,
        "answer_after_ms": 200,
        **median,
        "ratio": round(statistics.median(ratios), 3),
        "recorded": args.count,
        **machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Callbacks of one runner beside a bare aiohttp loop.")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    started = time.monotonic()
    found = uvloop.run(measure(args))
    print(json.dumps(found | {"took_seconds": round(time.monotonic() - started)}), flush=True)


if __name__ == "__main__":
    main()
