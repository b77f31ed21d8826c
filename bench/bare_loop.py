"""The limit for callbacks: a loop that only sends. `python -m bench.bare_loop URL COUNT AT_ONCE`, one JSON line."""

import asyncio
import json
import sys
import time

import aiohttp
import uvloop


async def send_all(url: str, count: int, at_once: int) -> dict[str, float]:
    slots = asyncio.Semaphore(at_once)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:

        async def send() -> None:
            async with slots, session.post(url, json={"from": "bench"}) as answer:
                assert answer.status == 200
                await answer.read()

        started = time.monotonic()
        await asyncio.gather(*(send() for _ in range(count)))
        seconds = time.monotonic() - started
    return {"per_second": count / seconds, "cpu_ms_per_job": time.process_time() * 1000 / count}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(send_all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
