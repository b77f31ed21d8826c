"""Many due at one second: `python -m bench.herd [N] [--run-now 200]`.

N callbacks come due at one moment, and a second later some are asked for by run now. One scheduler, one runner, an
endpoint that answers at once. Measured from the due moment: until the last broker's confirm, and until the last
result. The order is kept when every run now starts before most of the herd: `run_now_overtook` is the part of the herd
that started after the last of them. Prints one JSON line.
"""

import argparse
import asyncio
import json
import sys
from datetime import datetime
from typing import Any

from bench.rig import Rig, in_seconds, installation, machine, servers
from services.embedded.process import free_port

LEAD_SECONDS = 8
MONTH_SECONDS = 31 * 86_400
_RUN_NOW = """
    INSERT INTO scheduled_jobs (id, schedule_id, origin, due_at, kind, shard, lane, priority, overlap, job_id,
                                run_after, start_by)
    SELECT gen_random_uuid(), id, 'manual', now(), kind, shard, lane, 0, 'allow', job_id, now(),
           now() + interval '1 hour'
    FROM schedules ORDER BY id LIMIT :count
"""
_LAST_CONFIRM = """
    SELECT extract(epoch FROM (report->>'last_confirm')::timestamptz - :due) FROM replicas WHERE kind = 'scheduler'
"""
# Later moments of the same schedules are not of the herd.
_RESULTS = "SELECT count(*) FROM job_results WHERE due_at = :due OR origin = 'manual'"
_LAST_RESULT = "SELECT extract(epoch FROM max(recorded_at) - :due) FROM job_results WHERE due_at = :due"
_OVERTOOK = """
    SELECT avg((executed_at > (SELECT max(executed_at) FROM job_results WHERE origin = 'manual'))::int)
    FROM job_results WHERE due_at = :due
"""
_EARLY = "SELECT count(*) FROM job_results WHERE executed_at < due_at"


async def measure(rig: Rig, count: int, run_now: int, url: str) -> dict[str, Any]:
    await rig.start("services.scheduler")
    await rig.start("services.runner", PARAKEET_CALLBACK_SLOTS="200", PARAKEET_CALLBACKS_PER_HOST="200")
    due = in_seconds(await rig.now(), LEAD_SECONDS + count / 10_000)
    await rig.add_callbacks(count, url=url, interval_seconds=MONTH_SECONDS, after=due, due=due)

    async def is_due() -> bool:
        return bool(await rig.now() > in_seconds(due, 1))

    await rig.until(is_due, seconds=60)
    await rig.execute(_RUN_NOW, count=run_now)
    await rig.until(lambda: _all_recorded(rig, due, count + run_now), seconds=300)
    return {
        "bench": "herd",
        "due_at_once": count,
        "run_now": run_now,
        "last_confirm_after_seconds": round(float(await rig.value(_LAST_CONFIRM, due=due)), 1),
        "last_result_after_seconds": round(float(await rig.value(_LAST_RESULT, due=due)), 1),
        "recorded": await rig.value(_RESULTS, due=due),
        "early": await rig.value(_EARLY),
        "run_now_overtook": round(float(await rig.value(_OVERTOOK, due=due)), 3),
        **machine(),
    }


async def _all_recorded(rig: Rig, due: datetime, count: int) -> bool:
    return bool(await rig.value(_RESULTS, due=due) == count)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Many callbacks due at one second.")
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--run-now", type=int, default=200)
    args = parser.parse_args()
    port = free_port()
    endpoint = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.endpoint", str(port), "0"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert endpoint.stdout is not None
        await endpoint.stdout.readline()
        async with servers() as started, installation(*started) as rig:
            print(json.dumps(await measure(rig, args.count, args.run_now, f"http://127.0.0.1:{port}/")), flush=True)
    finally:
        endpoint.terminate()
        await endpoint.wait()


if __name__ == "__main__":
    asyncio.run(main())
