"""Hundreds of checks through one Selenium Grid: does anything pile up? `python -m bench.endurance [--checks 500]`.

The checks are mixed: logged in, refused, no form, server errors, and one in ten on a page that hangs until its limit.
Counted on both sides, this process and the Grid: processes, threads, open files, sessions and memory, after a tenth of
the checks, when all pools are filled, and at the end. Prints one JSON line.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil

from bench.login_check import answers
from bench.rig import machine
from examples.shop.app import PASSWORD, USERNAME
from services.embedded.process import LOOPBACK, free_port
from services.runner.browser.attempt import BrowserTask, CheckTask, Credentials, Session
from services.runner.browser.run import run_browser_task
from services.runner.browser.settings import BrowserSettings
from tests.servers.grid import LASTING, StandaloneGrid
from tests.servers.process import server_process, servers_folder

AT_ONCE = 2
# The Grid is told to collect every 10 s while it is idle, and counts as idle after a while.
COLLECTING_SECONDS = 60
# By turns: the partner's path, the password, the limit in seconds.
KINDS = (
    *(("acme", PASSWORD, 60),) * 3,
    ("globex", PASSWORD, 60),
    ("spa", PASSWORD, 60),
    *(("initech", "last-years", 60),) * 2,
    ("umbrella", PASSWORD, 60),
    ("hooli", PASSWORD, 60),
    ("hang", PASSWORD, 4),
)


async def check(grid_url: str, shop_url: str, number: int) -> str:
    """Returns the code of the outcome."""
    partner, password, limit = KINDS[number % len(KINDS)]
    task = BrowserTask(
        scheduled_job_id="bench",
        attempt=1,
        partner=partner,
        checks=(CheckTask("login", f"{shop_url}/{partner}/login", Credentials(USERNAME, password)),),
        browser="chromium",
        capabilities={"browserName": "chrome", "pk:profile": "desktop"},
        timeout_seconds=limit,
        slow_after_seconds=None,
        spend_code=lambda account, step: True,
        patience_seconds=3,
    )

    async def on_session(_: Session) -> None:
        return None

    settings = BrowserSettings(grid_url, acquire_seconds=60, no_sandbox=os.geteuid() == 0)
    return (await run_browser_task(task, settings, on_session=on_session)).outcome.code


async def run(grid: StandaloneGrid, shop_url: str, checks: int) -> dict[str, Any]:
    outcomes = Counter[str]()

    async def work_off(numbers: Iterator[int]) -> None:
        for number in numbers:
            outcomes[await check(grid.url, shop_url, number)] += 1

    async def all_of(numbers: range) -> dict[str, int]:
        left = iter(numbers)
        await asyncio.gather(*(work_off(left) for _ in range(AT_ONCE)))
        return await count(grid)

    began = time.monotonic()
    after_a_tenth = await all_of(range(checks // 10))
    at_the_end = await all_of(range(checks // 10, checks))
    took = time.monotonic() - began - 2 * COLLECTING_SECONDS
    return {
        "bench": "endurance",
        "checks": outcomes.total(),
        "per_minute": round(60 * checks / took, 1),
        "outcomes": dict(outcomes.most_common()),
        "after_a_tenth": after_a_tenth,
        "at_the_end": at_the_end,
        **machine(),
    }


async def count(grid: StandaloneGrid) -> dict[str, int]:
    """What is left of this process and of the Grid when nothing runs; memory in MB."""
    await asyncio.sleep(COLLECTING_SECONDS)
    for _ in range(100):
        slots = [slot for node in (await grid.status())["nodes"] for slot in node["slots"]]
        sessions = sum(slot["session"] is not None for slot in slots)
        browsers = _browsers(str(grid.folder))
        if not sessions and not browsers:
            break
        await asyncio.sleep(0.1)
    ours, theirs = psutil.Process(), psutil.Process(grid.pid)
    return {
        "sessions": sessions,
        "browser_processes": browsers,
        "threads": ours.num_threads(),
        "open_files": ours.num_fds(),
        "memory_mb": round(ours.memory_info().rss / 1e6),
        "grid_threads": theirs.num_threads(),
        "grid_open_files": theirs.num_fds(),
        "grid_memory_mb": round(theirs.memory_info().rss / 1e6),
    }


def _browsers(folder: str) -> int:
    """Drivers and browsers that the Grid started, orphans too: they inherit its folder for temporary files."""
    found = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            inside = process.environ().get("TMPDIR", "").startswith(folder)
            found += inside and process.name().startswith("chrom") and process.status() != psutil.STATUS_ZOMBIE
    return found


async def main() -> None:
    parser = argparse.ArgumentParser(description="Many checks through one Grid.")
    parser.add_argument("--checks", type=int, default=500)
    checks = parser.parse_args().checks
    with servers_folder() as folder:
        port = free_port()
        command = [sys.executable, "-m", "examples.shop", "--host", LOOPBACK, "--port", str(port)]
        shop, grid = (
            server_process("shop", command, folder / "shop"),
            StandaloneGrid(folder / "grid", java_options=LASTING),
        )
        try:
            await shop.start(lambda: answers(f"http://{LOOPBACK}:{port}/control"))
            await grid.start()
            print(json.dumps(await run(grid, f"http://{LOOPBACK}:{port}", checks)))
        finally:
            await grid.stop()
            await shop.kill()


if __name__ == "__main__":
    os.environ.setdefault("NO_PROXY", LOOPBACK)
    asyncio.run(main())
