"""What a log-in check costs beside the same log-in as a bare Selenium script: `python -m bench.login_check`.

Both log in to the demo partner Acme through the same chromedriver, in turn, each in a fresh browser. The check also
finds the form by itself, proves that the session is kept by loading the page again, and takes its evidence; the bare
script is told the form's selectors and looks for one element. Prints one JSON line: medians, and the median ratio of
the pairs.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import psutil
from selenium.webdriver import ChromeOptions, Remote
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import invisibility_of_element_located
from selenium.webdriver.support.wait import WebDriverWait

from examples.shop.app import PASSWORD, USERNAME
from services.embedded.driver import Driver, find_or_install
from services.embedded.process import LOOPBACK, free_port
from services.runner.browser.attempt import BrowserTask, CheckTask, Credentials, Session
from services.runner.browser.run import run_browser_task
from services.runner.browser.settings import SAFE_CHROMIUM_ARGUMENTS, BrowserSettings
from tests.servers.process import server_process, servers_folder

PASSWORD_FIELD = (By.CSS_SELECTOR, "input[type=password]")


def bare_script(driver_url: str, entry_point: str) -> None:
    """The log-in as one would write it by hand for this one page."""
    options = ChromeOptions()
    for argument in (*SAFE_CHROMIUM_ARGUMENTS, "--no-sandbox"):
        options.add_argument(argument)
    driver = Remote(driver_url, options=options)
    try:
        driver.get(entry_point)
        driver.find_element(By.CSS_SELECTOR, "input:not([type=password]):not([type=hidden])").send_keys(USERNAME)
        driver.find_element(*PASSWORD_FIELD).send_keys(PASSWORD)
        driver.find_element(By.CSS_SELECTOR, "form button").click()
        WebDriverWait(driver, 10, poll_frequency=0.05).until(invisibility_of_element_located(PASSWORD_FIELD))
        driver.get_screenshot_as_png()
    finally:
        driver.quit()


async def check(driver_url: str, entry_point: str) -> None:
    """The same log-in as the runner does it."""
    task = BrowserTask(
        scheduled_job_id="bench",
        attempt=1,
        partner="acme",
        checks=(CheckTask("login", entry_point, Credentials(USERNAME, PASSWORD)),),
        browser="chromium",
        capabilities={"browserName": "chrome"},
        timeout_seconds=60,
        slow_after_seconds=None,
    )

    async def on_session(_: Session) -> None:
        return None

    report = await run_browser_task(task, BrowserSettings(driver_url, no_sandbox=True), on_session=on_session)
    if not report.outcome.success:
        raise RuntimeError(f"{report.outcome.code}: {report.outcome.message}")


async def timed(work: Callable[[], Awaitable[None]], driver: psutil.Process) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of this process, the driver and the browsers it has reaped."""
    began, cpu = time.monotonic(), _cpu(driver)
    await work()
    return time.monotonic() - began, _cpu(driver) - cpu


def _cpu(driver: psutil.Process) -> float:
    ours, theirs = psutil.Process().cpu_times(), driver.cpu_times()
    return float(ours.user + ours.system + theirs.user + theirs.system + theirs.children_user + theirs.children_system)


async def measure(driver: Driver, entry_point: str, runs: int) -> dict[str, Any]:
    watched = psutil.Process(driver.pid)
    kinds: dict[str, Callable[[], Awaitable[None]]] = {
        "check": lambda: check(driver.url, entry_point),
        "bare": lambda: asyncio.to_thread(bare_script, driver.url, entry_point),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for run in range(runs + 1):
        for name, work in kinds.items():
            figures = await timed(work, watched)
            if run:  # the first of each warms the caches
                found[name].append(figures)
    pairs = list(zip(found["check"], found["bare"], strict=True))
    return {
        "runs": runs,
        **{
            f"{name}_{unit}": round(statistics.median(pair[index] for pair in figures), 3)
            for name, figures in found.items()
            for index, unit in enumerate(("seconds", "cpu_seconds"))
        },
        "ratio_seconds": round(statistics.median(ours[0] / bare[0] for ours, bare in pairs), 3),
        "ratio_cpu": round(statistics.median(ours[1] / bare[1] for ours, bare in pairs), 3),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description="A log-in check beside a bare Selenium script.")
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    with servers_folder() as folder:
        port = free_port()
        command = [sys.executable, "-m", "examples.shop", "--host", LOOPBACK, "--port", str(port)]
        shop = server_process("shop", command, folder / "shop")
        driver = Driver(folder / "driver", await find_or_install())
        try:
            await shop.start(lambda: _answers(f"http://{LOOPBACK}:{port}/control"))
            await driver.start()
            print(json.dumps(await measure(driver, f"http://{LOOPBACK}:{port}/acme/login", runs)))
        finally:
            await driver.stop()
            await shop.kill()


async def _answers(url: str) -> bool:
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return answer.ok
    return False


if __name__ == "__main__":
    os.environ.setdefault("NO_PROXY", LOOPBACK)
    asyncio.run(main())
