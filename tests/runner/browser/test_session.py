"""Getting a session, losing it, and leaving none behind: against a plain driver."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from services.embedded.driver import find
from services.embedded.process import LOOPBACK, ServerProcess, free_port
from services.runner.browser import session as session_module
from services.runner.browser.attempt import AttemptReport, Session
from services.runner.browser.failures import AcquireFailed
from services.runner.browser.grid.status import read_status
from services.runner.browser.run import run_browser_task
from services.runner.browser.session import acquire
from tests.patience import PATIENCE_SECONDS
from tests.runner.browser.conftest import Listener, browsers, settings_for, task_for
from tests.servers.process import server_process

_UNUSED_USER = 61987

Check = Callable[..., Coroutine[Any, Any, AttemptReport]]


async def test_a_closed_driver_port_is_an_unreachable_grid(check: Check, shop: str, closed_url: str) -> None:
    report = await check(f"{shop}/acme/login", webdriver_url=closed_url)
    assert report.outcome.code == "grid_unreachable"
    assert "Connection refused" in report.outcome.message
    assert report.session is None


async def test_a_silent_driver_is_an_unreachable_grid(check: Check, shop: str, silent: Listener) -> None:
    report = await check(f"{shop}/acme/login", webdriver_url=silent.url, acquire_seconds=1)
    assert report.outcome.code == "grid_unreachable"


async def test_another_server_in_place_of_the_driver_is_an_unreachable_grid(check: Check, shop: str) -> None:
    report = await check(f"{shop}/acme/login", webdriver_url=shop)
    assert report.outcome.code in ("grid_unreachable", "session_not_created"), report.outcome
    assert report.session is None


async def test_a_browser_that_exits_is_a_session_not_created(check: Check, shop: str) -> None:
    report = await check(f"{shop}/acme/login", browser_binary="/bin/false")
    assert report.outcome.code == "session_not_created"


async def test_a_browser_that_never_starts_is_a_session_not_created(check: Check, shop: str, tmp_path: Path) -> None:
    sleeper = tmp_path / "browser"
    sleeper.write_text("#!/bin/sh\nexec sleep 4\n")
    sleeper.chmod(0o755)
    report = await check(f"{shop}/acme/login", browser_binary=str(sleeper), acquire_seconds=1, cleanup_seconds=10)
    assert report.outcome.code == "session_not_created"
    assert "did not start" in report.outcome.message


async def test_a_killed_browser_is_a_crash(check: Check, silent: Listener) -> None:
    running = asyncio.create_task(check(f"{silent.url}/login", timeout_seconds=20))
    await silent.asked.wait()
    for process in browsers():
        process.kill()
    report = await running
    assert report.outcome.code == "browser_crashed", report.outcome
    # A browser that is gone shows nothing any more; what was heard of its network is still there.
    assert {piece.name for piece in report.evidence} <= {"network.json", "console.json"}


async def test_a_killed_tab_is_a_crash(check: Check, silent: Listener) -> None:
    running = asyncio.create_task(check(f"{silent.url}/login", timeout_seconds=20))
    await silent.asked.wait()
    for browser in browsers():
        for child in browser.children(recursive=True):
            if "--type=renderer" in child.cmdline():
                child.kill()
    report = await running
    assert report.outcome.code == "browser_crashed", report.outcome


async def test_a_frozen_browser_is_not_the_site_s_fault(check: Check, silent: Listener) -> None:
    running = asyncio.create_task(check(f"{silent.url}/login", timeout_seconds=3, cleanup_seconds=1))
    await silent.asked.wait()
    for process in browsers():
        if process.name().startswith("chromium"):
            process.suspend()
    report = await running
    assert report.outcome.code == "browser_crashed", report.outcome


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user of its own, with a limit on threads")
async def test_a_driver_without_threads_left_is_told_from_other_failures(check: Check, servers: Path) -> None:
    idle = await _driver_as_nobody(servers / "threads", limit=None)
    threads = psutil.Process(idle.pid).num_threads()
    await idle.kill()
    starved = await _driver_as_nobody(servers / "threads", limit=threads)
    report = await check("about:blank", webdriver_url=starved.url)
    await starved.kill()
    assert report.outcome.code == "native_thread_exhausted", report.outcome


async def test_a_full_disk_is_told_from_other_failures(check: Check, shop: str, servers: Path) -> None:
    with _full_disk(servers / "full") as folder:
        programs, port = find(), free_port()
        assert programs is not None
        url, environment = f"http://{LOOPBACK}:{port}", {"TMPDIR": str(folder)}
        driver = server_process("full-driver", [str(programs.driver), f"--port={port}"], servers, environment)
        await driver.start(lambda: _is_ready(url))
        report = await check(f"{shop}/acme/login", webdriver_url=url)
        await driver.kill()
    assert report.outcome.code == "out_of_resources", report.outcome


async def test_cancelling_a_check_closes_its_session(webdriver_url: str, silent: Listener) -> None:
    sessions: list[Session] = []

    async def note(session: Session) -> None:
        sessions.append(session)

    task = task_for(f"{silent.url}/login")
    running = asyncio.create_task(run_browser_task(task, settings_for(webdriver_url), on_session=note))
    await silent.asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(sessions) == 1
    assert not _attempt_threads()


async def test_cancelling_a_creation_half_way_leaves_no_browser(webdriver_url: str) -> None:
    running = asyncio.create_task(
        run_browser_task(task_for("about:blank"), settings_for(webdriver_url), on_session=_never)
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not browsers():
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not _attempt_threads()


async def test_a_creation_that_is_cancelled_while_its_failure_is_looked_into_leaves_no_thread(
    closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = asyncio.Event()

    async def look(*_: object) -> AcquireFailed:
        looking.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    monkeypatch.setattr(session_module, "refined", look)
    running = asyncio.create_task(acquire(task_for("about:blank"), settings_for(closed_url)))
    await looking.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not _attempt_threads()


async def test_what_the_caller_raises_is_our_error_and_closes_the_session(webdriver_url: str, shop: str) -> None:
    async def fail(session: Session) -> None:
        raise RuntimeError(f"the ledger is away, password parakeet-demo, {LOOPBACK}")

    task = task_for(f"{shop}/acme/login")
    report = await run_browser_task(task, settings_for(webdriver_url), on_session=fail)
    assert report.outcome.code == "internal_error"
    assert report.traceback is not None
    assert "RuntimeError" in report.traceback
    assert "parakeet-demo" not in report.outcome.message


async def test_proxies_of_the_environment_are_ignored(
    check: Check, shop: str, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", closed_url)
    monkeypatch.setenv("http_proxy", closed_url)
    report = await check(
        f"{shop}/umbrella/login", capabilities={"browserName": "chrome", "proxy": {"proxyType": "direct"}}
    )
    assert report.outcome.code == "login_form_not_found"


@dataclass
class _Starved:
    url: str
    process: ServerProcess

    @property
    def pid(self) -> int:
        return self.process.pid

    async def kill(self) -> None:
        await self.process.kill()


async def _driver_as_nobody(folder: Path, limit: int | None) -> _Starved:
    """chromedriver as a user that runs nothing else, so that its limit counts its own threads only."""
    programs, port = find(), free_port()
    assert programs is not None
    limited = ["prlimit", f"--nproc={limit}:{limit}"] if limit is not None else []
    user = ["setpriv", f"--reuid={_UNUSED_USER}", f"--regid={_UNUSED_USER}", "--clear-groups"]
    process = server_process("driver", [*limited, *user, str(programs.driver), f"--port={port}"], folder)
    starved = _Starved(f"http://{LOOPBACK}:{port}", process)

    await process.start(lambda: _is_ready(starved.url))
    return starved


async def _is_ready(url: str) -> bool:
    async with aiohttp.ClientSession() as http:
        return await read_status(http, url) is not None


@contextmanager
def _full_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few pages, all of them taken."""
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]).returncode:
        pytest.skip("a small file system can't be mounted here")
    try:
        (folder / "full").write_bytes(bytes(16 * 1024))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def _never(session: Session) -> None:
    await asyncio.Event().wait()


def _attempt_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("browser")]
