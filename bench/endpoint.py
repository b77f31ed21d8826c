"""A callback target that answers 200 after a while: `python -m bench.endpoint PORT MILLISECONDS`.

`GET /count` says how many requests have come so far, itself not counted.
"""

import asyncio
import sys

import uvloop
from aiohttp import web


async def serve(port: int, milliseconds: int) -> None:
    seen = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        await request.read()
        await asyncio.sleep(milliseconds / 1000)
        return web.json_response({"ok": True})

    async def count(request: web.Request) -> web.Response:
        return web.json_response({"requests": seen})

    app = web.Application()
    app.router.add_get("/count", count)
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
