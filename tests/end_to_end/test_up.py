"""`python -m services` in an empty folder: everything is there, everything ends, nothing is forgotten."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest_asyncio

from services.embedded.process import LOOPBACK, as_account, free_port
from tests.end_to_end.processes import answers, until
from tests.patience import PATIENCE_SECONDS, PLAIN_HTTP
from tests.servers.process import ROOT

EXPECTED = {
    "acme": "success",
    "globex": "success",
    "initech": "credentials_rejected",
    "cyberdyne": "success",
    "tyrell": "success",
    "slowpoke": "slow",
    "hooli": "http_5xx",
    "umbrella": "login_form_not_found",
    "vandelay": "connection_refused",
}


@dataclass
class OneProcess:
    folder: Path
    port: int
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    async def start(self) -> None:
        settings = {"PARAKEET_DATA_DIR": str(self.folder), "PARAKEET_PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        # It dies with us, and what it started dies with it.
        setpriv = as_account(None)
        wrapper = [*setpriv, "--pdeathsig", "KILL"] if setpriv else []
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*wrapper, sys.executable, "-m", "services"),
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        async def ready() -> bool:
            assert self.process is not None
            assert self.process.returncode is None, self.log.read_text()
            return await answers(f"{self.url}/readyz")

        await until(ready, what="readyz of the one process")

    async def interrupt(self) -> int:
        """The exit code after Ctrl-C."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    def processes(self) -> list[psutil.Process]:
        """It and what it started, in whatever sessions and process groups."""
        assert self.process is not None
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True), *self.strays()]

    def strays(self) -> list[psutil.Process]:
        """What names the data folder in its command, whoever its parent is."""
        found = psutil.process_iter(["cmdline"])
        return [each for each in found if any(str(self.folder) in part for part in each.info["cmdline"] or ())]

    async def results(self) -> dict[str, dict[str, Any]]:
        """Every result by id."""
        async with httpx.AsyncClient(**PLAIN_HTTP) as http:
            answer = await http.get(f"{self.url}/api/v1/job-results?limit=500")
        return {item["id"]: item for item in answer.raise_for_status().json()["items"]}


def judged(results: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """The outcomes of each partner, without a due moment that came during the first run and was skipped."""
    found: dict[str, set[str]] = {}
    for item in results.values():
        if item["kind"] == "check" and item["outcome"]["class"] != "not_run":
            found.setdefault(item["partner"], set()).add(item["outcome"]["code"])
    return found


def alive(process: psutil.Process) -> bool:
    """One that ended and only waits to be collected by its parent is not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest_asyncio.fixture
async def parakeet(servers: Path) -> AsyncIterator[OneProcess]:
    made = OneProcess(servers / "up", free_port())
    yield made
    if made.process is not None and made.process.returncode is None:
        await made.interrupt()


async def test_one_process_from_an_empty_folder_to_a_second_start(parakeet: OneProcess) -> None:
    await parakeet.start()
    async with httpx.AsyncClient(follow_redirects=True, **PLAIN_HTTP) as http:
        page = await http.get(parakeet.url)
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")

    async def all_judged() -> bool:
        results = await parakeet.results()
        called = any(item["kind"] == "callback" and item["outcome"]["success"] for item in results.values())
        return called and judged(results).keys() >= EXPECTED.keys()

    await until(all_judged, what="a result of every demo partner, and of the demo job that works")
    kept = await parakeet.results()
    assert judged(kept) == {partner: {code} for partner, code in EXPECTED.items()}

    processes = parakeet.processes()
    names = {process.name() for process in processes}
    assert any("postgres" in name for name in names), names
    assert any("chromedriver" in name for name in names), names
    assert await parakeet.interrupt() == 0, parakeet.log.read_text()[-3000:]
    assert [str(process) for process in processes if alive(process)] == []
    assert parakeet.strays() == []

    await parakeet.start()
    again = await parakeet.results()
    assert {id_: again.get(id_) for id_ in kept} == kept
    assert await parakeet.interrupt() == 0
