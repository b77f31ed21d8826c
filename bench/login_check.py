"""What a log-in check costs beside the same log-in as a bare Selenium script: `python -m bench.login_check`.

Both log in to the demo partner Acme through the same chromedriver, in turn, each in a fresh browser; first one at a
time, then 2 and 4 at once. The check also finds the form by itself, proves that the session is kept by loading the page
again, and takes its evidence but for screenshots of steps (`check_with_pictures` takes those as well, as by default);
the bare script is told the form's selectors and looks for one element. `reused` is the bare script in a browser that
stays open, with its cookies deleted before each log-in. Prints one JSON line for each number at once: medians, and the
median ratio of the pairs.
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

from bench.rig import machine
from examples.shop.app import PASSWORD, USERNAME
from services.embedded.driver import Driver, find_or_install
from services.embedded.process import LOOPBACK, free_port
from services.runner.browser.attempt import BrowserTask, CheckTask, Credentials, Session
from services.runner.browser.run import run_browser_task
from services.runner.browser.settings import SAFE_CHROMIUM_ARGUMENTS, BrowserSettings
from tests.servers.process import server_process, servers_folder

PASSWORD_FIELD = (By.CSS_SELECTOR, "input[type=password]")


def new_browser(driver_url: str) -> Remote:
    options = ChromeOptions()
    for argument in (*SAFE_CHROMIUM_ARGUMENTS, "--no-sandbox"):
        options.add_argument(argument)
    return Remote(driver_url, options=options)


def bare_script(driver_url: str, entry_point: str) -> None:
    """The log-in as one would write it by hand for this one page."""
    driver = new_browser(driver_url)
    try:
        bare_log_in(driver, entry_point)
    finally:
        driver.quit()


def bare_log_in(driver: Remote, entry_point: str) -> None:
    driver.get(entry_point)
    driver.find_element(By.CSS_SELECTOR, "input:not([type=password]):not([type=hidden])").send_keys(USERNAME)
    driver.find_element(*PASSWORD_FIELD).send_keys(PASSWORD)
    driver.find_element(By.CSS_SELECTOR, "form button").click()
    WebDriverWait(driver, 10, poll_frequency=0.05).until(invisibility_of_element_located(PASSWORD_FIELD))
    driver.get_screenshot_as_png()


def bare_again(driver: Remote, entry_point: str) -> None:
    driver.delete_all_cookies()
    bare_log_in(driver, entry_point)


async def check(driver_url: str, entry_point: str, pictures: str = "never") -> None:
    """The same log-in as the runner does it; `pictures`: its policy for screenshots of steps."""
    task = BrowserTask(
        scheduled_job_id="bench",
        attempt=1,
        partner="acme",
        checks=(CheckTask("login", entry_point, Credentials(USERNAME, PASSWORD)),),
        browser="chromium",
        capabilities={"browserName": "chrome"},
        timeout_seconds=60,
        slow_after_seconds=None,
        spend_code=lambda account, step: True,
        step_screenshots=pictures,
    )

    async def on_session(_: Session) -> None:
        return None

    report = await run_browser_task(task, BrowserSettings(driver_url, no_sandbox=True), on_session=on_session)
    if not report.outcome.success:
        raise RuntimeError(f"{report.outcome.code}: {report.outcome.message}")


Work = Callable[[int], Awaitable[None]]


async def timed(work: Work, at_once: int, driver: psutil.Process) -> tuple[float, float]:
    """Wall seconds until all are done, and CPU seconds of this process, the driver and its browsers, dead or alive."""
    began, cpu = time.monotonic(), _cpu(driver)
    await asyncio.gather(*(work(number) for number in range(at_once)))
    return time.monotonic() - began, _cpu(driver) - cpu


def _cpu(driver: psutil.Process) -> float:
    ours, theirs = psutil.Process().cpu_times(), driver.cpu_times()
    found = ours.user + ours.system + theirs.user + theirs.system + theirs.children_user + theirs.children_system
    for process in driver.children(recursive=True):
        with suppress(psutil.Error):
            times = process.cpu_times()
            found += times.user + times.system + times.children_user + times.children_system
    return float(found)


async def measure(driver: Driver, entry_point: str, runs: int, at_once: int) -> dict[str, Any]:
    """The figures for so many at once. Seconds are those of one round of them, CPU seconds those of one log-in."""
    watched = psutil.Process(driver.pid)
    kept = [await asyncio.to_thread(new_browser, driver.url) for _ in range(at_once)]
    kinds: dict[str, Work] = {
        "check": lambda _: check(driver.url, entry_point),
        "check_with_pictures": lambda _: check(driver.url, entry_point, "on_failure"),
        "bare": lambda _: asyncio.to_thread(bare_script, driver.url, entry_point),
        "reused": lambda number: asyncio.to_thread(bare_again, kept[number], entry_point),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    try:
        for run in range(runs + 1):
            for name, work in kinds.items():
                figures = await timed(work, at_once, watched)
                if run:  # the first of each warms the caches
                    found[name].append(figures)
    finally:
        for browser in kept:
            await asyncio.to_thread(browser.quit)
    seconds = {name: statistics.median(wall for wall, _ in figures) for name, figures in found.items()}
    cpu = {name: statistics.median(used for _, used in figures) / at_once for name, figures in found.items()}
    pairs = list(zip(found["check"], found["bare"], strict=True))
    return {
        "bench": "login_check",
        "at_once": at_once,
        "runs": runs,
        "ratio_seconds": round(statistics.median(ours[0] / bare[0] for ours, bare in pairs), 3),
        "ratio_cpu": round(statistics.median(ours[1] / bare[1] for ours, bare in pairs), 3),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "cpu_seconds_each": {name: round(value, 3) for name, value in cpu.items()},
        "per_minute": {name: round(60 * at_once / value, 1) for name, value in seconds.items()},
        **machine(),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description="A log-in check beside a bare Selenium script.")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--at-once", type=int, nargs="*", default=[1, 2, 4])
    args = parser.parse_args()
    with servers_folder() as folder:
        port = free_port()
        command = [sys.executable, "-m", "examples.shop", "--host", LOOPBACK, "--port", str(port)]
        shop = server_process("shop", command, folder / "shop")
        driver = Driver(folder / "driver", await find_or_install())
        try:
            await shop.start(lambda: answers(f"http://{LOOPBACK}:{port}/control"))
            await driver.start()
            for at_once in args.at_once:
                found = await measure(driver, f"http://{LOOPBACK}:{port}/acme/login", args.runs, at_once)
                print(json.dumps(found), flush=True)
        finally:
            await driver.stop()
            await shop.kill()


async def answers(url: str) -> bool:
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return answer.ok
    return False


if __name__ == "__main__":
    os.environ.setdefault("NO_PROXY", LOOPBACK)
    asyncio.run(main())
